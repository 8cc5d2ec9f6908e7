// SPDX-License-Identifier: Apache-2.0
// Words that may be among the best of some patches, with approximate scores.

import SEATensor

/// The candidates of one thread's patches, in memory that is bounded whatever the scores are.
final class MatchCandidates: Sendable {
  /// Words taken by `take`, and room for their exact scores.
  let chosen: MatrixView<UInt32>
  let exact: MatrixView<Float>

  private let topN: Int
  private let words: MatrixView<UInt32>
  private let scores: MatrixView<Float>
  /// The best approximate scores of each row, falling.
  private let best: MatrixView<Float>
  /// Candidates, best scores kept, and in row 0 column 2 the words taken.
  private let counts: MatrixView<Int32>

  /// Candidates of a row: a full row is settled, which costs time but nothing else.
  private static let capacity = 4096

  /// Room for the candidates of `rows` patches.
  init(rows: Int, topN: Int) throws(FileError) {
    self.topN = topN
    words = try MatrixView(rows: rows, columns: Self.capacity)
    scores = try MatrixView(rows: rows, columns: Self.capacity)
    best = try MatrixView(rows: rows, columns: topN)
    counts = try MatrixView(rows: rows, columns: 3)
    chosen = try MatrixView(rows: 1, columns: Self.capacity)
    exact = try MatrixView(rows: 1, columns: Self.capacity)
  }

  /// Forgets all rows.
  func clear() { counts.fill(0) }

  /// Forgets a row's candidates, not its best scores.
  func clear(_ row: Int) { counts[row, 0] = 0 }

  /// True when a row has no room for another word.
  func isFull(_ row: Int) -> Bool { Int(counts[row, 0]) == Self.capacity }

  /// The n-th best approximate score of a row so far.
  func limit(_ row: Int) -> Float {
    Int(counts[row, 1]) == topN ? best[row, topN - 1] : -.infinity
  }

  /// Adds a word.
  ///
  /// - Precondition: the row is not full.
  func add(_ word: UInt32, _ score: Float, row: Int) {
    let count = Int(counts[row, 0])
    words[row, count] = word
    scores[row, count] = score
    counts[row, 0] = Int32(count + 1)
    var place = Int(counts[row, 1])
    if place == topN {
      guard score > best[row, topN - 1] else { return }
      place -= 1
    } else {
      counts[row, 1] += 1
    }
    while place > 0, best[row, place - 1] < score {
      best[row, place] = best[row, place - 1]
      place -= 1
    }
    best[row, place] = score
  }

  /// Words taken last.
  var taken: Int { Int(counts[0, 2]) }

  /// Puts the words of a row whose approximate scores fit into `chosen`.
  func take(_ row: Int, where fits: (Float) -> Bool) {
    var count = 0
    for index in 0..<Int(counts[row, 0]) where fits(scores[row, index]) {
      chosen[0, count] = words[row, index]
      count += 1
    }
    counts[0, 2] = Int32(count)
  }
}
