// SPDX-License-Identifier: Apache-2.0
// SigLIP's loss over all pairs of pictures and texts.

import Glibc
package import SEATensor

/// What a sigmoid loss found.
package struct SigmoidLossResult: Sendable, Equatable {
  package var loss = 0.0
  /// dL/d p, where the scale is exp(p).
  package var logScaleGradient = 0.0
  /// dL/d bias.
  package var biasGradient = 0.0
}

/// Every pair is judged alone: l_ij = cos(x_i, t_j) · exp(p) + bias, z_ij = 1 for partners, else -1.
///
///     loss = -1/pairs · Σ_ij log σ(z_ij l_ij)      dl_ij = -z_ij σ(-z_ij l_ij) / pairs
///
/// Gradients are added to `dx` and `dt`.
package struct SigmoidLoss {
  private let execution: TrainingExecution

  /// A loss on an execution.
  package init(on execution: TrainingExecution) { self.execution = execution }

  /// Loss and gradients of `[pairs, width]` rows.
  ///
  /// - Throws: `LayerError.input` for other shapes, `.file` when memory cannot be had.
  package func run(
    _ x: MatrixView<Float>,
    _ t: MatrixView<Float>,
    logScale: Float,
    bias: Float,
    dx: MatrixView<Float>?,
    dt: MatrixView<Float>?
  ) throws(LayerError) -> SigmoidLossResult {
    guard x.rows == t.rows, x.columns == t.columns, x.rows > 0 else {
      throw .input(
        what: "the partners' shape",
        found: "\(t.rows)×\(t.columns)",
        expected: "\(x.rows)×\(x.columns) with at least one row"
      )
    }
    let pairs = x.rows
    let scale = Float(exp(Double(logScale)))
    let units = (x: try UnitRows(x, on: execution), t: try UnitRows(t, on: execution))
    let g: MatrixView<Float> = try allocate(rows: pairs, columns: pairs)
    let rowSums: MatrixView<Double> = try allocate(rows: pairs, columns: 3)
    execution.multiply(
      ProductOperand(units.x.values),
      ProductOperand(units.t.values, transposed: true),
      into: g,
      isExact: true
    )
    execution.share(pairs) { rows in
      for row in rows {
        var (loss, slope, shift) = (0.0, 0.0, 0.0)
        g.withRow(row) { (values: consuming MutableSpan<Float>) in
          for column in values.indices {
            let cosine = values[column]
            let z: Double = column == row ? 1 : -1
            let margin = z * Double(cosine * scale + bias)
            // -log σ(m) = log(1 + exp(-m)) without overflow.
            let e = exp(-abs(margin))
            loss += max(-margin, 0) + log1p(e)
            let missed = margin >= 0 ? e / (1 + e) : 1 / (1 + e)
            let d = -z * missed / Double(pairs)
            slope += d * Double(cosine * scale)
            shift += d
            values[column] = Float(d)
          }
        }
        rowSums[row, 0] = loss
        rowSums[row, 1] = slope
        rowSums[row, 2] = shift
      }
    }
    var result = SigmoidLossResult()
    for row in 0..<pairs {
      result.loss += rowSums[row, 0] / Double(pairs)
      result.logScaleGradient += rowSums[row, 1]
      result.biasGradient += rowSums[row, 2]
    }
    let room: MatrixView<Float> = try allocate(rows: pairs, columns: x.columns)
    if let dx {
      execution.multiply(
        ProductOperand(g),
        ProductOperand(units.t.values),
        into: room,
        isExact: true
      )
      try units.x.backward(room, times: scale, addingTo: dx, on: execution)
    }
    if let dt {
      execution.multiply(
        ProductOperand(g, transposed: true),
        ProductOperand(units.x.values),
        into: room,
        isExact: true
      )
      try units.t.backward(room, times: scale, addingTo: dt, on: execution)
    }
    return result
  }
}
