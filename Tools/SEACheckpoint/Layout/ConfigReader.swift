// SPDX-License-Identifier: Apache-2.0
// Typed access to a foreign configuration file, where any key may be missing, null or wrong.

package import SEAFormat

/// One object of a configuration file; messages name the file and the full key.
///
/// An absent or null key takes the default of the family's configuration class, because files leave
/// out what equals it.
package struct ConfigReader: Sendable {
  /// The file's path.
  package let path: String
  private let json: JSONValue
  private let prefix: String

  /// A reader of the object `json` of the file at `path`.
  package init(_ json: JSONValue, path: String) {
    self.init(json, path: path, prefix: "")
  }

  private init(_ json: JSONValue, path: String, prefix: String) {
    self.json = json
    self.path = path
    self.prefix = prefix
  }

  /// The full name of a key.
  func field(_ key: String) -> String { prefix + key }

  /// The value of a key, or nil when it is absent or null.
  func value(_ key: String) -> JSONValue? {
    guard let value = json[key], !value.isNull else { return nil }
    return value
  }

  /// The names of all keys.
  var keys: [String] { json.object?.keys ?? [] }

  /// The error for a key's value.
  func fault(_ key: String, _ problem: String) -> CheckpointError {
    .badField(path: path, field: field(key), problem: problem)
  }

  /// A nested object, or nil when it is absent.
  func object(_ key: String) throws(CheckpointError) -> ConfigReader? {
    guard let value = value(key) else { return nil }
    guard value.object != nil else { throw fault(key, "\(value.kind), expected an object") }
    return ConfigReader(value, path: path, prefix: field(key) + ".")
  }

  /// A whole number within a range.
  func int(
    _ key: String,
    default standard: Int,
    in range: ClosedRange<Int>,
  ) throws(CheckpointError) -> Int {
    try optionalInt(key, in: range) ?? standard
  }

  /// A whole number within a range, or nil when it is absent.
  func optionalInt(_ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.int, range.contains(number) else {
      let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
      throw fault(key, "\(Self.show(value)), expected \(expected)")
    }
    return number
  }

  /// A finite number above zero and not above a limit.
  func positive(
    _ key: String,
    default standard: Double,
    atMost limit: Double,
  ) throws(CheckpointError) -> Double {
    guard let value = value(key) else { return standard }
    guard let number = value.double, number > 0, number <= limit else {
      throw fault(key, "\(Self.show(value)), expected a number above 0 and at most \(limit)")
    }
    return number
  }

  /// A boolean.
  func bool(_ key: String, default standard: Bool) throws(CheckpointError) -> Bool {
    guard let value = value(key) else { return standard }
    guard let flag = value.bool else {
      throw fault(key, "\(Self.show(value)), expected true or false")
    }
    return flag
  }

  /// A text, or nil when it is absent.
  func string(_ key: String) throws(CheckpointError) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else {
      throw fault(key, "\(Self.show(value)), expected a text")
    }
    return text
  }

  /// Numbers, or nil when the key is absent.
  func doubles(_ key: String, count: Int) throws(CheckpointError) -> [Double]? {
    guard let value = value(key) else { return nil }
    let numbers = (value.array ?? []).compactMap(\.double)
    guard numbers.count == count, value.array?.count == count else {
      throw fault(key, "\(Self.show(value)), expected \(count) numbers")
    }
    return numbers
  }

  /// One id or a list of ids; empty when the key is absent.
  func ids(_ key: String) throws(CheckpointError) -> [Int] {
    guard let value = value(key) else { return [] }
    var ids: [Int] = []
    for item in value.array ?? [value] {
      guard let id = item.int, (0...(1 << 24)).contains(id), ids.count < 64 else {
        throw fault(key, "\(Self.show(item)), expected token ids")
      }
      ids.append(id)
    }
    return ids
  }

  /// A value for a message: numbers and texts themselves, else the kind.
  static func show(_ value: JSONValue) -> String {
    switch value {
    case .number(let number): number.text.printable(limit: 40)
    case .string(let text): "\"\(text.printable(limit: 40))\""
    case .bool(let flag): "\(flag)"
    default: value.kind
    }
  }
}
