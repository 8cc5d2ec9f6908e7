// SPDX-License-Identifier: Apache-2.0
// Rows divided by their lengths, as cosine similarities need them.

import SEATensor

/// Unit rows and the lengths that they were divided by (at least 1e-8, as PyTorch has it).
struct UnitRows {
  /// `[rows, width]`.
  let values: MatrixView<Float>
  private let inverses: [Float]

  /// The rows of `x`, divided.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  init(_ x: MatrixView<Float>, on execution: TrainingExecution) throws(LayerError) {
    let kernels = execution.kernels
    let squares: MatrixView<Float> = try allocate(rows: 1, columns: x.rows)
    let values: MatrixView<Float> = try allocate(rows: x.rows, columns: x.columns)
    kernels.rowProducts(x, x, into: squares)
    let inverses = (0..<x.rows).map { Float(1 / max(Double(squares[0, $0]).squareRoot(), 1e-8)) }
    execution.share(x.rows, grain: 8) { rows in
      for row in rows {
        let unit = values.rows(row..<row + 1)
        unit.copy(from: x.rows(row..<row + 1))
        kernels.inference.scale(unit, by: inverses[row])
      }
    }
    self.values = values
    self.inverses = inverses
  }

  /// Adds `factor` times the gradient of the undivided rows to `dx`; `d` is that of the unit rows, in
  /// place.
  ///
  ///     dx += factor · (d - unit · (unit · d)) / length
  func backward(
    _ d: MatrixView<Float>,
    times factor: Float,
    addingTo dx: MatrixView<Float>,
    on execution: TrainingExecution
  ) throws(LayerError) {
    let kernels = execution.kernels
    let products: MatrixView<Float> = try allocate(rows: 1, columns: d.rows)
    kernels.rowProducts(values, d, into: products)
    let (values, inverses) = (values, inverses)
    execution.share(d.rows, grain: 8) { rows in
      for row in rows {
        let own = row..<row + 1
        kernels.add(values.rows(own), times: -products[0, row], to: d.rows(own))
        kernels.add(d.rows(own), times: factor * inverses[row], to: dx.rows(own))
      }
    }
  }
}
