// SPDX-License-Identifier: Apache-2.0
// Text operations as the scoring scripts' language defines them: by code points, not by characters.

/// Strings as arrays of code points.
///
/// Swift compares and splits by user-perceived characters, where a period followed by a combining mark is
/// not a period; the published scripts see code points, and scores must not depend on the difference.
enum TextPieces {
  typealias Scalars = [Unicode.Scalar]

  /// White space as Python's `str.isspace` knows it.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1c...0x1f).contains(scalar.value)
  }

  /// A decimal digit as the regular expression `\d` knows it.
  static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .decimalNumber
  }

  /// Without white space at both ends.
  static func stripped(_ text: Scalars) -> Scalars {
    guard let first = text.firstIndex(where: { !isSpace($0) }),
      let last = text.lastIndex(where: { !isSpace($0) })
    else { return [] }
    return Array(text[first...last])
  }

  /// The words between runs of white space.
  static func words(_ text: Scalars) -> [Scalars] {
    text.split(whereSeparator: isSpace).map { Array($0) }
  }

  /// The stretches between single separators; empty ones too.
  static func parts(_ text: Scalars, at separator: Unicode.Scalar) -> [Scalars] {
    text.split(separator: separator, omittingEmptySubsequences: false).map { Array($0) }
  }

  /// Whether `part` occurs in `text`.
  static func contains(_ text: Scalars, _ part: Scalars) -> Bool {
    firstIndex(of: part, in: text[...]) != nil
  }

  /// Where `part` first occurs.
  static func firstIndex(of part: Scalars, in text: ArraySlice<Unicode.Scalar>) -> Int? {
    guard !part.isEmpty, text.count >= part.count else {
      return part.isEmpty ? text.startIndex : nil
    }
    return (text.startIndex...text.endIndex - part.count).first { start in
      text[start...].starts(with: part)
    }
  }

  /// With every occurrence of `part` replaced, from left to right.
  static func replacing(_ text: Scalars, _ part: Scalars, with other: Scalars) -> Scalars {
    var result = Scalars()
    var rest = text[...]
    while let start = firstIndex(of: part, in: rest) {
      result += rest[..<start] + other
      rest = rest[(start + part.count)...]
    }
    return result + rest
  }

  /// As a string.
  static func string<Text: Sequence>(_ text: Text) -> String where Text.Element == Unicode.Scalar {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: text)
    return String(view)
  }

  /// A string's code points.
  static func scalars(_ text: String) -> Scalars { Array(text.unicodeScalars) }

  /// Without white space at both ends.
  static func stripped(_ text: String) -> String { string(stripped(scalars(text))) }

  /// Whether two strings have the same code points, which `==` on strings does not ask.
  static func isSame(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }
}
