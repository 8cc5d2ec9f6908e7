// SPDX-License-Identifier: Apache-2.0
// The attention half of a block: projections, rotation, attention, output.

import SEATensor

/// `residual += o(attention(rotate(q x), rotate(k x), v x))`.
package struct SelfAttention {
  package let shape: AttentionShape
  let q: Linear
  let k: Linear
  let v: Linear
  let o: Linear

  /// The layers `NAME.attn.{q,k,v,o}` of a set.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ name: String,
    in parameters: ParameterSet,
    shape: AttentionShape,
    hidden: Int,
    hasBias: Bool,
    lowRank: LowRankOptions? = nil
  ) throws(LayerError) {
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws(LayerError) -> Linear {
      try Linear(
        "\(name).attn.\(part)",
        in: parameters,
        rows: rows,
        columns: columns,
        hasBias: hasBias,
        lowRank: lowRank
      )
    }
    self.shape = shape
    q = try linear("q", shape.queryWidth, hidden)
    k = try linear("k", shape.kvWidth, hidden)
    v = try linear("v", shape.kvWidth, hidden)
    o = try linear("o", hidden, shape.queryWidth)
  }

  /// The input of the projections is needed by the backward pass.
  var readsInput: Bool { q.isTrained || k.isTrained || v.isTrained }

  /// Adds the layer's output to `residual` and fills the tape; only the rows `kept` where it is given.
  func forward(
    _ x: MatrixView<Float>,
    addingTo residual: MatrixView<Float>,
    sequences: [Range<Int>],
    rotary: Rotary?,
    tape: BlockTape,
    kept: RowChoice?,
    _ context: LayerContext
  ) throws(LayerError) {
    try q.forward(x, into: tape.q, context)
    try k.forward(x, into: tape.k, context)
    try v.forward(x, into: tape.v, context)
    rotary?.rotate(tape.q, sequences: sequences, context)
    rotary?.rotate(tape.k, sequences: sequences, context)
    try Attention(shape).forward(
      tape.q,
      tape.k,
      tape.v,
      sequences: sequences.map { Attention.Sequence(queries: $0, keys: $0) },
      into: tape.attended,
      statistics: tape.statistics,
      context
    )
    try o.forward(try attended(tape, kept, context), into: residual, accumulates: true, context)
  }

  /// What the output projection is given.
  private func attended(
    _ tape: BlockTape,
    _ kept: RowChoice?,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    guard let kept else { return tape.attended }
    let rows = try context.workspace.floats("attention.kept", kept.count, shape.queryWidth)
    kept.gather(tape.attended, into: rows)
    return rows
  }

  /// Assigns dL/dx to `dx`; see `Attention.backward` and `Linear.backward` for the steps.
  ///
  /// `dy` is the gradient of the residual stream after the layer, of the rows `kept` where it is given;
  /// `x`, the input of the forward pass, is read only when a projection is trained.
  func backward(
    _ dy: MatrixView<Float>,
    input x: MatrixView<Float>,
    sequences: [Range<Int>],
    rotary: Rotary?,
    tape: BlockTape,
    kept: RowChoice?,
    into dx: MatrixView<Float>,
    _ context: LayerContext
  ) throws {
    let space = context.workspace
    let rows = x.rows
    let dout = try space.floats("attention.dout", rows, shape.queryWidth)
    let dq = try space.floats("attention.dq.all", rows, shape.queryWidth)
    let dk = try space.floats("attention.dk.all", rows, shape.kvWidth)
    let dv = try space.floats("attention.dv.all", rows, shape.kvWidth)
    if let kept {
      let own = try space.floats("attention.dkept", kept.count, shape.queryWidth)
      try o.backward(dy, input: try attended(tape, kept, context), into: own, context)
      kept.scatter(own, into: dout)
    } else {
      try o.backward(dy, input: tape.attended, into: dout, context)
    }
    try Attention(shape).backward(
      tape.q,
      tape.k,
      tape.v,
      out: tape.attended,
      dout,
      sequences: sequences.map { Attention.Sequence(queries: $0, keys: $0) },
      statistics: tape.statistics,
      dq: dq,
      dk: dk,
      dv: dv,
      context
    )
    rotary?.rotate(dq, sequences: sequences, isBackward: true, context)
    rotary?.rotate(dk, sequences: sequences, isBackward: true, context)
    try q.backward(dq, input: x, into: dx, context)
    try k.backward(dk, input: x, into: dx, accumulates: true, context)
    try v.backward(dv, input: x, into: dx, accumulates: true, context)
  }
}
