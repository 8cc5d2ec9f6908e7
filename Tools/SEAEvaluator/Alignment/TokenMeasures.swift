// SPDX-License-Identifier: Apache-2.0
// How near visual tokens are to a language model's words: distances to all, cosines with a caption.

package import SEARuntime
package import SEATensor

/// Distances and cosines of visual tokens in the space of an embedding table.
package struct TokenMeasures {
  private let words: RecallWords
  private let table: EmbeddingTable
  private let execution: Execution

  /// Words of a tile.
  private static let tile = 1024

  /// Measures against some words of a table.
  package init(_ words: RecallWords, in table: EmbeddingTable, on execution: Execution) {
    self.words = words
    self.table = table
    self.execution = execution
  }

  // MARK: - Distances

  /// The Euclidean distance of each token to the nearest word.
  ///
  ///     distance(v) = min over w of ‖v − Ψ(w)‖, Ψ(w) the mean of the word's rows
  ///
  /// - Parameter tokens: `[tokens, hidden]`, as the adapter leaves them.
  /// - Returns: one distance a token; the same for any number of threads.
  /// - Throws: `RuntimeError`.
  /// - Source: v2 equation 5; reference.md J.4.
  package func distances(_ tokens: MatrixView<Float>) throws -> [Double] {
    precondition(tokens.columns == table.weight.columns, "tokens and words are of different spaces")
    var nearest = [Double](repeating: .infinity, count: tokens.rows)
    try visitMeans { means in
      let search = DistanceSearch(
        kernels: execution.kernels,
        tokens: tokens,
        means: means,
        scores: try MatrixView(rows: tokens.rows, columns: means.rows),
        norms: (0..<means.rows).map { Self.square(means, row: $0) },
        found: try MatrixView(rows: tokens.rows, columns: 1)
      )
      execution.pool.run(search, pieces: search.pieces)
      for token in 0..<tokens.rows {
        nearest[token] = min(nearest[token], search.found[token, 0])
      }
    }
    return nearest
  }

  /// The mean length of the words' means: distances say little where lengths differ much.
  ///
  /// - Throws: `RuntimeError`.
  package func meanWordNorm() throws -> Double {
    var sum = 0.0
    try visitMeans { means in
      for row in 0..<means.rows { sum += Self.square(means, row: row).squareRoot() }
    }
    return words.count == 0 ? 0 : sum / Double(words.count)
  }

  /// The mean length of some rows.
  package static func meanNorm(_ rows: MatrixView<Float>) -> Double {
    guard rows.rows > 0 else { return 0 }
    return (0..<rows.rows).reduce(0) { $0 + square(rows, row: $1).squareRoot() }
      / Double(rows.rows)
  }

  static func square(_ rows: MatrixView<Float>, row: Int) -> Double {
    rows.withRow(row) { values in
      var sum = 0.0
      for index in 0..<values.count { sum += Double(values[index]) * Double(values[index]) }
      return sum
    }
  }

  private func visitMeans(_ body: (MatrixView<Float>) throws -> Void) throws {
    let rows = try MatrixView<Float>(rows: Self.tile, columns: table.weight.columns)
    let part = try MatrixView<Float>(rows: 1, columns: table.weight.columns)
    for first in stride(from: 0, to: words.count, by: Self.tile) {
      let range = first..<min(first + Self.tile, words.count)
      let tile = rows.rows(0..<range.count)
      try words.fill(means: range, from: table, into: tile, part: part, with: execution.kernels)
      try body(tile)
    }
  }

  // MARK: - Caption

  /// How well a caption's tokens are found among a picture's.
  ///
  /// For each visual token the largest cosine with a row of the caption's tokens; of these the mean of
  /// the `count` largest.
  ///
  /// - Parameters:
  ///   - tokens: `[tokens, hidden]`, of one picture.
  ///   - caption: the caption's token ids.
  ///   - count: how many are averaged; fewer where there are fewer tokens.
  /// - Returns: the score, or nil without tokens or ids.
  /// - Throws: `RuntimeError`.
  /// - Source: v2 equations 14 and 17; reference.md J.5.
  package func captionScore(
    _ tokens: MatrixView<Float>,
    caption: [Int32],
    count: Int = 10
  ) throws -> Double? {
    guard tokens.rows > 0, !caption.isEmpty, count > 0 else { return nil }
    let rows = try MatrixView<Float>(rows: caption.count, columns: tokens.columns)
    for (index, id) in caption.enumerated() {
      try table.look(up: id, into: rows.rows(index..<index + 1), with: execution.kernels)
    }
    rows.scaleToUnitLength(with: execution.kernels)
    let directions = try MatrixView<Float>(rows: tokens.rows, columns: tokens.columns)
    directions.copy(from: tokens)
    directions.scaleToUnitLength(with: execution.kernels)
    let cosines = try MatrixView<Float>(rows: tokens.rows, columns: rows.rows)
    execution.kernels.multiply(directions, rows, bias: nil, into: cosines)
    let best = (0..<tokens.rows).map { token in
      cosines.withRow(token) { values in
        var best = -Double.infinity
        for index in 0..<values.count { best = max(best, Double(values[index])) }
        return best
      }
    }
    let largest = best.sorted(by: >).prefix(count)
    return largest.reduce(0, +) / Double(largest.count)
  }
}

/// Distances of some tokens to the words of a tile; the nearest is measured again without cancellation.
private struct DistanceSearch: ParallelWork {
  let kernels: Kernels
  let tokens: MatrixView<Float>
  let means: MatrixView<Float>
  let scores: MatrixView<Float>
  /// ‖Ψ‖² of each word.
  let norms: [Double]
  /// `[tokens, 1]`.
  let found: MatrixView<Double>

  private static let tokens = 16

  var pieces: Int { (tokens.rows + Self.tokens - 1) / Self.tokens }

  func run(piece: Int, worker: Int) {
    let range = piece * Self.tokens..<min((piece + 1) * Self.tokens, tokens.rows)
    kernels.multiply(tokens.rows(range), means, bias: nil, into: scores.rows(range))
    for token in range {
      let nearest = scores.withRow(token) { products in
        // ‖v − w‖² = ‖v‖² + ‖w‖² − 2 v·w; the first term is the same for all words.
        var best = (word: 0, value: Double.infinity)
        for word in 0..<products.count {
          let value = norms[word] - 2 * Double(products[word])
          if value < best.value { best = (word, value) }
        }
        return best.word
      }
      found[token, 0] = tokens.withRow(token) { values in
        means.withRow(nearest) { mean in
          var sum = 0.0
          for index in 0..<values.count {
            let difference = Double(values[index]) - Double(mean[index])
            sum += difference * difference
          }
          return sum.squareRoot()
        }
      }
    }
  }
}
