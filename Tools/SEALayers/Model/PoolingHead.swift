// SPDX-License-Identifier: Apache-2.0
// A learned query that gathers a picture from its patches (SigLIP's MAP head).

package import SEAModel
package import SEATensor

/// `a = o(attention(q(probe), k(rows), v(rows)))`, then `a + fc2(f(fc1(norm a)))`.
///
/// Gradients of all parameters accumulate; `backward` assigns the rows' gradient.
/// Source: reference.md B.2.4.
package struct PoolingHead {
  let probe: Parameter
  let attention: SelfAttention
  let norm: Norm
  let mlp: (fc1: Linear, fc2: Linear)
  let activation: Activation

  /// Binds the parameters `vision.head.*`.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ encoder: EncoderDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
    let (hidden, ffn) = (encoder.hidden, encoder.ffn)
    probe = try parameters.require("vision.head.probe", rows: 1, columns: hidden)
    attention = try SelfAttention(
      "vision.head",
      in: parameters,
      shape: AttentionShape(
        heads: encoder.heads,
        kvHeads: encoder.heads,
        headDim: encoder.headDim,
        isCausal: false
      ),
      hidden: hidden,
      hasBias: true
    )
    norm = try Norm(
      "vision.head.norm",
      in: parameters,
      width: hidden,
      epsilon: encoder.epsilon,
      hasBias: true
    )
    mlp = (
      try Linear(
        "vision.head.mlp.fc1",
        in: parameters,
        rows: ffn,
        columns: hidden,
        hasBias: true
      ),
      try Linear(
        "vision.head.mlp.fc2",
        in: parameters,
        rows: hidden,
        columns: ffn,
        hasBias: true
      )
    )
    activation = encoder.activation
  }

  /// Saved rows of a pass; all in the workspace.
  private struct Saved {
    let q: MatrixView<Float>
    let k: MatrixView<Float>
    let v: MatrixView<Float>
    let attended: MatrixView<Float>
    let statistics: AttentionStatistics
    let gathered: MatrixView<Float>
    let normed: MatrixView<Float>
    let opened: MatrixView<Float>
    let inner: MatrixView<Float>
    let sequences: [Attention.Sequence]

    init(
      pictures: Int,
      rows: Int,
      hidden: Int,
      ffn: Int,
      heads: Int,
      _ space: Workspace
    ) throws(LayerError) {
      q = try space.floats("pool.q", pictures, hidden)
      k = try space.floats("pool.k", rows, hidden)
      v = try space.floats("pool.v", rows, hidden)
      attended = try space.floats("pool.attended", pictures, hidden)
      statistics = AttentionStatistics(
        maxima: try space.floats("pool.maxima", heads, pictures),
        inverses: try space.floats("pool.inverses", heads, pictures)
      )
      gathered = try space.floats("pool.gathered", pictures, hidden)
      normed = try space.floats("pool.normed", pictures, hidden)
      opened = try space.floats("pool.opened", pictures, ffn)
      inner = try space.floats("pool.inner", pictures, ffn)
      let each = rows / pictures
      sequences = (0..<pictures).map {
        Attention.Sequence(queries: $0..<$0 + 1, keys: $0 * each..<($0 + 1) * each)
      }
    }
  }

  private func saved(
    _ pictures: Int,
    _ rows: Int,
    _ context: LayerContext
  ) throws(LayerError) -> Saved {
    try Saved(
      pictures: pictures,
      rows: rows,
      hidden: probe.columns,
      ffn: mlp.fc1.outputs,
      heads: attention.shape.heads,
      context.workspace
    )
  }

  /// Gathers pictures.
  ///
  /// - Parameters:
  ///   - rows: `[pictures · rows, hidden]`, normed.
  ///   - out: `[pictures, hidden]`.
  ///   - context: execution and workspace.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    _ rows: MatrixView<Float>,
    into out: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let saved = try saved(out.rows, rows.rows, context)
    let query = saved.q.rows(0..<1)
    try attention.q.forward(try probe.floats(), into: query, context)
    for picture in 1..<max(out.rows, 1) {
      saved.q.rows(picture..<picture + 1).copy(from: query)
    }
    try attention.k.forward(rows, into: saved.k, context)
    try attention.v.forward(rows, into: saved.v, context)
    try Attention(attention.shape).forward(
      saved.q,
      saved.k,
      saved.v,
      sequences: saved.sequences,
      into: saved.attended,
      statistics: saved.statistics,
      context
    )
    try attention.o.forward(saved.attended, into: saved.gathered, context)
    try norm.forward(saved.gathered, into: saved.normed, context)
    try mlp.fc1.forward(saved.normed, into: saved.opened, context)
    saved.inner.copy(from: saved.opened)
    context.execution.kernels.inference.activate(activation, saved.inner)
    out.copy(from: saved.gathered)
    try mlp.fc2.forward(saved.inner, into: out, accumulates: true, context)
  }

  /// The probe is the one query of every picture: its projection's gradient is the sum over pictures.
  ///
  /// - Parameters:
  ///   - dout: dL/d out.
  ///   - rows: the input of the forward pass.
  ///   - drows: dL/d rows, assigned.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dout: MatrixView<Float>,
    input rows: MatrixView<Float>,
    into drows: MatrixView<Float>,
    _ context: LayerContext
  ) throws {
    let (execution, space) = (context.execution, context.workspace)
    let (pictures, hidden) = (dout.rows, probe.columns)
    let saved = try saved(pictures, rows.rows, context)
    let d = try space.floats("pool.d", pictures, hidden)
    let dinner = try space.floats("pool.dinner", pictures, mlp.fc1.outputs)
    let dnormed = try space.floats("pool.dnormed", pictures, hidden)
    d.copy(from: dout)
    try mlp.fc2.backward(dout, input: saved.inner, into: dinner, context)
    execution.kernels.activateBackward(activation, saved.opened, dinner, into: dinner)
    try mlp.fc1.backward(dinner, input: saved.normed, into: dnormed, context)
    try norm.backward(saved.gathered, dnormed, addingTo: d, context)
    let dattended = try space.floats("pool.dattended", pictures, hidden)
    try attention.o.backward(d, input: saved.attended, into: dattended, context)
    let dq = try space.floats("pool.dq", pictures, hidden)
    let dk = try space.floats("pool.dk", rows.rows, hidden)
    let dv = try space.floats("pool.dv", rows.rows, hidden)
    try Attention(attention.shape).backward(
      saved.q,
      saved.k,
      saved.v,
      out: saved.attended,
      dattended,
      sequences: saved.sequences,
      statistics: saved.statistics,
      dq: dq,
      dk: dk,
      dv: dv,
      context
    )
    let query = try space.floats("pool.dquery", 1, hidden)
    query.fill(0)
    execution.addColumnSums(of: dq, to: query)
    let dprobe = try space.floats("pool.dprobe", 1, hidden)
    try attention.q.backward(query, input: try probe.floats(), into: dprobe, context)
    if probe.isTrained {
      execution.kernels.inference.add(dprobe, to: try probe.requireGradient())
    }
    try attention.k.backward(dk, input: rows, into: drows, context)
    try attention.v.backward(dv, input: rows, into: drows, accumulates: true, context)
    try context.complete(probe)
  }
}
