// SPDX-License-Identifier: Apache-2.0
// Where the parts of a label file are; `Documentation/Labels.md` draws them.

internal import SEATensor

/// Constants of the container.
package enum LabelFileLayout {
  static let magic = Array("SEALABEL".utf8)
  static let endMagic = Array("LABELEND".utf8)
  static let version: UInt32 = 1
  /// Bytes before the header's text.
  static let prefixBytes = 32
  /// Bytes of the trailer.
  package static let trailerBytes = 72
  /// Bytes of a key's entry: start, length, record.
  static let keyBytes = 16
  /// Longest key in bytes.
  static let maximumKey = 4096

  /// Bytes of the header's text when padded so that records start at a multiple of 64.
  static func paddedHeader(_ count: Int) -> Int {
    (prefixBytes + count + 63) / 64 * 64 - prefixBytes
  }
}

/// The fields of a trailer.
package struct LabelTrailer: Equatable {
  /// Where each section starts, in the order of the file.
  package var sums: Int
  package var vocabulary: Int
  package var index: Int
  package var keys: Int
  package var keyText: Int
  /// Number of records.
  package var records: Int
  /// Number of keys.
  package var keyCount: Int
  /// CRC-32C from the sums to the trailer.
  package var sectionsCRC: UInt32

  /// Places and counts.
  package init(
    sums: Int,
    vocabulary: Int,
    index: Int,
    keys: Int,
    keyText: Int,
    records: Int,
    keyCount: Int,
    sectionsCRC: UInt32
  ) {
    self.sums = sums
    self.vocabulary = vocabulary
    self.index = index
    self.keys = keys
    self.keyText = keyText
    self.records = records
    self.keyCount = keyCount
    self.sectionsCRC = sectionsCRC
  }

  /// The trailer as bytes.
  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for value in [sums, vocabulary, index, keys, keyText, records, keyCount] {
      bytes += LittleEndian.bytes(UInt64(value))
    }
    bytes += LittleEndian.bytes(sectionsCRC)
    bytes += LittleEndian.bytes(checksum(of: bytes))
    return bytes + LabelFileLayout.endMagic
  }

  private func checksum(of bytes: [UInt8]) -> UInt32 { LabelChecksum.of(bytes) }
}
