// SPDX-License-Identifier: Apache-2.0
// One block of the vision encoder or of its text tower.

package import SEAModel
package import SEATensor

/// `x += o(attention(norm1 x))`, then `x += fc2(f(fc1(norm2 x)))`, every layer biased.
///
/// Source: reference.md B.1.
package struct EncoderBlock: Sendable {
  /// Sizes of the block.
  package let shape: BlockShape

  /// Weights in f32: attention deserves f32 too.
  package var isExact: Bool { q.weight.isExact }

  let activation: Activation
  let norm1: Normalization
  let q: Linear
  let k: Linear
  let v: Linear
  let o: Linear
  let norm2: Normalization
  let fc1: Linear
  let fc2: Linear

  /// Block `index` of an encoder, counted from 0.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ index: Int,
    of encoder: EncoderDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    try self.init(
      "vision.blk.\(index)",
      shape: BlockShape(encoder),
      activation: encoder.activation,
      epsilon: encoder.epsilon,
      weights: weights
    )
  }

  /// Block `index` of a text tower, counted from 0.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ index: Int,
    of tower: TextTowerDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    try self.init(
      "vtext.blk.\(index)",
      shape: BlockShape(tower),
      activation: tower.activation,
      epsilon: tower.epsilon,
      weights: weights
    )
  }

  private init(
    _ name: String,
    shape: BlockShape,
    activation: Activation,
    epsilon: Double,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    self.shape = shape
    self.activation = activation
    let (hidden, ffn) = (shape.hidden, shape.ffn)
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws(RuntimeError) -> Linear {
      try weights.linear("\(name).\(part)", rows: rows, columns: columns, hasBias: true)
    }
    norm1 = try weights.layerNorm("\(name).norm1", width: hidden, epsilon: epsilon)
    q = try linear("attn.q", hidden, hidden)
    k = try linear("attn.k", hidden, hidden)
    v = try linear("attn.v", hidden, hidden)
    o = try linear("attn.o", hidden, hidden)
    norm2 = try weights.layerNorm("\(name).norm2", width: hidden, epsilon: epsilon)
    fc1 = try linear("mlp.fc1", ffn, hidden)
    fc2 = try linear("mlp.fc2", hidden, ffn)
  }

  /// Advances `rows` by this block.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, in place.
  ///   - store: room for the keys and values of the rows; its content is replaced.
  ///   - pairs: room for them in bf16: where it is given, attention runs in bf16.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  package func run(
    _ rows: MatrixView<Float>,
    store: KeyValueStore,
    pairs: PairStore? = nil,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    try run(rows, scratch: scratch, on: execution) { queries, keys, values in
      if let pairs {
        execution.attend(
          queries,
          keys,
          values,
          shape: shape.attention,
          store: pairs,
          scratch: scratch.scores
        )
        return
      }
      execution.attend(
        queries,
        keys,
        values,
        shape: shape.attention,
        first: 0,
        angles: nil,
        store: store,
        scratch: scratch.scores
      )
    }
  }

  /// Advances the rows of several sequences by this block; each attends to itself alone.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, in place.
  ///   - sequences: the rows of each sequence.
  ///   - stores: room for the keys and values of one head of the longest sequence, for each thread.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  package func run(
    _ rows: MatrixView<Float>,
    sequences: [Range<Int>],
    stores: [KeyValueStore],
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    try run(rows, scratch: scratch, on: execution) { queries, keys, values in
      execution.attend(
        queries,
        keys,
        values,
        sequences: sequences,
        shape: shape.attention,
        stores: stores,
        scratch: scratch.scores
      )
    }
  }

  // `attend` replaces the queries by what attention makes of queries, keys and values.
  private func run(
    _ rows: MatrixView<Float>,
    scratch: BlockScratch,
    on execution: Execution,
    attend: (_ q: MatrixView<Float>, _ k: MatrixView<Float>, _ v: MatrixView<Float>) -> Void
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
    attend(queries, keys, values)
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
