// SPDX-License-Identifier: Apache-2.0
// Standard base64 with padding, read strictly.

/// Reads base64 as RFC 4648 section 4 writes it.
enum Base64 {
  /// The bytes, or nil when the text is not base64.
  static func decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    bytes.reserveCapacity(text.utf8.count / 4 * 3)
    for character in text.utf8 {
      count += 1
      bits <<= 6
      if character == UInt8(ascii: "=") {
        padding += 1
      } else {
        guard padding == 0, let value = value(of: character) else { return nil }
        bits |= value
      }
      guard count % 4 == 0 else { continue }
      guard padding <= 2 else { return nil }
      for index in 0..<(3 - padding) {
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(16 - 8 * index)))
      }
      bits = 0
    }
    return count % 4 == 0 ? bytes : nil
  }

  private static func value(of character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
