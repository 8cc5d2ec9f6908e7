// SPDX-License-Identifier: Apache-2.0
// What a run is made of: everything that decides its numbers, by name.

package import SEAFormat

/// Names and values that must be the same for a run to go on with the same numbers.
///
/// The number of threads is not among them: it decides nothing.
package struct RunIdentity: Sendable, Equatable {
  /// In the order in which they are compared.
  package private(set) var entries: [(name: String, value: String)]

  /// An identity; names differ.
  package init(_ entries: [(name: String, value: String)]) {
    self.entries = entries
  }

  /// Adds a name.
  package mutating func add(_ name: String, _ value: String) { entries.append((name, value)) }

  /// The value of a name.
  package subscript(name: String) -> String? { entries.first { $0.name == name }?.value }

  /// As JSON.
  package var json: JSONValue {
    .object(JSONObject(entries.map { (key: $0.name, value: .string($0.value)) }))
  }

  /// Reads an identity; nil when a value is no text.
  package init?(json: JSONValue?) {
    guard let object = json?.object else { return nil }
    var entries: [(name: String, value: String)] = []
    for entry in object.entries {
      guard let value = entry.value.string else { return nil }
      entries.append((entry.key, value))
    }
    self.entries = entries
  }

  /// The first difference from `other`, or nil.
  package func difference(from other: RunIdentity) -> (name: String, here: String, there: String)? {
    for entry in entries where other[entry.name] != entry.value {
      return (entry.name, entry.value, other[entry.name] ?? "nothing")
    }
    for entry in other.entries where self[entry.name] == nil {
      return (entry.name, "nothing", entry.value)
    }
    return nil
  }

  /// Compares names and values in order.
  package static func == (left: RunIdentity, right: RunIdentity) -> Bool {
    left.entries.count == right.entries.count
      && zip(left.entries, right.entries).allSatisfy { $0 == $1 }
  }
}
