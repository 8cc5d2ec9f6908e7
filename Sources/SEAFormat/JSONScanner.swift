// SPDX-License-Identifier: Apache-2.0
// A strict reader of whole JSON documents (RFC 8259), for text that others wrote.

/// How much a JSON text may ask for.
package struct JSONLimits: Sendable {
  /// What happens to an escape that is half of a surrogate pair.
  package enum LoneSurrogates: Sendable {
    /// The text is refused.
    case refused
    /// The half becomes U+FFFD; for data where a damaged character is no reason to stop.
    case replaced
  }

  /// The deepest nesting of arrays and objects.
  package var depth: Int
  /// The longest text in bytes.
  package var bytes: Int
  /// The rule for half surrogate pairs.
  package var loneSurrogates: LoneSurrogates

  /// Limits that any configuration or tokenizer file stays within.
  package init(
    depth: Int = 64,
    bytes: Int = 512 << 20,
    loneSurrogates: LoneSurrogates = .refused,
  ) {
    // The reader calls itself once per level, so the cap also bounds the stack.
    precondition((1...256).contains(depth), "depth \(depth) outside 1...256")
    self.depth = depth
    self.bytes = bytes
    self.loneSurrogates = loneSurrogates
  }
}

/// Reads a JSON document and refuses everything the standard does not allow.
///
/// Beyond the grammar: keys within an object are distinct (by bytes), strings are valid UTF-8, and
/// nesting and length are bounded.
package struct JSONScanner {
  private var cursor: JSONCursor
  private let limits: JSONLimits

  /// Reads the one value that `bytes` holds.
  ///
  /// - Throws: `JSONError` with the byte offset of the first offence.
  /// - Complexity: linear in the number of bytes.
  /// - Source: RFC 8259.
  package static func parse(
    _ bytes: [UInt8],
    limits: JSONLimits = .init(),
  ) throws(JSONError) -> JSONValue {
    try parse(bytes.span, limits: limits)
  }

  /// Reads the one value that `text` holds.
  ///
  /// - Throws: `JSONError` with the byte offset of the first offence.
  package static func parse(
    _ text: Span<UInt8>,
    limits: JSONLimits = .init(),
  ) throws(JSONError) -> JSONValue {
    guard text.count <= limits.bytes else {
      throw .textTooLong(bytes: text.count, limit: limits.bytes)
    }
    if text.count >= 3, text[0] == 0xef, text[1] == 0xbb, text[2] == 0xbf { throw .byteOrderMark }
    var scanner = JSONScanner(limits: limits)
    let value = try scanner.readValue(text, depth: 0)
    scanner.cursor.skipSpace(text)
    guard scanner.cursor.position == text.count else {
      throw scanner.cursor.unexpected(text, "the end of the text")
    }
    return value
  }

  private init(limits: JSONLimits) {
    cursor = JSONCursor(loneSurrogates: limits.loneSurrogates)
    self.limits = limits
  }

  private mutating func readValue(
    _ text: Span<UInt8>,
    depth: Int,
  ) throws(JSONError) -> JSONValue {
    cursor.skipSpace(text)
    guard let first = cursor.peek(text) else { throw cursor.unexpected(text, "a value") }
    switch first {
    case UInt8(ascii: "\""):
      return .string(try cursor.readString(text))
    case UInt8(ascii: "{"):
      return .object(try readObject(text, depth: depth + 1))
    case UInt8(ascii: "["):
      return .array(try readArray(text, depth: depth + 1))
    case UInt8(ascii: "t"):
      try cursor.requireWord("true", text)
      return .bool(true)
    case UInt8(ascii: "f"):
      try cursor.requireWord("false", text)
      return .bool(false)
    case UInt8(ascii: "n"):
      try cursor.requireWord("null", text)
      return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return .number(try readNumber(text))
    default:
      throw cursor.unexpected(text, "a value")
    }
  }

  private mutating func readNumber(_ text: Span<UInt8>) throws(JSONError) -> JSONNumber {
    let range = try cursor.readNumber(text)
    var digits = String()
    digits.reserveCapacity(range.count)
    for index in range { digits.unicodeScalars.append(UnicodeScalar(text[index])) }
    return JSONNumber(validated: digits)
  }

  private mutating func readArray(
    _ text: Span<UInt8>,
    depth: Int,
  ) throws(JSONError) -> [JSONValue] {
    guard depth <= limits.depth else {
      throw .tooDeep(offset: cursor.position, limit: limits.depth)
    }
    cursor.position += 1
    var elements: [JSONValue] = []
    cursor.skipSpace(text)
    if cursor.take(UInt8(ascii: "]"), text) { return elements }
    while true {
      elements.append(try readValue(text, depth: depth))
      cursor.skipSpace(text)
      if cursor.take(UInt8(ascii: ","), text) { continue }
      try cursor.require(UInt8(ascii: "]"), text, expected: "',' or ']'")
      return elements
    }
  }

  private mutating func readObject(
    _ text: Span<UInt8>,
    depth: Int,
  ) throws(JSONError) -> JSONObject {
    guard depth <= limits.depth else {
      throw .tooDeep(offset: cursor.position, limit: limits.depth)
    }
    cursor.position += 1
    var object = JSONObject()
    cursor.skipSpace(text)
    if cursor.take(UInt8(ascii: "}"), text) { return object }
    while true {
      cursor.skipSpace(text)
      let offset = cursor.position
      let key = try cursor.readString(text)
      cursor.skipSpace(text)
      try cursor.require(UInt8(ascii: ":"), text, expected: "':'")
      let value = try readValue(text, depth: depth)
      guard object.append(key, value) else { throw .duplicateKey(offset: offset, key: key) }
      cursor.skipSpace(text)
      if cursor.take(UInt8(ascii: ","), text) { continue }
      try cursor.require(UInt8(ascii: "}"), text, expected: "',' or '}'")
      return object
    }
  }
}
