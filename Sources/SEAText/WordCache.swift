// SPDX-License-Identifier: Apache-2.0
// The tokens of words met before, within one call.

/// A hash table from word to tokens that forgets everything when it is full.
struct WordCache {
  private struct Entry {
    var hash: UInt64
    var wordStart: Int32
    var wordCount: Int32
    var idStart: Int32
    var idCount: Int32
  }

  /// Words longer than this are rarely met twice.
  static let longestWord = 48
  private static let slotCount = 1 << 15
  private static let maximumEntries = slotCount / 2

  private var slots: [Int32] = []
  private var entries: [Entry] = []
  private var words: [UInt8] = []
  private var ids: [Int32] = []

  /// Appends the tokens of a word met before; false when it is new.
  mutating func append(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    hash: UInt64,
    to output: inout [Int32]
  ) -> Bool {
    guard !slots.isEmpty else { return false }
    var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
    while slots[slot] != 0 {
      let entry = entries[Int(slots[slot]) - 1]
      if entry.hash == hash, Int(entry.wordCount) == range.count,
        isWord(entry, text, range.lowerBound)
      {
        let start = Int(entry.idStart)
        output.append(contentsOf: ids[start..<start + Int(entry.idCount)])
        return true
      }
      slot = (slot + 1) & (Self.slotCount - 1)
    }
    return false
  }

  /// Remembers a word that `append` did not know.
  mutating func insert(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    hash: UInt64,
    ids newIDs: ArraySlice<Int32>
  ) {
    if slots.isEmpty || entries.count == Self.maximumEntries { reset() }
    var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
    while slots[slot] != 0 { slot = (slot + 1) & (Self.slotCount - 1) }
    entries.append(
      Entry(
        hash: hash,
        wordStart: Int32(words.count),
        wordCount: Int32(range.count),
        idStart: Int32(ids.count),
        idCount: Int32(newIDs.count),
      )
    )
    slots[slot] = Int32(entries.count)
    for index in range { words.append(text[index]) }
    ids.append(contentsOf: newIDs)
  }

  private func isWord(_ entry: Entry, _ text: Span<UInt8>, _ start: Int) -> Bool {
    let wordStart = Int(entry.wordStart)
    for offset in 0..<Int(entry.wordCount) where words[wordStart + offset] != text[start + offset] {
      return false
    }
    return true
  }

  private mutating func reset() {
    slots = [Int32](repeating: 0, count: Self.slotCount)
    entries.removeAll(keepingCapacity: true)
    words.removeAll(keepingCapacity: true)
    ids.removeAll(keepingCapacity: true)
  }
}
