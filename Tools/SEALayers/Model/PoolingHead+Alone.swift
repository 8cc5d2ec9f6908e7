// SPDX-License-Identifier: Apache-2.0
// Single rows through the pooling head: what SigLIP's patches are in the joint space.

package import SEATensor

extension PoolingHead {
  /// Saved rows of a pass; all in the workspace.
  private struct Alone {
    /// `[rows, hidden]`: the values that the pass over whole pictures left.
    let v: MatrixView<Float>
    let gathered: MatrixView<Float>
    let normed: MatrixView<Float>
    let opened: MatrixView<Float>
    let inner: MatrixView<Float>

    init(_ rows: Int, _ hidden: Int, _ ffn: Int, _ space: Workspace) throws(LayerError) {
      v = try space.floats("pool.v", rows, hidden)
      gathered = try space.floats("pool.alone.gathered", rows, hidden)
      normed = try space.floats("pool.alone.normed", rows, hidden)
      opened = try space.floats("pool.alone.opened", rows, ffn)
      inner = try space.floats("pool.alone.inner", rows, ffn)
    }
  }

  private func alone(_ rows: Int, _ context: LayerContext) throws(LayerError) -> Alone {
    try Alone(rows, probe.columns, mlp.fc1.outputs, context.workspace)
  }

  /// Each row as if it were the only one of its picture: attention over one key is its value.
  ///
  ///     a = o(v(row))      out = a + fc2(f(fc1(norm a)))
  ///
  /// Follows `forward` of the same rows, whose values it takes.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, normed: those of `forward`.
  ///   - out: `[rows, hidden]`.
  ///   - context: that of `forward`.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forwardAlone(
    _ rows: MatrixView<Float>,
    into out: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let (execution, activation) = (context.execution, activation)
    let saved = try alone(rows.rows, context)
    try attention.o.forward(saved.v, into: saved.gathered, context)
    try norm.forward(saved.gathered, into: saved.normed, context)
    try mlp.fc1.forward(saved.normed, into: saved.opened, context)
    execution.share(rows.rows, grain: 8) { range in
      saved.inner.rows(range).copy(from: saved.opened.rows(range))
      execution.kernels.inference.activate(activation, saved.inner.rows(range))
    }
    execution.copy(saved.gathered, into: out)
    try mlp.fc2.forward(saved.inner, into: out, accumulates: true, context)
  }

  /// Adds to the gradients of the parameters and, behind `backward`, to that of the rows.
  ///
  /// - Parameters:
  ///   - dout: dL/d out.
  ///   - rows: the input of the forward pass.
  ///   - drows: dL/d rows, added to.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backwardAlone(
    _ dout: MatrixView<Float>,
    input rows: MatrixView<Float>,
    addingTo drows: MatrixView<Float>,
    _ context: LayerContext
  ) throws {
    let (execution, space, activation) = (context.execution, context.workspace, activation)
    let saved = try alone(rows.rows, context)
    let hidden = probe.columns
    let d = try space.floats("pool.alone.d", rows.rows, hidden)
    let dinner = try space.floats("pool.alone.dinner", rows.rows, mlp.fc1.outputs)
    let dnormed = try space.floats("pool.alone.dnormed", rows.rows, hidden)
    execution.copy(dout, into: d)
    try mlp.fc2.backward(dout, input: saved.inner, into: dinner, context)
    execution.share(rows.rows, grain: 8) { range in
      execution.kernels.activateBackward(
        activation,
        saved.opened.rows(range),
        dinner.rows(range),
        into: dinner.rows(range)
      )
    }
    try mlp.fc1.backward(dinner, input: saved.normed, into: dnormed, context)
    try norm.backward(saved.gathered, dnormed, addingTo: d, context)
    let dv = try space.floats("pool.alone.dv", rows.rows, hidden)
    try attention.o.backward(d, input: saved.v, into: dv, context)
    try attention.v.backward(dv, input: rows, into: drows, accumulates: true, context)
  }
}
