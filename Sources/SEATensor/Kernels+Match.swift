// SPDX-License-Identifier: Apache-2.0
// Kernels for finding the best of many rows: scores above a threshold, products with chosen rows.

internal import CSIMD

extension PackedMatrix {
  /// The panels of `range` as a matrix of their own.
  ///
  /// - Precondition: `range` is not empty and lies within the panels.
  package func panels(_ range: Range<Int>) -> PackedMatrix {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= panels && !range.isEmpty,
      "panels \(range) of \(panels)"
    )
    let size = bytes.count / panels
    return PackedMatrix(
      part: bytes.slice(range.lowerBound * size..<range.upperBound * size),
      rows: min(range.upperBound * Self.panelRows, rows) - range.lowerBound * Self.panelRows,
      columns: columns,
      group: group
    )
  }
}

extension Kernels {
  /// Finds the scores that exceed their row's threshold.
  ///
  /// - Parameters:
  ///   - x: `[rows, columns]` scores.
  ///   - thresholds: one value a row.
  ///   - positions: room for `rows · columns` values; receives `row · columns + column`, ascending.
  /// - Returns: how many positions were written.
  package func select(
    _ x: MatrixView<Float>,
    above thresholds: MatrixView<Float>,
    into positions: MatrixView<UInt32>
  ) -> Int {
    precondition(
      thresholds.rows == 1 && thresholds.columns >= x.rows && positions.rows == 1
        && positions.columns >= x.rows * x.columns && positions.columns < 1 << 32,
      "thresholds or room do not fit \(x.rows)×\(x.columns) scores"
    )
    return unsafe table.pointee.select_above(
      x.base,
      x.stride,
      x.rows,
      x.columns,
      thresholds.base,
      positions.base
    )
  }

  /// `y[i] = Σ x[k] · w[rows[i], k]`, with the bits of the f32 matrix product.
  ///
  /// - Parameters:
  ///   - x: `[1, columns]`.
  ///   - w: f32 weights.
  ///   - rows: rows of `w` to multiply with, the first `y.columns` values are used.
  ///   - y: `[1, count]`.
  package func multiply(
    _ x: MatrixView<Float>,
    _ w: PlainMatrix,
    chosen rows: MatrixView<UInt32>,
    into y: MatrixView<Float>
  ) {
    precondition(
      x.rows == 1 && x.columns == w.columns && y.rows == 1 && rows.rows == 1
        && rows.columns >= y.columns && w.storage == .float32,
      "a row of \(x.columns) values does not fit \(w.rows)×\(w.columns)"
    )
    for index in 0..<y.columns {
      precondition(Int(rows[0, index]) < w.rows, "row \(rows[0, index]) of \(w.rows)")
    }
    guard y.columns > 0 else { return }
    unsafe table.pointee.dot_rows(
      x.base,
      w.bytes.address.assumingMemoryBound(to: Float.self),
      w.columns,
      rows.base,
      y.columns,
      y.base
    )
  }
}
