// SPDX-License-Identifier: Apache-2.0
// Numbers by byte string.

/// A dictionary whose keys are compared byte by byte.
///
/// String keys would not do: two spellings of one accented letter are equal as strings and different
/// as vocabulary pieces.
struct ByteDictionary {
  private var pool: [UInt8] = []
  private var entries: [(start: Int, end: Int, value: Int)] = []
  private var slots = [Int32](repeating: 0, count: 64)

  var count: Int { entries.count }

  /// The value of a key, or nil.
  subscript(key: [UInt8]) -> Int? {
    let slot = find(key)
    return slots[slot] == 0 ? nil : entries[Int(slots[slot]) - 1].value
  }

  /// Adds a key; false when it is there already.
  mutating func insert(_ key: [UInt8], _ value: Int) -> Bool {
    if (entries.count + 1) * 2 > slots.count { grow() }
    let slot = find(key)
    guard slots[slot] == 0 else { return false }
    entries.append((start: pool.count, end: pool.count + key.count, value: value))
    pool += key
    slots[slot] = Int32(entries.count)
    return true
  }

  private func find(_ key: [UInt8]) -> Int {
    var slot = Self.hash(key[...]) & (slots.count - 1)
    while slots[slot] != 0 {
      let entry = entries[Int(slots[slot]) - 1]
      if pool[entry.start..<entry.end] == key[...] { return slot }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private mutating func grow() {
    slots = [Int32](repeating: 0, count: slots.count * 2)
    for (index, entry) in entries.enumerated() {
      var slot = Self.hash(pool[entry.start..<entry.end]) & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(index + 1)
    }
  }

  private static func hash(_ key: ArraySlice<UInt8>) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in key { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return Int(truncatingIfNeeded: (hash ^ hash >> 29) & 0x7fff_ffff)
  }
}
