// SPDX-License-Identifier: Apache-2.0
// A JSON document as values: numbers keep their text, keys keep their bytes and order.

/// One JSON value.
package enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

// MARK: - Accessors

extension JSONValue {
  /// The text of a string, or nil for any other kind.
  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The exact value of a number written as a plain integer that fits, or nil.
  package var int: Int? {
    if case .number(let value) = self { value.int } else { nil }
  }

  /// The nearest finite double of a number, or nil.
  package var double: Double? {
    if case .number(let value) = self { value.double } else { nil }
  }

  /// The value of `true` or `false`, or nil for any other kind.
  package var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The elements of an array, or nil for any other kind.
  package var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members of an object, or nil for any other kind.
  package var object: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }

  /// Whether the value is `null`.
  package var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// The word a message uses for this kind of value.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The member with the bytes of `key`, or nil when absent or when this is not an object.
  package subscript(_ key: String) -> JSONValue? {
    object?[key]
  }
}

// MARK: - Equality

extension JSONValue: Equatable {
  /// Compares strings and keys by bytes and numbers by text; objects also by order.
  package static func == (left: JSONValue, right: JSONValue) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let left), .bool(let right)): left == right
    case (.number(let left), .number(let right)): left == right
    case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
    case (.array(let left), .array(let right)): left == right
    case (.object(let left), .object(let right)): left == right
    default: false
    }
  }
}

// MARK: - Literals

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// A string.
  package init(stringLiteral value: String) {
    self = .string(value)
  }

  /// An integer.
  package init(integerLiteral value: Int) {
    self = .number(JSONNumber(value))
  }

  /// A boolean.
  package init(booleanLiteral value: Bool) {
    self = .bool(value)
  }

  /// A finite number.
  package init(floatLiteral value: Double) {
    self = .number(JSONNumber(value))
  }

  /// An array.
  package init(arrayLiteral elements: JSONValue...) {
    self = .array(elements)
  }

  /// An object with the members in the order written.
  ///
  /// - Precondition: the keys differ.
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements.map { (key: $0.0, value: $0.1) }))
  }
}

// MARK: - Numbers

/// A JSON number, kept as the text it was written with so that nothing is lost.
package struct JSONNumber: Sendable, Equatable {
  /// The number in JSON syntax.
  package let text: String

  /// Keeps `text`, which the caller knows to be in JSON syntax.
  init(validated text: String) {
    self.text = text
  }

  /// An exact integer.
  package init(_ value: Int) {
    text = String(value)
  }

  /// The shortest text that reads back as `value`.
  ///
  /// - Precondition: `value` is finite.
  package init(_ value: Double) {
    precondition(value.isFinite, "JSON has no text for \(value)")
    text = value.description
  }

  /// The exact value, when the number is written as a plain integer that fits; otherwise nil.
  ///
  /// `1e3` and `1.0` are not plain integers: a count written that way is refused, not guessed.
  package var int: Int? {
    Int(text)
  }

  /// The nearest double, or nil when the number is beyond the range of finite doubles.
  package var double: Double? {
    guard let value = Double(text), value.isFinite else { return nil }
    return value
  }
}
