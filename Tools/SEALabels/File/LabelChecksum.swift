// SPDX-License-Identifier: Apache-2.0
// CRC-32C of arrays and views.

internal import SEAFormat
internal import SEATensor

/// Checksums of a label file.
package enum LabelChecksum {
  /// The checksum of an array.
  package static func of(_ bytes: [UInt8]) -> UInt32 { CRC32C.checksum(bytes) }

  static func of(_ bytes: ByteView) -> UInt32 {
    var crc = CRC32C()
    bytes.withSpan { crc.update($0) }
    return crc.value
  }
}
