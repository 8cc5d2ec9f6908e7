// SPDX-License-Identifier: Apache-2.0
// Where the parts of a label file are; `Documentation/Labels.md` draws them.

internal import SEATensor

/// Constants of the container.
enum LabelFileLayout {
  static let magic = Array("SEALABEL".utf8)
  static let endMagic = Array("LABELEND".utf8)
  static let version: UInt32 = 1
  /// Bytes before the header's text.
  static let prefixBytes = 32
  static let trailerBytes = 72
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
struct LabelTrailer: Equatable {
  /// Where each section starts, in the order of the file.
  var sums: Int
  var vocabulary: Int
  var index: Int
  var keys: Int
  var keyText: Int
  var records: Int
  var keyCount: Int
  /// CRC-32C from the sums to the trailer.
  var sectionsCRC: UInt32

  /// The trailer as bytes.
  var bytes: [UInt8] {
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
