// SPDX-License-Identifier: Apache-2.0
// The tokens of JSON: a position in a text and the strict rules for moving it.

/// A reading position.
///
/// The text is passed to each call, so nothing is copied and every read is bounds-checked.
struct JSONCursor {
  /// The byte to be read next.
  var position = 0
  /// What half a surrogate pair in an escape becomes.
  var loneSurrogates = JSONLimits.LoneSurrogates.refused

  // MARK: - Structure

  /// Moves past spaces, tabs and line ends.
  mutating func skipSpace(_ text: Span<UInt8>) {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x09, 0x0a, 0x0d: position += 1
      default: return
      }
    }
  }

  /// The next byte, or nil at the end.
  func peek(_ text: Span<UInt8>) -> UInt8? {
    position < text.count ? text[position] : nil
  }

  /// Takes `byte` when it is next.
  mutating func take(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  /// Takes `byte` or throws, saying what was `expected`.
  mutating func require(
    _ byte: UInt8,
    _ text: Span<UInt8>,
    expected: String,
  ) throws(JSONError) {
    guard take(byte, text) else { throw unexpected(text, expected) }
  }

  /// The error that names the next byte.
  func unexpected(_ text: Span<UInt8>, _ expected: String) -> JSONError {
    .unexpected(offset: position, found: peek(text), expected: expected)
  }

  /// Takes a bare word such as `true`.
  mutating func requireWord(_ word: StaticString, _ text: Span<UInt8>) throws(JSONError) {
    let spelling = word.description
    for byte in spelling.utf8 {
      guard take(byte, text) else { throw unexpected(text, "'\(spelling)'") }
    }
  }

  // MARK: - Numbers

  /// Takes a number and returns where it is written.
  mutating func readNumber(_ text: Span<UInt8>) throws(JSONError) -> Range<Int> {
    let start = position
    _ = take(UInt8(ascii: "-"), text)
    if !take(UInt8(ascii: "0"), text) {
      try requireDigits(text)
    }
    if take(UInt8(ascii: "."), text) {
      try requireDigits(text)
    }
    if take(UInt8(ascii: "e"), text) || take(UInt8(ascii: "E"), text) {
      if !take(UInt8(ascii: "+"), text) { _ = take(UInt8(ascii: "-"), text) }
      try requireDigits(text)
    }
    // "01", "1x": a number must not run into another word.
    if let next = peek(text), Self.isWordByte(next) {
      throw unexpected(text, "the end of the number")
    }
    return start..<position
  }

  private mutating func requireDigits(_ text: Span<UInt8>) throws(JSONError) {
    let start = position
    while position < text.count, Self.isDigit(text[position]) { position += 1 }
    guard position > start else { throw unexpected(text, "a digit") }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: ".")
      || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
  }

  // MARK: - Strings

  /// Takes a string of at most `limit` bytes as written, and returns its characters.
  mutating func readString(
    _ text: Span<UInt8>,
    limit: Int = .max,
  ) throws(JSONError) -> String {
    let open = position
    try require(UInt8(ascii: "\""), text, expected: "a string")
    var segment = position
    // Almost every string has no escape: one scan to the closing quote, one validated copy.
    try skipPlain(text, from: open, limit: limit)
    if text[position] == UInt8(ascii: "\"") {
      let range = segment..<position
      position += 1
      return try Self.string(text, range)
    }
    var bytes: [UInt8] = []
    while true {
      try Self.append(text, segment..<position, to: &bytes)
      if text[position] == UInt8(ascii: "\"") {
        position += 1
        // Escapes and validated pieces only, so nothing can be repaired here.
        return String(decoding: bytes, as: UTF8.self)
      }
      try readEscape(text, into: &bytes)
      segment = position
      try skipPlain(text, from: open, limit: limit)
    }
  }

  /// Moves to the next quote or backslash.
  private mutating func skipPlain(
    _ text: Span<UInt8>,
    from open: Int,
    limit: Int,
  ) throws(JSONError) {
    let last = limit < text.count - open ? open + limit + 1 : text.count
    while position < last {
      let byte = text[position]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return }
      guard byte >= 0x20 else { throw .controlCharacter(offset: position, byte: byte) }
      position += 1
    }
    guard position < text.count else { throw unexpected(text, "the end of the string") }
    let byte = text[position]
    // A string of exactly `limit` bytes has its closing quote here.
    if byte == UInt8(ascii: "\"") { return }
    throw .stringTooLong(offset: open, limit: limit)
  }

  private static func string(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
  ) throws(JSONError) -> String {
    do throws(UTF8.ValidationError) {
      return String(copying: try UTF8Span(validating: text.extracting(range)))
    } catch {
      throw .invalidUTF8(offset: range.lowerBound + error.byteOffsets.lowerBound)
    }
  }

  private static func append(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    to bytes: inout [UInt8],
  ) throws(JSONError) {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: text.extracting(range))
    } catch {
      throw .invalidUTF8(offset: range.lowerBound + error.byteOffsets.lowerBound)
    }
    for index in range { bytes.append(text[index]) }
  }

  private mutating func readEscape(
    _ text: Span<UInt8>,
    into bytes: inout [UInt8],
  ) throws(JSONError) {
    let start = position
    position += 1
    guard let letter = peek(text) else { throw unexpected(text, "an escape") }
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(letter)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0c)
    case UInt8(ascii: "n"): bytes.append(0x0a)
    case UInt8(ascii: "r"): bytes.append(0x0d)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      let scalar = try readUnicodeEscape(text, start: start)
      bytes.append(contentsOf: Array(String(scalar).utf8))
    default:
      throw .unexpected(offset: start + 1, found: letter, expected: "an escape")
    }
  }

  /// Reads the digits after `\u`, and the second half of a pair when the first calls for one.
  private mutating func readUnicodeEscape(
    _ text: Span<UInt8>,
    start: Int,
  ) throws(JSONError) -> Unicode.Scalar {
    let first = try readHex(text)
    if let scalar = Unicode.Scalar(first) { return scalar }
    if first < 0xdc00 {
      let second = position
      if take(UInt8(ascii: "\\"), text), take(UInt8(ascii: "u"), text) {
        let low = try readHex(text)
        if (0xdc00..<0xe000).contains(low),
          let scalar = Unicode.Scalar(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00))
        {
          return scalar
        }
      }
      position = second
    }
    switch loneSurrogates {
    case .refused: throw .loneSurrogate(offset: start)
    case .replaced: return "\u{fffd}"
    }
  }

  private mutating func readHex(_ text: Span<UInt8>) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(text), let digit = Self.hexValue(byte) else {
        throw unexpected(text, "four hexadecimal digits")
      }
      value = value << 4 | digit
      position += 1
    }
    return value
  }

  private static func hexValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
  }
}
