// SPDX-License-Identifier: Apache-2.0
// The kinds of characters that splitting patterns tell apart.

/// What a pattern sees in a character.
enum CharacterClass {
  /// `\p{L}`
  case letter
  /// `\p{N}`
  case number
  /// `\s`, the 25 scalars of property White_Space
  case space
  /// Anything else, stray bytes included.
  case other

  /// The class of a scalar.
  @inline(__always)
  static func of(_ scalar: UInt32) -> CharacterClass {
    scalar < 0x80 ? ofASCII(scalar) : ofOther(scalar)
  }

  @inline(__always)
  private static func ofASCII(_ scalar: UInt32) -> CharacterClass {
    switch UInt8(truncatingIfNeeded: scalar) {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): .letter
    case UInt8(ascii: "0")...UInt8(ascii: "9"): .number
    case 9...13, 32: .space
    default: .other
    }
  }

  private static func ofOther(_ scalar: UInt32) -> CharacterClass {
    if isSpace(scalar) { return .space }
    if contains(scalar, in: CharacterRanges.letters) { return .letter }
    if contains(scalar, in: CharacterRanges.numbers) { return .number }
    return .other
  }

  /// Whether the scalar has the property White_Space.
  static func isSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 9...13, 0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
      true
    default: false
    }
  }

  /// Whether Python takes the scalar for white space: the property and four separators.
  static func isPythonSpace(_ scalar: UInt32) -> Bool {
    isSpace(scalar) || (0x1c...0x1f).contains(scalar)
  }

  /// Whether the scalar is part of a word, `\w`, in Unicode 16.
  static func isWord(_ scalar: UInt32) -> Bool {
    guard let properties = Unicode.Scalar(scalar)?.properties, let age = properties.age,
      age.major <= 16
    else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return false
    }
  }

  private static func contains(_ scalar: UInt32, in ranges: [UInt32]) -> Bool {
    // The last range that starts at or before the scalar.
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle] >> 11 <= scalar { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return false }
    let range = ranges[low - 1]
    return scalar - range >> 11 <= range & 0x7ff
  }
}
