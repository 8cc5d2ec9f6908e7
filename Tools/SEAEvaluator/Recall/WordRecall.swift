// SPDX-License-Identifier: Apache-2.0
// The word that each visual token means: the nearest by cosine, a tile of words at a time.

package import SEARuntime
package import SEATensor

/// Words of every token, the nearest first.
package struct RecalledWords: Sendable {
  /// A word and its cosine.
  package struct Match: Sendable, Equatable {
    /// Index in the words.
    package let word: Int
    package let cosine: Float
  }

  /// `[tokens]`, each at most the number that was asked for; empty where nothing can be compared.
  package let matches: [[Match]]

  /// The nearest word of a token, or nil where there is none.
  package func first(_ token: Int) -> Int? { matches[token].first?.word }
}

/// Finds the nearest words of visual tokens.
///
/// Words × hidden is never held: 1,024 rows of it are, whatever the number of words.
///
/// - Source: reference.md J.1 (v1 figures 1 and 2, v2 equation 4).
package struct WordRecall {
  private let words: RecallWords
  private let table: EmbeddingTable
  private let count: Int
  private let execution: Execution

  /// Words of a tile.
  private static let tile = 1024
  /// Most words of a token.
  package static let maximumCount = 1000

  /// A search for the `count` nearest words.
  ///
  /// - Precondition: `count` is in 1...`maximumCount`.
  package init(
    _ words: RecallWords,
    in table: EmbeddingTable,
    count: Int,
    on execution: Execution
  ) {
    precondition((1...Self.maximumCount).contains(count), "\(count) words a token")
    self.words = words
    self.table = table
    self.count = count
    self.execution = execution
  }

  /// The nearest words of some visual tokens.
  ///
  /// - Parameters:
  ///   - tokens: `[tokens, hidden]`, as the adapter leaves them.
  ///   - progress: words done of all; may throw to stop.
  /// - Returns: words by falling cosine, of equal ones the lower index first; the same for any number
  ///   of threads.
  /// - Throws: `RuntimeError`, or what `progress` throws.
  /// - Complexity: `tokens · words · hidden` multiply-adds.
  package func find(
    _ tokens: MatrixView<Float>,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> RecalledWords {
    precondition(tokens.columns == table.weight.columns, "tokens and words are of different spaces")
    let directions = try MatrixView<Float>(rows: tokens.rows, columns: tokens.columns)
    directions.copy(from: tokens)
    directions.scaleToUnitLength(with: execution.kernels)
    let best = try BestWords(tokens: tokens.rows, count: min(count, words.count))
    let rows = try MatrixView<Float>(rows: Self.tile, columns: tokens.columns)
    let part = try MatrixView<Float>(rows: 1, columns: tokens.columns)
    let scores = try MatrixView<Float>(rows: tokens.rows, columns: Self.tile)
    var first = 0
    while first < words.count {
      let range = first..<min(first + Self.tile, words.count)
      let tile = rows.rows(0..<range.count)
      try words.fill(range, from: table, into: tile, part: part, with: execution.kernels)
      let product = RecallProduct(
        kernels: execution.kernels,
        tokens: directions,
        words: tile,
        scores: scores.columns(0..<range.count)
      )
      execution.pool.run(product, pieces: product.pieces)
      let selection = RecallSelection(first: first, scores: product.scores, best: best)
      execution.pool.run(selection, pieces: tokens.rows)
      first = range.upperBound
      try progress(first, words.count)
    }
    return RecalledWords(
      matches: (0..<tokens.rows).map { token in
        // A token without a direction is near to nothing.
        let isSound = directions.withRow(token) { values in
          for index in 0..<values.count where values[index] != 0 { return true }
          return false
        }
        return isSound ? best.matches(token) : []
      }
    )
  }
}

/// The best words so far; each row belongs to one thread at a time.
private struct BestWords: Sendable {
  let indices: MatrixView<UInt32>
  let cosines: MatrixView<Float>
  let counts: MatrixView<Int32>

  init(tokens: Int, count: Int) throws(FileError) {
    indices = try MatrixView(rows: tokens, columns: count)
    cosines = try MatrixView(rows: tokens, columns: count)
    counts = try MatrixView(rows: tokens, columns: 1)
  }

  func matches(_ token: Int) -> [RecalledWords.Match] {
    (0..<Int(counts[token, 0])).map {
      RecalledWords.Match(word: Int(indices[token, $0]), cosine: cosines[token, $0])
    }
  }

  /// What a later word must exceed to be among the best.
  func limit(_ token: Int) -> Float {
    let last = indices.columns - 1
    return Int(counts[token, 0]) > last ? cosines[token, last] : -.infinity
  }

  /// Puts a word in its place; words come by rising index, so an equal one stands behind.
  func insert(_ word: Int, _ cosine: Float, token: Int) {
    var place = Int(counts[token, 0])
    if place == indices.columns { place -= 1 } else { counts[token, 0] += 1 }
    while place > 0, cosines[token, place - 1] < cosine {
      indices[token, place] = indices[token, place - 1]
      cosines[token, place] = cosines[token, place - 1]
      place -= 1
    }
    indices[token, place] = UInt32(word)
    cosines[token, place] = cosine
  }
}

/// Cosines of all tokens with 64 words a piece.
private struct RecallProduct: ParallelWork {
  let kernels: Kernels
  let tokens: MatrixView<Float>
  let words: MatrixView<Float>
  let scores: MatrixView<Float>

  private static let words = 64

  var pieces: Int { (words.rows + Self.words - 1) / Self.words }

  func run(piece: Int, worker: Int) {
    let range = piece * Self.words..<min((piece + 1) * Self.words, words.rows)
    kernels.multiply(tokens, words.rows(range), bias: nil, into: scores.columns(range))
  }
}

/// The best of a tile for one token a piece.
private struct RecallSelection: ParallelWork {
  /// Index of the tile's first word.
  let first: Int
  let scores: MatrixView<Float>
  let best: BestWords

  func run(piece: Int, worker: Int) {
    var limit = best.limit(piece)
    scores.withRow(piece) { row in
      for index in 0..<row.count where row[index] > limit {
        best.insert(first + index, row[index], token: piece)
        limit = best.limit(piece)
      }
    }
  }
}
