// SPDX-License-Identifier: Apache-2.0
// Frozen int8 weights: an int8 product forward, weights widened block by block backward.

import SEATensor

extension Linear {
  /// `y = x wᵀ` as the runtime computes it: activations quantised per row and group.
  func multiply(
    _ x: MatrixView<Float>,
    _ w: PackedMatrix,
    into y: MatrixView<Float>,
    accumulates: Bool,
    _ context: LayerContext
  ) throws(LayerError) {
    let execution = context.execution
    let kernels = execution.kernels.inference
    let space = context.workspace
    let (groups, rows) = (w.groups, x.rows)
    // An odd number of cache lines between rows: the rows of a tile lie in different cache sets.
    let stride = ((groups * w.group + 63) / 64 | 1) * 64
    let codes: MatrixView<Int8> = try space.matrix("int8.codes", rows: rows, columns: stride)
    let activations = PackedActivations(
      codes: codes.columns(0..<groups * w.group),
      scales: try space.matrix("int8.scales", rows: rows, columns: groups),
      sums: try space.matrix("int8.sums", rows: rows, columns: groups)
    )
    execution.share(rows, grain: 16) {
      kernels.quantize(x.rows($0), group: w.group, into: activations.rows($0))
    }
    let target = accumulates ? try space.floats("int8.y", rows, w.rows) : y
    execution.share(w.panels) { panels in
      kernels.multiply(activations, w, panels: panels, bias: nil, into: target)
      guard accumulates else { return }
      let columns =
        panels.lowerBound
        * PackedMatrix.panelRows..<min(
          panels.upperBound * PackedMatrix.panelRows,
          w.rows
        )
      kernels.add(target.columns(columns), to: y.columns(columns))
    }
  }

  /// `dx = dy w` with the weights widened to the precision of products, 512×512 at a time.
  func multiplyBack(
    _ dy: MatrixView<Float>,
    _ w: PackedMatrix,
    into dx: MatrixView<Float>,
    accumulates: Bool,
    _ context: LayerContext
  ) throws(LayerError) {
    let execution = context.execution
    let side = 512
    let workers = execution.pool.threads
    let isRounded = execution.precision == .bfloat16
    let halves: MatrixView<UInt16> = try context.workspace.matrix(
      "int8.halves",
      rows: isRounded ? workers * side : 0,
      columns: side
    )
    let floats: MatrixView<Float> = try context.workspace.matrix(
      "int8.floats",
      rows: isRounded ? 0 : workers * side,
      columns: side
    )
    let pieces = (w.columns + side - 1) / side
    execution.parallel(pieces) { piece, worker in
      let columns = piece * side..<min((piece + 1) * side, w.columns)
      let target = dx.columns(columns)
      for start in stride(from: 0, to: w.rows, by: side) {
        let rows = start..<min(start + side, w.rows)
        let place = worker * side..<worker * side + rows.count
        let operand: ProductOperand
        if isRounded {
          let block = halves.rows(place).columns(0..<columns.count)
          execution.kernels.unpack(w, rows: rows, columns: columns, into: block)
          operand = ProductOperand(block)
        } else {
          let block = floats.rows(place).columns(0..<columns.count)
          execution.kernels.unpack(w, rows: rows, columns: columns, into: block)
          operand = ProductOperand(block)
        }
        execution.multiplyAlone(
          ProductOperand(dy.columns(rows)),
          operand,
          into: target,
          accumulates: accumulates || start > 0,
          worker: worker
        )
      }
    }
  }
}
