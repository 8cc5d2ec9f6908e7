// SPDX-License-Identifier: Apache-2.0
// One block of the vision encoder.

package import SEAModel
package import SEATensor

/// `x += o(attention(norm1 x))`, then `x += fc2(f(fc1(norm2 x)))`, every layer biased.
///
/// Source: reference.md B.1.
package struct EncoderBlock: Sendable {
  /// Sizes of the block.
  package let shape: BlockShape

  private let activation: Activation
  private let norm1: Normalization
  private let q: Linear
  private let k: Linear
  private let v: Linear
  private let o: Linear
  private let norm2: Normalization
  private let fc1: Linear
  private let fc2: Linear

  /// Block `index` of an encoder, counted from 0.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ index: Int,
    of encoder: EncoderDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    let name = "vision.blk.\(index)"
    let hidden = encoder.hidden
    shape = BlockShape(encoder)
    activation = encoder.activation
    let epsilon = encoder.epsilon
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws(RuntimeError) -> Linear {
      try weights.linear("\(name).\(part)", rows: rows, columns: columns, hasBias: true)
    }
    norm1 = try weights.layerNorm("\(name).norm1", width: hidden, epsilon: epsilon)
    q = try linear("attn.q", hidden, hidden)
    k = try linear("attn.k", hidden, hidden)
    v = try linear("attn.v", hidden, hidden)
    o = try linear("attn.o", hidden, hidden)
    norm2 = try weights.layerNorm("\(name).norm2", width: hidden, epsilon: epsilon)
    fc1 = try linear("mlp.fc1", encoder.ffn, hidden)
    fc2 = try linear("mlp.fc2", hidden, encoder.ffn)
  }

  /// Advances `rows` by this block.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, in place.
  ///   - store: room for the keys and values of the rows; its content is replaced.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  package func run(
    _ rows: MatrixView<Float>,
    store: KeyValueStore,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let tokens = rows.rows
    let regions = scratch.regions
    let room = scratch.room
    let queries = scratch.view(regions.q, tokens: tokens, columns: shape.hidden)
    let keys = scratch.view(regions.k, tokens: tokens, columns: shape.hidden)
    let values = scratch.view(regions.v, tokens: tokens, columns: shape.hidden)
    let inner = scratch.view(regions.inner, tokens: tokens, columns: shape.ffn)
    let narrow = scratch.view(regions.up, tokens: tokens, columns: shape.hidden)
    try execution.apply(
      rows,
      norm: norm1,
      in: room,
      LinearTask(q, into: queries),
      LinearTask(k, into: keys),
      LinearTask(v, into: values)
    )
    execution.attend(
      queries,
      keys,
      values,
      shape: shape.attention,
      first: 0,
      angles: nil,
      store: store,
      scratch: regions.scores(in: scratch.buffer)
    )
    try execution.apply(queries, in: room, LinearTask(o, into: narrow, then: .add(to: rows)))
    try execution.apply(
      rows,
      norm: norm2,
      in: room,
      LinearTask(fc1, into: inner, then: .activate(activation))
    )
    try execution.apply(inner, in: room, LinearTask(fc2, into: narrow, then: .add(to: rows)))
  }
}
