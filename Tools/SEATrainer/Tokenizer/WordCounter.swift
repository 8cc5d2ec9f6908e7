// SPDX-License-Identifier: Apache-2.0
// How often each word occurs: what a vocabulary is learned from.

/// Distinct words with their counts, in the order in which they were first seen.
package struct WordCounter: Sendable {
  private var pool: [UInt8] = []
  /// Where each word starts in the pool, and the pool's end.
  private var starts = [0]
  /// How often each word was seen.
  package private(set) var counts: [Int] = []
  /// Open addressing: a word's number, or −1.
  private var slots = [Int32](repeating: -1, count: 1 << 12)

  /// No words yet.
  package init() {}

  /// Distinct words.
  package var count: Int { counts.count }

  /// The bytes of a word.
  package func word(_ index: Int) -> ArraySlice<UInt8> { pool[starts[index]..<starts[index + 1]] }

  /// Counts a word.
  package mutating func add(_ text: Span<UInt8>, _ range: Range<Int>, times: Int = 1) {
    guard !range.isEmpty else { return }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in range { hash = (hash ^ UInt64(text[index])) &* 0x0000_0100_0000_01b3 }
    hash ^= hash >> 29
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] >= 0 {
      let known = Int(slots[slot])
      if isSame(known, text, range) {
        counts[known] += times
        return
      }
      slot = (slot + 1) & mask
    }
    slots[slot] = Int32(truncatingIfNeeded: counts.count)
    for index in range { pool.append(text[index]) }
    starts.append(pool.count)
    counts.append(times)
    if counts.count * 2 > slots.count { grow() }
  }

  private func isSame(_ index: Int, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let start = starts[index]
    guard starts[index + 1] - start == range.count else { return false }
    for offset in 0..<range.count where pool[start + offset] != text[range.lowerBound + offset] {
      return false
    }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    let mask = slots.count - 1
    for index in counts.indices {
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for byte in word(index) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
      hash ^= hash >> 29
      var slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot] >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Int32(truncatingIfNeeded: index)
    }
  }
}
