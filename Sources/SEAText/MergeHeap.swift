// SPDX-License-Identifier: Apache-2.0
// A binary heap of pending merges, lowest rank first and leftmost among equals.

/// Pending merges, each one word: rank in the high half, position in the low half.
struct MergeHeap {
  private var entries: [UInt64] = []

  @inline(__always)
  static func entry(rank: UInt32, position: Int) -> UInt64 {
    UInt64(rank) << 32 | UInt64(UInt32(truncatingIfNeeded: position))
  }

  mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
  }

  mutating func reserve(_ count: Int) {
    entries.reserveCapacity(count)
  }

  /// Adds an entry without keeping the order; `arrange` restores it.
  @inline(__always)
  mutating func append(_ entry: UInt64) {
    entries.append(entry)
  }

  /// Makes a heap of the entries in any order.
  mutating func arrange() {
    guard entries.count > 1 else { return }
    for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
  }

  @inline(__always)
  mutating func push(_ entry: UInt64) {
    var index = entries.count
    entries.append(entry)
    while index > 0 {
      let parent = (index - 1) / 2
      guard entry < entries[parent] else { break }
      entries[index] = entries[parent]
      index = parent
    }
    entries[index] = entry
  }

  @inline(__always)
  mutating func pop() -> UInt64? {
    guard let last = entries.popLast() else { return nil }
    guard let first = entries.first else { return last }
    entries[0] = last
    siftDown(0)
    return first
  }

  @inline(__always)
  private mutating func siftDown(_ start: Int) {
    let count = entries.count
    let entry = entries[start]
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count, entries[child + 1] < entries[child] { child += 1 }
      guard entries[child] < entry else { break }
      entries[index] = entries[child]
      index = child
    }
    entries[index] = entry
  }
}
