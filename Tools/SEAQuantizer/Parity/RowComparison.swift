// SPDX-License-Identifier: Apache-2.0
// Two matrices of activations, compared row by row.

import SEAFormat
import SEATensor

/// Cosines of the rows of two matrices.
package struct RowComparison: Sendable, Equatable {
  /// Mean over the rows.
  package let meanCosine: Double
  /// The worst row's.
  package let worstCosine: Double

  /// Compares equally shaped matrices; a row with a value that is not finite has cosine 0.
  init(_ source: MatrixView<Float>, _ file: MatrixView<Float>) {
    precondition(source.rows == file.rows && source.columns == file.columns, "shapes differ")
    var sum = 0.0
    var worst = 1.0
    for row in 0..<source.rows {
      let cosine = Self.cosine(source, file, row: row)
      sum += cosine
      worst = min(worst, cosine)
    }
    meanCosine = source.rows == 0 ? 1 : sum / Double(source.rows)
    worstCosine = worst
  }

  static func cosine(
    _ source: MatrixView<Float>,
    _ file: MatrixView<Float>,
    row: Int
  ) -> Double {
    var (dot, left, right) = (0.0, 0.0, 0.0)
    source.withRow(row) { source in
      let source = source.span
      file.withRow(row) { file in
        for index in source.indices {
          let (one, other) = (Double(source[index]), Double(file[index]))
          dot += one * other
          left += one * one
          right += other * other
        }
      }
    }
    guard dot.isFinite, left.isFinite, right.isFinite else { return 0 }
    let norms = (left * right).squareRoot()
    return norms > 0 ? min(1, dot / norms) : (left == right ? 1 : 0)
  }

  /// The two numbers as JSON.
  var json: JSONValue {
    [
      "mean_cosine": .number(JSONNumber(meanCosine)),
      "worst_cosine": .number(JSONNumber(worstCosine)),
    ]
  }
}
