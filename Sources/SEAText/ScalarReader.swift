// SPDX-License-Identifier: Apache-2.0
// Reading text that may not be text: one scalar, or one stray byte, at a time.

/// Strict UTF-8, without repair: a byte that belongs to no scalar is reported as itself.
enum ScalarReader {
  /// Stands for a byte that is not part of a well-formed scalar.
  static let stray = UInt32.max

  /// The scalar that starts at `index`, and its length in bytes (1 for a stray byte).
  ///
  /// - Precondition: `index` is within `text`.
  /// - Source: The Unicode Standard, table 3-7.
  @inline(__always)
  static func read(_ text: Span<UInt8>, at index: Int) -> (value: UInt32, length: Int) {
    let first = text[index]
    if first < 0x80 { return (UInt32(first), 1) }
    return readLong(text, at: index, first: first)
  }

  private static func readLong(
    _ text: Span<UInt8>,
    at index: Int,
    first: UInt8
  ) -> (value: UInt32, length: Int) {
    let length: Int
    var range: ClosedRange<UInt8> = 0x80...0xbf
    switch first {
    case 0xc2...0xdf: length = 2
    case 0xe0...0xef:
      length = 3
      if first == 0xe0 { range = 0xa0...0xbf }
      if first == 0xed { range = 0x80...0x9f }
    case 0xf0...0xf4:
      length = 4
      if first == 0xf0 { range = 0x90...0xbf }
      if first == 0xf4 { range = 0x80...0x8f }
    default: return (stray, 1)
    }
    guard text.count - index >= length else { return (stray, 1) }
    var value = UInt32(first) & (0x7f >> UInt32(length))
    for offset in 1..<length {
      let byte = text[index + offset]
      guard range.contains(byte) else { return (stray, 1) }
      range = 0x80...0xbf
      value = value << 6 | UInt32(byte & 0x3f)
    }
    return (value, length)
  }

  /// The scalar that ends just before `end`, and its length in bytes; looks no further than `start`.
  ///
  /// - Precondition: `start < end`.
  static func readBackward(
    _ text: Span<UInt8>,
    before end: Int,
    downTo start: Int
  ) -> (value: UInt32, length: Int) {
    var first = end - 1
    while first > start, end - first < 4, text[first] & 0xc0 == 0x80 { first -= 1 }
    let scalar = read(text, at: first)
    return first + scalar.length == end ? scalar : (stray, 1)
  }

  /// Appends a scalar's bytes.
  ///
  /// - Precondition: `scalar` is a Unicode scalar value.
  static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
    switch scalar {
    case 0..<0x80:
      bytes.append(UInt8(scalar))
    case 0x80..<0x800:
      bytes.append(UInt8(0xc0 | scalar >> 6))
      bytes.append(UInt8(0x80 | scalar & 0x3f))
    case 0x800..<0x10000:
      bytes.append(UInt8(0xe0 | scalar >> 12))
      bytes.append(UInt8(0x80 | scalar >> 6 & 0x3f))
      bytes.append(UInt8(0x80 | scalar & 0x3f))
    default:
      bytes.append(UInt8(0xf0 | scalar >> 18))
      bytes.append(UInt8(0x80 | scalar >> 12 & 0x3f))
      bytes.append(UInt8(0x80 | scalar >> 6 & 0x3f))
      bytes.append(UInt8(0x80 | scalar & 0x3f))
    }
  }
}

extension Span<UInt8> {
  /// Whether the bytes at `index` are those of `other`.
  @inline(__always)
  func hasBytes(_ other: [UInt8], at index: Int) -> Bool {
    guard count - index >= other.count else { return false }
    for offset in other.indices where self[index + offset] != other[offset] { return false }
    return true
  }
}
