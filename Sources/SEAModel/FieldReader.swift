// SPDX-License-Identifier: Apache-2.0
// Reads required fields of a JSON object with their ranges, naming the field in every refusal.

package import SEAFormat

/// Typed access to the fields of one JSON object.
package struct FieldReader {
  private let json: JSONValue

  /// Where the object stands, for messages.
  package let path: String

  /// A reader of `json`, which stands at `path`.
  package init(_ json: JSONValue, path: String) {
    self.json = json
    self.path = path
  }

  /// The full name of a field.
  package func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// The field's value, or nil when it is absent or null.
  package func optional(_ key: String) -> JSONValue? {
    guard let value = json[key], !value.isNull else { return nil }
    return value
  }

  /// The field's value.
  package func value(_ key: String) throws(ModelError) -> JSONValue {
    guard let value = optional(key) else { throw .missing(field: name(key), expected: "a value") }
    return value
  }

  /// A string.
  package func string(_ key: String) throws(ModelError) -> String {
    let value = try value(key)
    guard let text = value.string else {
      throw .invalid(field: name(key), found: value.kind, expected: "a string")
    }
    return text
  }

  /// A boolean.
  package func bool(_ key: String) throws(ModelError) -> Bool {
    let value = try value(key)
    guard let flag = value.bool else {
      throw .invalid(field: name(key), found: value.kind, expected: "true or false")
    }
    return flag
  }

  /// A whole number within a range.
  package func int(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
    let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
    let value = try value(key)
    guard let number = value.int else {
      throw .invalid(field: name(key), found: value.shortText, expected: expected)
    }
    guard range.contains(number) else {
      throw .invalid(field: name(key), found: "\(number)", expected: expected)
    }
    return number
  }

  /// A finite number above zero.
  package func positive(_ key: String) throws(ModelError) -> Double {
    let value = try value(key)
    guard let number = value.double, number.isFinite, number > 0 else {
      throw .invalid(field: name(key), found: value.shortText, expected: "a finite number above 0")
    }
    return number
  }

  /// One of an enumeration's names.
  package func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String,
    as type: Choice.Type = Choice.self
  ) throws(ModelError) -> Choice where Choice.RawValue == String {
    let text = try string(key)
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw .invalid(field: name(key), found: "'\(text)'", expected: "one of \(names)")
    }
    return choice
  }

  /// An array of whole numbers within a range.
  package func ints(
    _ key: String,
    in range: ClosedRange<Int>,
    count: ClosedRange<Int>
  ) throws(ModelError) -> [Int] {
    let value = try value(key)
    guard let items = value.array, count.contains(items.count) else {
      throw .invalid(
        field: name(key),
        found: value.kind,
        expected: "an array of \(count.lowerBound) to \(count.upperBound) numbers"
      )
    }
    var numbers: [Int] = []
    for item in items {
      guard let number = item.int, range.contains(number) else {
        throw .invalid(
          field: name(key),
          found: item.shortText,
          expected: "whole numbers from \(range.lowerBound) to \(range.upperBound)"
        )
      }
      numbers.append(number)
    }
    return numbers
  }

  /// An array of finite numbers.
  package func doubles(_ key: String, count: Int) throws(ModelError) -> [Double] {
    let value = try value(key)
    let expected = "an array of \(count) finite numbers"
    guard let items = value.array, items.count == count else {
      throw .invalid(field: name(key), found: value.kind, expected: expected)
    }
    var numbers: [Double] = []
    for item in items {
      guard let number = item.double, number.isFinite else {
        throw .invalid(field: name(key), found: item.shortText, expected: expected)
      }
      numbers.append(number)
    }
    return numbers
  }
}

extension JSONValue {
  /// The value for a message: numbers and strings themselves, else the kind.
  package var shortText: String {
    switch self {
    case .number(let number): String(number.text.prefix(40))
    case .string(let text): "'\(text.prefix(40))'"
    default: kind
    }
  }
}
