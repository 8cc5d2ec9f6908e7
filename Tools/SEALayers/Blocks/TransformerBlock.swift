// SPDX-License-Identifier: Apache-2.0
// One block of an encoder, a text tower or a language model.

package import SEAModel
package import SEATensor

/// `m = x + attention(norm1 x)`, `y = m + mlp(norm2 m)`.
///
/// Source: reference.md B.1, B.4.
package struct TransformerBlock {
  package let hidden: Int
  package let norm1: Norm
  package let attention: SelfAttention
  package let norm2: Norm
  package let mlp: FeedForward

  /// Block `NAME` of either tower: biased layers, LayerNorm.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    tower name: String,
    in parameters: ParameterSet,
    hidden: Int,
    ffn: Int,
    shape: AttentionShape,
    activation: Activation,
    epsilon: Double
  ) throws(LayerError) {
    self.hidden = hidden
    norm1 = try Norm(
      "\(name).norm1",
      in: parameters,
      width: hidden,
      epsilon: epsilon,
      hasBias: true
    )
    attention = try SelfAttention(
      name,
      in: parameters,
      shape: shape,
      hidden: hidden,
      hasBias: true
    )
    norm2 = try Norm(
      "\(name).norm2",
      in: parameters,
      width: hidden,
      epsilon: epsilon,
      hasBias: true
    )
    mlp = try FeedForward(
      plain: name,
      in: parameters,
      hidden: hidden,
      width: ffn,
      activation: activation
    )
  }

  /// Block `index` of a language model: no biases, RMSNorm, a gate, rotary positions.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ index: Int,
    of language: LanguageModelDescription,
    in parameters: ParameterSet,
    lowRank: LowRankOptions? = nil
  ) throws(LayerError) {
    let name = "llm.blk.\(index)"
    let epsilon = language.epsilon
    hidden = language.hidden
    norm1 = try Norm(
      "\(name).norm1",
      in: parameters,
      width: hidden,
      epsilon: epsilon,
      hasBias: false
    )
    attention = try SelfAttention(
      name,
      in: parameters,
      shape: AttentionShape(
        heads: language.heads,
        kvHeads: language.kvHeads,
        headDim: language.headDim,
        isCausal: true,
        window: language.slidingWindow
      ),
      hidden: hidden,
      hasBias: false,
      lowRank: lowRank
    )
    norm2 = try Norm(
      "\(name).norm2",
      in: parameters,
      width: hidden,
      epsilon: epsilon,
      hasBias: false
    )
    mlp = try FeedForward(
      gated: name,
      in: parameters,
      hidden: hidden,
      width: language.ffn,
      activation: language.activation,
      lowRank: lowRank
    )
  }

  /// Computes the block and fills its tape.
  ///
  /// - Parameters:
  ///   - x: `[rows, hidden]`; stays as it is.
  ///   - y: `[rows, hidden]`, or of the kept rows; nil: only the tape is wanted.
  ///   - sequences: rows of each sequence.
  ///   - rotary: rotates queries and keys.
  ///   - kept: rows that are wanted; nil: all. The others end with their keys and values.
  ///   - tape: receives what the backward pass needs.
  ///   - context: execution and workspace.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    _ x: MatrixView<Float>,
    into y: MatrixView<Float>?,
    sequences: [Range<Int>],
    rotary: Rotary? = nil,
    kept: RowChoice? = nil,
    tape: BlockTape,
    _ context: LayerContext
  ) throws(LayerError) {
    let all = try context.workspace.floats("block.normed", x.rows, hidden)
    try norm1.forward(x, into: all, context)
    if let kept {
      kept.gather(x, into: tape.middle)
    } else {
      context.execution.copy(x, into: tape.middle)
    }
    try attention.forward(
      all,
      addingTo: tape.middle,
      sequences: sequences,
      rotary: rotary,
      tape: tape,
      kept: kept,
      context
    )
    let normed = all.rows(0..<tape.middle.rows)
    try norm2.forward(tape.middle, into: normed, context)
    if let y { context.execution.copy(tape.middle, into: y) }
    try mlp.forward(normed, addingTo: y, tape: tape, context)
  }

  /// Turns dL/dy in `d` into dL/dx; the residual stream's gradient passes both halves unchanged and
  /// collects what comes back through the norms.
  ///
  /// - Parameters:
  ///   - d: `[rows, hidden]`, the gradient, in place; assigned where `kept` is given.
  ///   - kept: the kept rows of the forward pass and their gradient `[kept, hidden]`, which is used up.
  ///   - x: the input of the forward pass.
  ///   - sequences: rows of each sequence.
  ///   - rotary: as in the forward pass.
  ///   - tape: of the forward pass; used up.
  ///   - context: execution, workspace and sink.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ d: MatrixView<Float>,
    kept: KeptGradient? = nil,
    input x: MatrixView<Float>,
    sequences: [Range<Int>],
    rotary: Rotary? = nil,
    tape: BlockTape,
    _ context: LayerContext
  ) throws {
    let normed = try context.workspace.floats("block.normed", x.rows, hidden)
    let gradient = try context.workspace.floats("block.gradient", x.rows, hidden)
    let dy = kept?.gradient ?? d
    let own = 0..<dy.rows
    if mlp.readsInput { try norm2.forward(tape.middle, into: normed.rows(own), context) }
    try mlp.backward(dy, input: normed.rows(own), tape: tape, into: gradient.rows(own), context)
    try norm2.backward(tape.middle, gradient.rows(own), addingTo: dy, context)
    if let kept { kept.rows.scatter(dy, into: d) }
    if attention.readsInput { try norm1.forward(x, into: normed, context) }
    try attention.backward(
      dy,
      input: normed,
      sequences: sequences,
      rotary: rotary,
      tape: tape,
      kept: kept?.rows,
      into: gradient,
      context
    )
    try norm1.backward(x, gradient, addingTo: d, context)
  }
}
