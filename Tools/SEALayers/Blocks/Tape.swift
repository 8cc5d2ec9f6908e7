// SPDX-License-Identifier: Apache-2.0
// What the forward pass of a block leaves for its backward pass.

package import SEATensor

/// Rows of the widest activations: f32, or bf16 where products round to bf16 anyway.
package enum WideRows {
  case float32(MatrixView<Float>)
  case bfloat16(MatrixView<UInt16>)

  /// Memory for values that a layer writes: the rows themselves where they are f32, else scratch whose
  /// content `keep` rounds.
  func writable(
    _ name: String,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    switch self {
    case .float32(let rows): rows
    case .bfloat16(let rows): try context.workspace.floats(name, rows.rows, rows.columns)
    }
  }

  /// Takes over what was written to `writable`.
  func keep(_ values: MatrixView<Float>, _ context: LayerContext) {
    guard case .bfloat16(let rows) = self else { return }
    let kernels = context.execution.kernels.inference
    context.execution.share(rows.rows, grain: 8) {
      kernels.convert(values.rows($0), toBFloat16: rows.rows($0))
    }
  }

  /// The values in memory that may be overwritten: the tape is used up by this.
  func taken(_ name: String, _ context: LayerContext) throws(LayerError) -> MatrixView<Float> {
    guard case .bfloat16(let rows) = self else { return try writable(name, context) }
    let kernels = context.execution.kernels
    let values = try context.workspace.floats(name, rows.rows, rows.columns)
    context.execution.share(rows.rows, grain: 8) {
      kernels.widen(rows.rows($0), into: values.rows($0))
    }
    return values
  }
}

/// Saved activations of one block.
package struct BlockTape {
  /// Queries, keys and values as attention sees them, and what it made of them.
  let q: MatrixView<Float>
  let k: MatrixView<Float>
  let v: MatrixView<Float>
  let attended: MatrixView<Float>
  let statistics: AttentionStatistics
  /// The residual stream between attention and MLP.
  let middle: MatrixView<Float>
  /// What the MLP's activation is applied to.
  let gate: WideRows
  /// What the activation multiplies; nil: the MLP has no gate.
  let up: WideRows?

  /// Room for a block.
  ///
  /// - Parameters:
  ///   - block: decides the widths.
  ///   - rows: positions of all sequences.
  ///   - outputs: positions that go on after attention.
  ///   - name: distinguishes tapes in the workspace.
  ///   - context: workspace, and the precision that decides how wide rows are kept.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package init(
    for block: TransformerBlock,
    rows: Int,
    outputs: Int,
    name: String,
    _ context: LayerContext
  ) throws(LayerError) {
    let space = context.workspace
    let shape = block.attention.shape
    q = try space.floats("\(name).q", rows, shape.queryWidth)
    k = try space.floats("\(name).k", rows, shape.kvWidth)
    v = try space.floats("\(name).v", rows, shape.kvWidth)
    attended = try space.floats("\(name).attended", rows, shape.queryWidth)
    statistics = AttentionStatistics(
      maxima: try space.floats("\(name).maxima", shape.heads, rows),
      inverses: try space.floats("\(name).inverses", shape.heads, rows)
    )
    middle = try space.floats("\(name).middle", outputs, block.hidden)
    func wide(_ part: String) throws(LayerError) -> WideRows {
      let width = block.mlp.width
      return context.execution.precision == .bfloat16
        ? .bfloat16(try space.matrix("\(name).\(part)", rows: outputs, columns: width))
        : .float32(try space.floats("\(name).\(part)", outputs, width))
    }
    gate = try wide("gate")
    up = block.mlp.isGated ? try wide("up") : nil
  }

  /// Bytes that the tape of one block takes.
  package static func byteCount(
    for block: TransformerBlock,
    rows: Int,
    precision: ProductPrecision
  ) -> Int {
    let shape = block.attention.shape
    let wide = block.mlp.width * (block.mlp.isGated ? 2 : 1) * (precision == .bfloat16 ? 2 : 4)
    let narrow = 2 * shape.queryWidth + 2 * shape.kvWidth + block.hidden + 2 * shape.heads
    return rows * (narrow * 4 + wide)
  }
}
