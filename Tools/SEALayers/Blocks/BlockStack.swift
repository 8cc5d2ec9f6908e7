// SPDX-License-Identifier: Apache-2.0
// Blocks one after the other, with activations kept or computed again.

package import SEATensor

/// The blocks of one part of a model.
package struct BlockStack {
  package let blocks: [TransformerBlock]
  /// Width of the residual stream.
  package let hidden: Int
  /// Distinguishes the stack's memory in a workspace.
  let name: String

  /// Blocks in order, perhaps none.
  package init(_ blocks: [TransformerBlock], hidden: Int, name: String) {
    self.blocks = blocks
    self.hidden = hidden
    self.name = name
  }

  /// Bytes that a forward and a backward pass hold in the workspace, without what attention and the
  /// caller need.
  package func byteCount(
    rows: Int,
    mode: ActivationMode,
    precision: ProductPrecision
  ) -> Int {
    guard let block = blocks.first else { return rows * hidden * 4 }
    let tapes = mode == .keep ? blocks.count : 1
    let tape = BlockTape.byteCount(for: block, rows: rows, precision: precision)
    let shape = block.attention.shape
    // Wide scratch: the activated rows and their gradient, and f32 copies of rows kept as bf16.
    let copies = precision == .bfloat16 ? (block.mlp.isGated ? 2 : 1) : 0
    let wide = (2 + copies) * block.mlp.width
    let parts = shape.group > 1 ? 2 * shape.queryWidth : 0
    let narrow = 3 * hidden + 2 * shape.queryWidth + 2 * shape.kvWidth + parts
    return tapes * tape + (blocks.count + 1) * rows * hidden * 4 + rows * (wide + narrow) * 4
  }

  /// Room for the stack's input, which the caller fills.
  func input(rows: Int, _ context: LayerContext) throws(LayerError) -> MatrixView<Float> {
    try state(0, rows, context)
  }

  /// The residual stream before block `index`, after the last block for their number.
  private func state(
    _ index: Int,
    _ rows: Int,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    try context.workspace.floats("\(name).state.\(index)", rows, hidden)
  }

  private func tape(
    _ index: Int,
    _ rows: Int,
    _ kept: RowChoice?,
    _ mode: ActivationMode,
    _ context: LayerContext
  ) throws(LayerError) -> BlockTape {
    try BlockTape(
      for: blocks[index],
      rows: rows,
      outputs: kept?.count ?? rows,
      name: "\(name).tape.\(mode == .keep ? index : 0)",
      context
    )
  }

  /// Runs all blocks on what `input` holds.
  ///
  /// - Parameters:
  ///   - rows: positions of all sequences.
  ///   - sequences: rows of each sequence.
  ///   - rotary: rotates queries and keys.
  ///   - mode: what is kept; without a backward pass to come, `.recompute` takes least memory.
  ///   - isFinal: no backward pass follows, so not even inputs are kept.
  ///   - kept: rows of the output that are wanted; nil: all. There must be a block.
  ///   - context: execution and workspace.
  /// - Returns: the last block's output, of the kept rows.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    rows: Int,
    sequences: [Range<Int>],
    rotary: Rotary? = nil,
    mode: ActivationMode,
    isFinal: Bool = false,
    kept: RowChoice? = nil,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    var x = try state(0, rows, context)
    for (index, block) in blocks.enumerated() {
      // Two states take turns where nothing is kept.
      let kept = index + 1 == blocks.count ? kept : nil
      let place = isFinal ? (index + 1) % 2 : index + 1
      let y = try state(place, kept?.count ?? rows, context)
      let tape = try tape(index, rows, kept, isFinal ? .recompute : mode, context)
      try block.forward(
        x,
        into: y,
        sequences: sequences,
        rotary: rotary,
        kept: kept,
        tape: tape,
        context
      )
      x = y
    }
    return x
  }

  /// Turns the gradient of the output in `d` into that of the input, block by block from the last.
  ///
  /// Where only some rows of the output were wanted, `kept` has their gradient and `d` is assigned.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ d: MatrixView<Float>,
    kept: KeptGradient? = nil,
    sequences: [Range<Int>],
    rotary: Rotary? = nil,
    mode: ActivationMode,
    _ context: LayerContext
  ) throws {
    for (index, block) in blocks.enumerated().reversed() {
      let x = try state(index, d.rows, context)
      let kept = index + 1 == blocks.count ? kept : nil
      let tape = try tape(index, d.rows, kept?.rows, mode, context)
      if mode == .recompute {
        try block.forward(
          x,
          into: nil,
          sequences: sequences,
          rotary: rotary,
          kept: kept?.rows,
          tape: tape,
          context
        )
      }
      try block.backward(
        d,
        kept: kept,
        input: x,
        sequences: sequences,
        rotary: rotary,
        tape: tape,
        context
      )
    }
  }
}
