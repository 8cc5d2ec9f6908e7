// SPDX-License-Identifier: Apache-2.0
// One block of the language model.

package import SEAModel
package import SEATensor

/// `h += o(attention(norm1 h))`, then `h += down(f(gate(norm2 h)) · up(norm2 h))`.
///
/// Source: reference.md B.4.
package struct DecoderBlock: Sendable {
  /// Sizes of the block.
  package let shape: BlockShape

  let pages: PageSpan?

  private let activation: Activation
  private let norm1: Normalization
  private let q: Linear
  private let k: Linear
  private let v: Linear
  private let o: Linear
  private let norm2: Normalization
  private let gate: Linear
  private let up: Linear
  private let down: Linear

  /// Block `index` of a language model, counted from 0.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ index: Int,
    of language: LanguageModelDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    let name = "llm.blk.\(index)"
    let hidden = language.hidden
    pages = weights.pages(under: "\(name).")
    shape = BlockShape(language)
    activation = language.activation
    let epsilon = language.epsilon
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws(RuntimeError) -> Linear {
      try weights.linear("\(name).\(part)", rows: rows, columns: columns, hasBias: false)
    }
    norm1 = try weights.rmsNorm("\(name).norm1", width: hidden, epsilon: epsilon)
    q = try linear("attn.q", language.queryWidth, hidden)
    k = try linear("attn.k", language.kvWidth, hidden)
    v = try linear("attn.v", language.kvWidth, hidden)
    o = try linear("attn.o", hidden, language.queryWidth)
    norm2 = try weights.rmsNorm("\(name).norm2", width: hidden, epsilon: epsilon)
    gate = try linear("mlp.gate", language.ffn, hidden)
    up = try linear("mlp.up", language.ffn, hidden)
    down = try linear("mlp.down", hidden, language.ffn)
  }

  /// Advances `rows` by this block.
  ///
  /// - Parameters:
  ///   - rows: `[tokens, hidden]`, the residual stream, in place.
  ///   - first: position of row 0; all earlier ones are in the store.
  ///   - angles: of the rows' positions.
  ///   - store: keys and values of this block.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  package func run(
    _ rows: MatrixView<Float>,
    first: Int,
    angles: RotaryAngles,
    store: KeyValueStore,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let tokens = rows.rows
    let regions = scratch.regions
    let attention = shape.attention
    let room = scratch.room
    let queries = scratch.view(regions.q, tokens: tokens, columns: shape.queryWidth)
    let keys = scratch.view(regions.k, tokens: tokens, columns: shape.kvWidth)
    let values = scratch.view(regions.v, tokens: tokens, columns: shape.kvWidth)
    try execution.apply(
      rows,
      norm: norm1,
      in: room,
      LinearTask(q, into: queries),
      LinearTask(k, into: keys),
      LinearTask(v, into: values)
    )
    if tokens == 1 {
      execution.attendOne(
        queries,
        heads: scratch.view(regions.q, tokens: attention.heads, columns: attention.headDim),
        keys,
        values,
        shape: attention,
        position: first,
        angles: angles,
        store: store,
        scratch: regions.scores(in: scratch.buffer)
      )
    } else {
      execution.attend(
        queries,
        keys,
        values,
        shape: attention,
        first: first,
        angles: angles,
        store: store,
        scratch: regions.scores(in: scratch.buffer)
      )
    }
    let inner = scratch.view(regions.inner, tokens: tokens, columns: shape.ffn)
    let wide = scratch.view(regions.up, tokens: tokens, columns: shape.ffn)
    let narrow = scratch.view(regions.up, tokens: tokens, columns: shape.hidden)
    try execution.apply(queries, in: room, LinearTask(o, into: narrow, then: .add(to: rows)))
    try execution.apply(
      rows,
      norm: norm2,
      in: room,
      LinearTask(gate, into: inner),
      LinearTask(up, into: wide, then: .gate(activation, inner))
    )
    try execution.apply(inner, in: room, LinearTask(down, into: narrow, then: .add(to: rows)))
  }
}
