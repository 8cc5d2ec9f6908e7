// SPDX-License-Identifier: Apache-2.0
// The checksum of ZIP members: CRC-32 with the reflected polynomial 0xEDB88320.

internal import SEATensor

/// The CRC-32 of a byte sequence, fed piece by piece.
///
/// Eight tables let one step consume eight bytes, which keeps the check near memory speed.
///
/// - Source: ISO 3309; the ZIP application note, section 4.4.7.
package struct CRC32: Sendable {
  private var state: UInt32 = 0xFFFF_FFFF

  package init() {}

  /// The checksum of everything fed so far.
  package var value: UInt32 { ~state }

  /// Feeds `bytes`.
  package mutating func update(_ bytes: [UInt8]) {
    let tables = Self.tables
    var index = 0
    while bytes.count - index >= 8 {
      let low =
        state
        ^ (UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
          | UInt32(bytes[index + 3]) << 24)
      let first = tables[1792 + Int(low & 255)] ^ tables[1536 + Int(low >> 8 & 255)]
      let second = tables[1280 + Int(low >> 16 & 255)] ^ tables[1024 + Int(low >> 24)]
      let third = tables[768 + Int(bytes[index + 4])] ^ tables[512 + Int(bytes[index + 5])]
      let fourth = tables[256 + Int(bytes[index + 6])] ^ tables[Int(bytes[index + 7])]
      state = first ^ second ^ third ^ fourth
      index += 8
    }
    while index < bytes.count {
      state = state >> 8 ^ tables[Int((state ^ UInt32(bytes[index])) & 255)]
      index += 1
    }
  }

  /// Eight tables of 256 entries; table k advances a byte over k further zero bytes.
  private static let tables: [UInt32] = {
    var tables: [UInt32] = []
    tables.reserveCapacity(2048)
    for byte in 0..<UInt32(256) {
      var value = byte
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
      tables.append(value)
    }
    for index in 256..<2048 {
      let previous = tables[index - 256]
      tables.append(previous >> 8 ^ tables[Int(previous & 255)])
    }
    return tables
  }()
}
