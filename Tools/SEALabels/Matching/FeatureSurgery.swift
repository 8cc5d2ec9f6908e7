// SPDX-License-Identifier: Apache-2.0
// Words as they stand for one picture: weighed by it, without what all of them share.

import Glibc
package import SEARuntime
package import SEATensor

/// Takes from the score of every word what is redundant in a picture.
///
/// With c the picture, v a patch and t_j the words, all of length 1:
///
/// `w_j = T · exp(2 c·t_j) / Σ_k exp(2 c·t_k)`, `score_j = w_j v·t_j − mean_k(w_k v·t_k)`.
///
/// That is the product of v with `w_j t_j − mean_k(w_k t_k)`, so words are changed once a picture and
/// matched as ever. The mean of the elementwise products that the method subtracts sums to the same.
///
/// - Source: reference.md G.2; CLIP Surgery, feature surgery.
package struct FeatureSurgery: Sendable {
  private let words: WordMatrix
  private let topN: Int
  private let execution: Execution

  /// What cosines with the picture are multiplied with before their exponential.
  private static let sharpness = 2.0

  /// Surgery on some words.
  package init(_ words: WordMatrix, topN: Int, on execution: Execution) {
    self.words = words
    self.topN = topN
    self.execution = execution
  }

  /// The best words of every patch of a picture.
  ///
  /// - Parameters:
  ///   - patches: `[patches, joint]`, rows of length 1.
  ///   - picture: `[1, joint]`, of length 1.
  /// - Returns: for each patch words by falling score, of equal scores the lower index first; none
  ///   that is not above 0.
  /// - Throws: `FileError.outOfMemory`, `WeightError`.
  /// - Complexity: packs all words, beside matching them.
  package func match(
    _ patches: MatrixView<Float>,
    picture: MatrixView<Float>
  ) throws -> [[PatchLabel]] {
    let (rows, length) = try changed(picture)
    let matrix = try WordMatrix(rows, pool: execution.pool)
    let found = try Matcher(matrix, topN: topN, on: execution).match(patches, sign: .positive)
    return found.labels.map { patch in
      patch.map { PatchLabel(word: $0.word, score: $0.score * length) }
    }
  }

  /// The changed words, scaled so that the longest has length 1, and its length.
  private func changed(
    _ picture: MatrixView<Float>
  ) throws -> (rows: MatrixView<Float>, length: Float) {
    let (count, width) = (words.count, words.width)
    let cosines = try MatrixView<Float>(rows: 1, columns: count)
    execution.kernels.multiply(picture, words.exact, rows: 0..<count, bias: nil, into: cosines)
    let masses = cosines.array().map { exp(Self.sharpness * Double($0)) }
    let total = masses.reduce(0, +)
    let rows = try MatrixView<Float>(rows: count, columns: width)
    var mean = [Double](repeating: 0, count: width)
    for word in 0..<count {
      let row = rows.rows(word..<word + 1)
      execution.kernels.unpack(words.exact, row: word, into: row)
      execution.kernels.scale(row, by: Float(Double(count) * masses[word] / total))
      row.withRow(0) { values in
        for index in 0..<values.count { mean[index] += Double(values[index]) }
      }
    }
    let shared = mean.map { Float($0 / Double(count)) }
    var longest = 0.0
    for word in 0..<count {
      let sum = rows.withRow(word) { values in
        var values = values
        var sum = 0.0
        for index in 0..<values.count {
          values[index] -= shared[index]
          sum += Double(values[index]) * Double(values[index])
        }
        return sum
      }
      longest = max(longest, sum.squareRoot())
    }
    // A single word shares all of itself: nothing is left to score.
    guard longest > 0 else { return (rows, 0) }
    execution.kernels.scale(rows, by: Float(1 / longest))
    return (rows, Float(longest))
  }
}
