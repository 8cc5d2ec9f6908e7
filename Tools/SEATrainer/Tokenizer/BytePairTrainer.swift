// SPDX-License-Identifier: Apache-2.0
// Learns merges: the most frequent pair of neighbours becomes a piece, again and again.

/// Words as symbols, changed in place while pairs are joined.
///
/// Counts of pairs are kept up to date word by word, and the most frequent pair comes from a queue
/// whose outdated entries are recognised when they come up: the work is that of the words that change.
package struct BytePairTrainer {
  /// A learned merge.
  package struct Merge: Sendable, Equatable {
    package let left: Int32
    package let right: Int32
    /// The piece that both become.
    package let made: Int32
  }

  /// Texts of all pieces by number: those given, then those learned.
  package private(set) var pieces: [[UInt8]]
  /// Merges in the order they were learned.
  package private(set) var merges: [Merge] = []

  /// Longest piece in characters.
  private let longest: Int
  /// How often a pair must occur.
  private let fewest: Int
  private var lengths: [Int]
  private var places: [[UInt8]: Int32] = [:]
  private let forbidden: Set<[UInt8]>

  private var symbols: [Int32] = []
  private var starts: [Int] = []
  private var sizes: [Int32] = []
  private var counts: [Int] = []

  private var pairs: [UInt64: Int] = [:]
  private var pairCounts: [Int] = []
  private var pairWords: [[Int32]] = []
  private var queue = PairQueue()

  /// A trainer.
  ///
  /// - Parameters:
  ///   - pieces: the pieces that words are made of.
  ///   - longest: characters of the longest piece.
  ///   - fewest: how often a pair must occur.
  ///   - forbidden: texts that no piece may have.
  package init(pieces: [[UInt8]], longest: Int, fewest: Int = 2, forbidden: Set<[UInt8]> = []) {
    self.pieces = pieces
    self.longest = longest
    self.fewest = max(fewest, 1)
    self.forbidden = forbidden
    lengths = [Int](repeating: 1, count: pieces.count)
    for (index, piece) in pieces.enumerated() where places[piece] == nil {
      places[piece] = Int32(index)
    }
  }

  /// The number of the piece with this text.
  package func place(of text: [UInt8]) -> Int32? { places[text] }

  /// Adds a word.
  package mutating func add(_ word: [Int32], count: Int) {
    guard word.count > 1 else { return }
    starts.append(symbols.count)
    sizes.append(Int32(word.count))
    counts.append(count)
    symbols += word
  }

  /// Learns merges until there are `limit` pieces or no pair is frequent enough.
  ///
  /// Of equally frequent pairs the one of earlier pieces comes first.
  ///
  /// - Parameters:
  ///   - limit: pieces in all.
  ///   - progress: called now and then with the number of pieces.
  /// - Throws: what `progress` throws.
  package mutating func train(
    to limit: Int,
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    countPairs()
    while pieces.count < limit, let next = queue.pop() {
      let pair = pairs[next.key] ?? 0
      guard pairCounts[pair] == next.count else {
        if pairCounts[pair] >= fewest { queue.push(key: next.key, count: pairCounts[pair]) }
        continue
      }
      let left = Int32(truncatingIfNeeded: next.key >> 32)
      let right = Int32(truncatingIfNeeded: next.key & 0xffff_ffff)
      let text = pieces[Int(left)] + pieces[Int(right)]
      let length = lengths[Int(left)] + lengths[Int(right)]
      // What may not be joined is never joined: its count is forgotten.
      guard length <= longest, !forbidden.contains(text) else { continue }
      let made: Int32
      if let known = places[text] {
        made = known
      } else {
        made = Int32(pieces.count)
        places[text] = made
        pieces.append(text)
        lengths.append(length)
      }
      merges.append(Merge(left: left, right: right, made: made))
      join(pair, left, right, made)
      if merges.count % 64 == 0 { try progress(pieces.count) }
    }
    try progress(pieces.count)
  }

  // MARK: - Pairs

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private mutating func countPairs() {
    for word in starts.indices {
      let start = starts[word]
      for place in start..<start + Int(sizes[word]) - 1 {
        change(symbols[place], symbols[place + 1], by: counts[word], in: word)
      }
    }
    for (key, pair) in pairs where pairCounts[pair] >= fewest {
      queue.push(key: key, count: pairCounts[pair])
    }
  }

  @discardableResult
  private mutating func change(
    _ left: Int32,
    _ right: Int32,
    by amount: Int,
    in word: Int
  ) -> UInt64 {
    let key = Self.key(left, right)
    let pair: Int
    if let known = pairs[key] {
      pair = known
    } else {
      pair = pairCounts.count
      pairs[key] = pair
      pairCounts.append(0)
      pairWords.append([])
    }
    pairCounts[pair] += amount
    if amount > 0, pairWords[pair].last != Int32(word) { pairWords[pair].append(Int32(word)) }
    return key
  }

  /// Joins a pair in all words that have it.
  private mutating func join(_ pair: Int, _ left: Int32, _ right: Int32, _ made: Int32) {
    let words = pairWords[pair]
    pairWords[pair] = []
    var grown: Set<UInt64> = []
    for word in words {
      let word = Int(word)
      let (start, count) = (starts[word], counts[word])
      var size = Int(sizes[word])
      var (from, to) = (0, 0)
      while from < size {
        guard from + 1 < size, symbols[start + from] == left, symbols[start + from + 1] == right
        else {
          symbols[start + to] = symbols[start + from]
          (from, to) = (from + 1, to + 1)
          continue
        }
        if to > 0 {
          let before = symbols[start + to - 1]
          change(before, left, by: -count, in: word)
          grown.insert(change(before, made, by: count, in: word))
        }
        if from + 2 < size {
          let after = symbols[start + from + 2]
          change(right, after, by: -count, in: word)
          grown.insert(change(made, after, by: count, in: word))
        }
        symbols[start + to] = made
        (from, to) = (from + 2, to + 1)
      }
      size = to
      sizes[word] = Int32(size)
    }
    pairCounts[pair] = 0
    for key in grown {
      let count = pairs[key].map { pairCounts[$0] } ?? 0
      if count >= fewest { queue.push(key: key, count: count) }
    }
  }
}

/// The most frequent pair first; of equals the one with the smaller key.
private struct PairQueue {
  struct Entry {
    let key: UInt64
    let count: Int

    func precedes(_ other: Entry) -> Bool {
      count != other.count ? count > other.count : key < other.key
    }
  }

  private var entries: [Entry] = []

  mutating func push(key: UInt64, count: Int) {
    entries.append(Entry(key: key, count: count))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].precedes(entries[parent]) else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Entry? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    guard !entries.isEmpty else { return first }
    entries[0] = last
    var parent = 0
    while true {
      var best = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
        if entries[child].precedes(entries[best]) { best = child }
      }
      guard best != parent else { return first }
      entries.swapAt(best, parent)
      parent = best
    }
  }
}
