// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), the checksum of tensors in model files.

/// A running CRC-32C.
///
/// Sixteen bytes a step through sixteen tables of 256 entries ("slicing"): the lookups of one step
/// do not depend on each other, only the next step depends on their exclusive or.
///
/// - Source: RFC 3720 appendix B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78).
package struct CRC32C: Sendable {
  private var state: UInt32 = ~0

  /// The checksum of no bytes.
  package init() {}

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32C()
    crc.update(bytes.span)
    return crc.value
  }

  /// The checksum of the bytes so far.
  package var value: UInt32 {
    ~state
  }

  /// The checksum of the bytes so far as eight lower-case hexadecimal digits.
  package var digits: String {
    Self.digits(value)
  }

  /// A checksum as eight lower-case hexadecimal digits.
  package static func digits(_ value: UInt32) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 8 - text.count) + text
  }

  /// Adds `bytes`.
  package mutating func update(_ bytes: Span<UInt8>) {
    unsafe update(bytes.bytes)
  }

  /// Adds `bytes`.
  package mutating func update(_ bytes: RawSpan) {
    let table = Self.table.span
    var crc = state
    var offset = 0
    let stepped = bytes.byteCount & ~15
    while offset < stepped {
      // Both loads are in bounds by the loop condition; every bit pattern is an integer.
      let low =
        unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        .littleEndian ^ UInt64(crc)
      let high =
        unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset + 8, as: UInt64.self)
        .littleEndian
      crc = Self.fold(low, table, 8) ^ Self.fold(high, table, 0)
      offset += 16
    }
    while offset < bytes.byteCount {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      crc = crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xff)]
      offset += 1
    }
    state = crc
  }

  /// What eight bytes contribute when `following` × 1 more bytes come after them in the step.
  @inline(__always)
  private static func fold(_ word: UInt64, _ table: Span<UInt32>, _ following: Int) -> UInt32 {
    // Indices stay below 16 × 256: a table number of at most 15 and one byte.
    unsafe table[unchecked: (following + 7) << 8 | Int(word & 0xff)]
      ^ table[unchecked: (following + 6) << 8 | Int(word >> 8 & 0xff)]
      ^ table[unchecked: (following + 5) << 8 | Int(word >> 16 & 0xff)]
      ^ table[unchecked: (following + 4) << 8 | Int(word >> 24 & 0xff)]
      ^ table[unchecked: (following + 3) << 8 | Int(word >> 32 & 0xff)]
      ^ table[unchecked: (following + 2) << 8 | Int(word >> 40 & 0xff)]
      ^ table[unchecked: (following + 1) << 8 | Int(word >> 48 & 0xff)]
      ^ table[unchecked: following << 8 | Int(word >> 56)]
  }

  /// Table `t` holds, for each byte, its checksum followed by `t` zero bytes; 16 KiB in all.
  private static let table: [UInt32] = {
    var table = [UInt32](repeating: 0, count: 16 * 256)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
      table[byte] = crc
    }
    for index in 256..<table.count {
      let previous = table[index - 256]
      table[index] = previous >> 8 ^ table[Int(previous & 0xff)]
    }
    return table
  }()
}
