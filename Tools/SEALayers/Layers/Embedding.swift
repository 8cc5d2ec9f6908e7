// SPDX-License-Identifier: Apache-2.0
// Rows of a table.

package import SEATensor

/// `row = scale · table[id]`; the table's gradient accumulates.
package struct Embedding {
  /// `[vocab, width]`.
  package let table: Parameter
  /// Multiplies every row that is looked up.
  package let scale: Float

  /// A table and what multiplies its rows.
  package init(table: Parameter, scale: Float = 1) {
    self.table = table
    self.scale = scale
  }

  /// Writes the row of `ids[i]` into row `places[i]` of `rows`.
  ///
  /// - Throws: `LayerError.token` for an id outside the table.
  package func forward(
    _ ids: [Int32],
    at places: [Int],
    of rows: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let kernels = context.execution.kernels
    for (id, place) in zip(ids, places) {
      let index = Int(id)
      guard index >= 0, index < table.rows else { throw .token(id: index, vocab: table.rows) }
      let row = rows.rows(place..<place + 1)
      switch table.values {
      case .float32(let values): row.copy(from: values.rows(index..<index + 1))
      case .bfloat16(let values): kernels.widen(values.rows(index..<index + 1), into: row)
      case .int8(let packed): packed.unpack(row: index, into: row)
      }
      if scale != 1 { kernels.inference.scale(row, by: scale) }
    }
  }

  /// `dtable[ids[i]] += scale · gradient[places[i]]`, in order of `i`.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func backward(
    _ ids: [Int32],
    at places: [Int],
    of gradient: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    guard table.isTrained else { return }
    let execution = context.execution
    let target = try table.requireGradient()
    execution.share((target.columns + 63) / 64, grain: 2) { range in
      let columns = range.lowerBound * 64..<min(range.upperBound * 64, target.columns)
      for (id, place) in zip(ids, places) {
        execution.kernels.add(
          gradient.rows(place..<place + 1).columns(columns),
          times: scale,
          to: target.rows(Int(id)..<Int(id) + 1).columns(columns)
        )
      }
    }
  }
}
