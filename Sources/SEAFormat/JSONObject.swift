// SPDX-License-Identifier: Apache-2.0
// The members of a JSON object: insertion order kept, keys found and compared by their UTF-8 bytes.

/// An ordered set of members with distinct keys.
///
/// Two keys are the same when their bytes are: `"é"` written as one scalar or as two are different
/// members, which string equality would merge.
package struct JSONObject: Sendable {
  /// The members in the order they were written.
  package private(set) var entries: [(key: String, value: JSONValue)]
  /// Positions by key; empty while the object is small enough for a linear search.
  private var index = ByteIndex()

  /// Below this many members a search by eye beats a hash table, in time and in memory.
  private static let linearLimit = 8

  /// An object without members.
  package init() {
    entries = []
  }

  /// An object with these members.
  ///
  /// - Precondition: the keys differ.
  package init(_ entries: [(key: String, value: JSONValue)]) {
    self.entries = []
    self.entries.reserveCapacity(entries.count)
    for entry in entries {
      let isNew = append(entry.key, entry.value)
      precondition(isNew, "duplicate key '\(entry.key)'")
    }
  }

  /// The number of members.
  package var count: Int {
    entries.count
  }

  /// Whether there are no members.
  package var isEmpty: Bool {
    entries.isEmpty
  }

  /// The keys in order.
  package var keys: [String] {
    entries.map(\.key)
  }

  /// The value of the member with the bytes of `key`; setting replaces in place, appends, or
  /// removes.
  ///
  /// - Complexity: O(1) to read and replace; removing is O(count).
  package subscript(_ key: String) -> JSONValue? {
    get {
      position(of: key).map { entries[$0].value }
    }
    set {
      guard let position = position(of: key) else {
        if let newValue { append(key, newValue) }
        return
      }
      if let newValue {
        entries[position].value = newValue
      } else {
        entries.remove(at: position)
        rebuildIndex()
      }
    }
  }

  /// Adds a member unless the key is there already.
  ///
  /// - Returns: whether the member was added.
  @discardableResult
  mutating func append(_ key: String, _ value: JSONValue) -> Bool {
    if entries.count < Self.linearLimit {
      guard position(of: key) == nil else { return false }
    } else {
      if index.isEmpty { rebuildIndex() }
      guard index.insert(key, at: entries.count, keyAt: { entries[$0].key }) else { return false }
    }
    entries.append((key: key, value: value))
    return true
  }

  private func position(of key: String) -> Int? {
    if index.isEmpty {
      return entries.firstIndex { $0.key.hasSameBytes(as: key) }
    }
    return index.find(key, keyAt: { entries[$0].key })
  }

  private mutating func rebuildIndex() {
    index = ByteIndex()
    guard entries.count >= Self.linearLimit else { return }
    for position in entries.indices {
      index.insert(entries[position].key, at: position, keyAt: { entries[$0].key })
    }
  }
}

extension JSONObject: Equatable {
  /// Compares members pairwise, in order.
  package static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count
      && zip(left.entries, right.entries).allSatisfy {
        $0.key.hasSameBytes(as: $1.key) && $0.value == $1.value
      }
  }
}
