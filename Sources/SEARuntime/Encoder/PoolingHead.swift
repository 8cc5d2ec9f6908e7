// SPDX-License-Identifier: Apache-2.0
// A learned query that gathers a picture from its patches (SigLIP's MAP head).

import SEAModel
import SEATensor

/// `a = o(attention(q(probe), k(rows), v(rows)))`, then `a + fc2(f(fc1(norm a)))`.
///
/// Source: reference.md B.2.4.
struct PoolingHead: Sendable {
  private let shape: BlockShape
  private let activation: Activation
  private let probe: FloatVector
  private let q: Linear
  private let k: Linear
  private let v: Linear
  private let o: Linear
  private let norm: Normalization
  private let fc1: Linear
  private let fc2: Linear

  /// Binds the tensors of an encoder's head.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  init(_ encoder: EncoderDescription, weights: any WeightProvider) throws(RuntimeError) {
    let (hidden, ffn) = (encoder.hidden, encoder.ffn)
    shape = BlockShape(encoder)
    activation = encoder.activation
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws(RuntimeError) -> Linear {
      try weights.linear("vision.head.\(part)", rows: rows, columns: columns, hasBias: true)
    }
    probe = try weights.vector("vision.head.probe", hidden)
    q = try linear("attn.q", hidden, hidden)
    k = try linear("attn.k", hidden, hidden)
    v = try linear("attn.v", hidden, hidden)
    o = try linear("attn.o", hidden, hidden)
    norm = try weights.layerNorm("vision.head.norm", width: hidden, epsilon: encoder.epsilon)
    fc1 = try linear("mlp.fc1", ffn, hidden)
    fc2 = try linear("mlp.fc2", hidden, ffn)
  }

  /// Gathers a picture.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, normed.
  ///   - scratch: working memory of the encoder.
  ///   - picture: `[1, hidden]`, receives the result.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  func run(
    _ rows: MatrixView<Float>,
    scratch: EncoderScratch,
    into picture: MatrixView<Float>,
    on execution: Execution
  ) throws(RuntimeError) {
    let block = scratch.block
    let (regions, room, hidden) = (block.regions, block.room, shape.hidden)
    let query = block.view(regions.q, tokens: 1, columns: hidden)
    let keys = block.view(regions.k, tokens: rows.rows, columns: hidden)
    let values = block.view(regions.v, tokens: rows.rows, columns: hidden)
    let inner = block.view(regions.inner, tokens: 1, columns: shape.ffn)
    let narrow = block.view(regions.up, tokens: 1, columns: hidden)
    narrow.fill(0)
    execution.kernels.add(probe, toRowsOf: narrow)
    try execution.apply(narrow, in: room, LinearTask(q, into: query))
    try execution.apply(rows, in: room, LinearTask(k, into: keys), LinearTask(v, into: values))
    execution.attend(
      query,
      keys,
      values,
      shape: shape.attention,
      first: 0,
      angles: nil,
      store: scratch.store,
      scratch: block.scores
    )
    try execution.apply(query, in: room, LinearTask(o, into: picture))
    try execution.apply(
      picture,
      norm: norm,
      in: room,
      LinearTask(fc1, into: inner, then: .activate(activation))
    )
    try execution.apply(inner, in: room, LinearTask(fc2, into: narrow, then: .add(to: picture)))
  }

  /// Gathers each row as if it were the only one: attention over one row gives its value.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, normed.
  ///   - scratch: working memory of the encoder.
  ///   - points: `[rows, hidden]`, receives the results.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  func runRowByRow(
    _ rows: MatrixView<Float>,
    scratch: EncoderScratch,
    into points: MatrixView<Float>,
    on execution: Execution
  ) throws(RuntimeError) {
    let block = scratch.block
    let (regions, room, count) = (block.regions, block.room, rows.rows)
    let values = block.view(regions.v, tokens: count, columns: shape.hidden)
    let inner = block.view(regions.inner, tokens: count, columns: shape.ffn)
    let narrow = block.view(regions.up, tokens: count, columns: shape.hidden)
    try execution.apply(rows, in: room, LinearTask(v, into: values))
    try execution.apply(values, in: room, LinearTask(o, into: points))
    try execution.apply(
      points,
      norm: norm,
      in: room,
      LinearTask(fc1, into: inner, then: .activate(activation))
    )
    try execution.apply(inner, in: room, LinearTask(fc2, into: narrow, then: .add(to: points)))
  }
}
