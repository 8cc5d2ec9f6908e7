// SPDX-License-Identifier: Apache-2.0
// Forms of a block that keep a patch's features at its own place.

import SEATensor

extension EncoderBlock {
  /// Advances `rows` with each row attending to itself alone: attention gives the row's value.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, in place.
  ///   - keepsResidual: `x + attention`, else the attention alone goes on.
  ///   - keepsFeedForward: the MLP follows, with its residual.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  /// - Source: reference.md G.2, `maskclip`.
  func runSelfAttending(
    _ rows: MatrixView<Float>,
    keepsResidual: Bool,
    keepsFeedForward: Bool,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let (tokens, regions, room) = (rows.rows, scratch.regions, scratch.room)
    let values = scratch.view(regions.v, tokens: tokens, columns: shape.hidden)
    let narrow = scratch.view(regions.up, tokens: tokens, columns: shape.hidden)
    try execution.apply(rows, norm: norm1, in: room, LinearTask(v, into: values))
    if keepsResidual {
      try execution.apply(values, in: room, LinearTask(o, into: narrow, then: .add(to: rows)))
    } else {
      try execution.apply(values, in: room, LinearTask(o, into: rows))
    }
    if keepsFeedForward { try feedForward(rows, scratch: scratch, on: execution) }
  }

  /// Advances `rows` as the block does, and adds to `local` what attention of values to values gives.
  ///
  /// The local path takes its input from the ordinary one and has no MLP.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, the ordinary path, in place.
  ///   - local: `[rows, hidden]`, the local path, in place.
  ///   - store: room for the keys and values of the rows; its content is replaced.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  /// - Source: reference.md G.2, `surgery`.
  func runBeside(
    _ rows: MatrixView<Float>,
    local: MatrixView<Float>,
    store: KeyValueStore,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let (tokens, regions, room) = (rows.rows, scratch.regions, scratch.room)
    let queries = scratch.view(regions.q, tokens: tokens, columns: shape.hidden)
    let keys = scratch.view(regions.k, tokens: tokens, columns: shape.hidden)
    let values = scratch.view(regions.v, tokens: tokens, columns: shape.hidden)
    let narrow = scratch.view(regions.up, tokens: tokens, columns: shape.hidden)
    func attend(_ q: MatrixView<Float>, _ k: MatrixView<Float>) {
      execution.attend(
        q,
        k,
        values,
        shape: shape.attention,
        first: 0,
        angles: nil,
        store: store,
        scratch: scratch.scores
      )
    }
    try execution.apply(
      rows,
      norm: norm1,
      in: room,
      LinearTask(q, into: queries),
      LinearTask(k, into: keys),
      LinearTask(v, into: values)
    )
    attend(queries, keys)
    try execution.apply(queries, in: room, LinearTask(o, into: narrow, then: .add(to: rows)))
    queries.copy(from: values)
    attend(queries, values)
    try execution.apply(queries, in: room, LinearTask(o, into: narrow, then: .add(to: local)))
    try feedForward(rows, scratch: scratch, on: execution)
  }

  private func feedForward(
    _ rows: MatrixView<Float>,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let (tokens, regions, room) = (rows.rows, scratch.regions, scratch.room)
    let inner = scratch.view(regions.inner, tokens: tokens, columns: shape.ffn)
    let narrow = scratch.view(regions.up, tokens: tokens, columns: shape.hidden)
    try execution.apply(
      rows,
      norm: norm2,
      in: room,
      LinearTask(fc1, into: inner, then: .activate(activation))
    )
    try execution.apply(inner, in: room, LinearTask(fc2, into: narrow, then: .add(to: rows)))
  }
}
