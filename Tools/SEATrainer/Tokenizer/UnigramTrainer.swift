// SPDX-License-Identifier: Apache-2.0
// Learns the pieces of a Unigram model: from all frequent substrings down to those that are missed most.

internal import Glibc
internal import SEAText

/// A Unigram language model of words.
///
/// Expectation and maximisation fit the scores; then the pieces whose loss would cost the least are
/// dropped, a quarter at a time, until so many are left as are wanted. Pieces of one character stay.
///
/// - Source: Kudo, "Subword Regularization" (2018), section 3.2.
package struct UnigramTrainer {
  /// A piece and its log-probability.
  package struct Piece: Sendable, Equatable {
    package var text: [UInt8]
    package var score: Double
  }

  private let words: [[UInt8]]
  private let counts: [Int]
  private let characters: [[UInt8]]
  private let longest: Int
  private let forbidden: Set<[UInt8]>

  /// Seeds that are kept, and substrings that are looked at for them.
  private static let maxSeeds = 1_000_000
  private static let maxSubstrings = 16_000_000
  /// Longest word in bytes that is learned from.
  private static let maxWord = 256

  /// A trainer.
  ///
  /// - Parameters:
  ///   - words: distinct words, all of known characters.
  ///   - counts: how often each occurs.
  ///   - characters: the known characters.
  ///   - longest: characters of the longest piece.
  ///   - forbidden: texts that no piece may have.
  package init(
    words: [[UInt8]],
    counts: [Int],
    characters: [[UInt8]],
    longest: Int,
    forbidden: Set<[UInt8]> = []
  ) {
    // The most frequent first: where there are too many, the rare ones give no seeds.
    let order = words.indices.filter { words[$0].count <= Self.maxWord }.sorted {
      counts[$0] != counts[$1]
        ? counts[$0] > counts[$1] : words[$0].lexicographicallyPrecedes(words[$1])
    }
    self.words = order.map { words[$0] }
    self.counts = order.map { counts[$0] }
    self.characters = characters
    self.longest = longest
    self.forbidden = forbidden
  }

  /// Learns `count` pieces, or fewer when there are no more; the likeliest first.
  ///
  /// - Parameters:
  ///   - count: pieces, characters included.
  ///   - progress: called with the pieces that are left.
  /// - Returns: the pieces.
  /// - Throws: what `progress` throws.
  package func train(to count: Int, progress: (Int) throws -> Void = { _ in }) throws -> [Piece] {
    var pieces = seeds(max(count * 16, Self.maxSeeds / 4))
    try progress(pieces.count)
    let almost = max(count + count / 10, characters.count)
    while true {
      for _ in 0..<2 {
        pieces = maximize(pieces)
        try progress(pieces.count)
      }
      guard pieces.count > almost else { break }
      let kept = prune(pieces, to: max(almost, pieces.count / 4 * 3))
      guard kept.count < pieces.count else { break }
      pieces = kept
    }
    // The required ones, then the likeliest.
    var chosen: [Piece] = Array(pieces.prefix(characters.count))
    let others = pieces.dropFirst(characters.count).sorted(by: Self.precedes)
    chosen += others.prefix(max(count - chosen.count, 0))
    return chosen.sorted(by: Self.precedes)
  }

  private static func precedes(_ a: Piece, _ b: Piece) -> Bool {
    a.score != b.score ? a.score > b.score : a.text.lexicographicallyPrecedes(b.text)
  }

  // MARK: - Seeds

  /// All characters, then the substrings that cover the most text.
  private func seeds(_ limit: Int) -> [Piece] {
    var counter = WordCounter()
    var total = 0
    for (word, count) in zip(words, counts) {
      guard total < Self.maxSubstrings else { break }
      let bounds = (0...word.count).filter { $0 == word.count || word[$0] & 0xc0 != 0x80 }
      for first in bounds.indices.dropLast() {
        for last in bounds.indices where last >= first + 2 && last - first <= longest {
          counter.add(word.span, bounds[first]..<bounds[last], times: count)
          total += 1
        }
      }
    }
    var singles: [[UInt8]: Int] = [:]
    for (word, count) in zip(words, counts) {
      var place = 0
      while place < word.count {
        let length = TextScalar.read(word.span, at: place).length
        singles[Array(word[place..<place + length]), default: 0] += count
        place += length
      }
    }
    var candidates: [(text: [UInt8], weight: Int)] = []
    for index in 0..<counter.count where counter.counts[index] >= 2 {
      let text = Array(counter.word(index))
      guard !forbidden.contains(text) else { continue }
      let length = text.count { $0 & 0xc0 != 0x80 }
      candidates.append((text, counter.counts[index] * length))
    }
    candidates.sort {
      $0.weight != $1.weight ? $0.weight > $1.weight : $0.text.lexicographicallyPrecedes($1.text)
    }
    let all =
      characters.map { ($0, max(singles[$0] ?? 0, 1)) }
      + candidates.prefix(min(limit, Self.maxSeeds)).map { ($0.text, $0.weight) }
    let sum = log(Double(all.reduce(0) { $0 + $1.1 }))
    return all.map { Piece(text: $0.0, score: log(Double($0.1)) - sum) }
  }

  // MARK: - Expectation and maximisation

  private func lattice(_ pieces: [Piece]) -> UnigramLattice {
    var trie = PieceTrie()
    for (index, piece) in pieces.enumerated() { trie.insert(piece.text, Int32(index)) }
    return UnigramLattice(trie, scores: pieces.map(\.score))
  }

  /// One step: pieces that are hardly used are dropped, the others get new scores.
  private func maximize(_ pieces: [Piece]) -> [Piece] {
    var lattice = lattice(pieces)
    var expected = [Double](repeating: 0, count: pieces.count)
    for (word, count) in zip(words, counts) {
      _ = lattice.expect(word[...], count: Double(count), into: &expected)
    }
    var kept: [(text: [UInt8], uses: Double)] = []
    for (index, piece) in pieces.enumerated() {
      let uses = expected[index]
      if index < characters.count || uses >= 0.5 { kept.append((piece.text, max(uses, 0.5))) }
    }
    // The mean of a logarithm under the posterior, which is kinder to frequent pieces than its log.
    let sum = Self.digamma(kept.reduce(0) { $0 + $1.uses })
    return kept.map { Piece(text: $0.text, score: Self.digamma($0.uses) - sum) }
  }

  /// The `limit` pieces that are missed most, characters included.
  private func prune(_ pieces: [Piece], to limit: Int) -> [Piece] {
    var lattice = lattice(pieces)
    var uses = [Double](repeating: 0, count: pieces.count)
    for (word, count) in zip(words, counts) {
      for piece in lattice.best(word[...])?.pieces ?? [] { uses[Int(piece)] += Double(count) }
    }
    let total = uses.reduce(0, +)
    let logTotal = log(total)
    var losses: [(index: Int, loss: Double)] = []
    for index in characters.count..<max(pieces.count, characters.count) {
      guard uses[index] > 0 else { continue }
      guard let other = lattice.best(pieces[index].text[...], without: Int32(index)) else {
        losses.append((index, .infinity))
        continue
      }
      // Without the piece its uses go to the pieces that spell it.
      let after = log(total + uses[index] * Double(other.pieces.count - 1))
      let spelled = other.pieces.reduce(0.0) { $0 + log(uses[Int($1)] + uses[index]) - after }
      losses.append((index, uses[index] / total * (log(uses[index]) - logTotal - spelled)))
    }
    losses.sort { $0.loss != $1.loss ? $0.loss > $1.loss : $0.index < $1.index }
    let kept = losses.prefix(max(limit - characters.count, 0)).map(\.index).sorted()
    return Array(pieces.prefix(characters.count)) + kept.map { pieces[$0] }
  }

  /// Ψ(x), the derivative of ln Γ.
  ///
  /// - Source: Abramowitz and Stegun, 6.3.5 and 6.3.18.
  static func digamma(_ x: Double) -> Double {
    var x = x
    var shift = 0.0
    while x < 7 {
      shift -= 1 / x
      x += 1
    }
    let inverse = 1 / (x * x)
    let series = inverse * (1.0 / 12 - inverse * (1.0 / 120 - inverse * (1.0 / 252)))
    return shift + log(x) - 0.5 / x - series
  }
}
