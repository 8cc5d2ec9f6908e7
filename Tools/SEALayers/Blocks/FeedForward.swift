// SPDX-License-Identifier: Apache-2.0
// The MLP half of a block, with or without a gate.

package import SEATensor

/// `residual += fc2(f(fc1 x))`, or `residual += down(f(gate x) · up x)`.
package struct FeedForward {
  package let activation: Activation
  /// `fc1`, or the layer whose output passes the activation.
  let gate: Linear
  /// What the activation multiplies; nil: no gate.
  let up: Linear?
  /// `fc2` or `down`.
  let down: Linear

  /// The layers `NAME.mlp.fc1`, `NAME.mlp.fc2`, with biases.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    plain name: String,
    in parameters: ParameterSet,
    hidden: Int,
    width: Int,
    activation: Activation
  ) throws(LayerError) {
    self.activation = activation
    gate = try Linear(
      "\(name).mlp.fc1",
      in: parameters,
      rows: width,
      columns: hidden,
      hasBias: true
    )
    up = nil
    down = try Linear(
      "\(name).mlp.fc2",
      in: parameters,
      rows: hidden,
      columns: width,
      hasBias: true
    )
  }

  /// The layers `NAME.mlp.{gate,up,down}`, without biases.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    gated name: String,
    in parameters: ParameterSet,
    hidden: Int,
    width: Int,
    activation: Activation,
    lowRank: LowRankOptions? = nil
  ) throws(LayerError) {
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws(LayerError) -> Linear {
      try Linear(
        "\(name).mlp.\(part)",
        in: parameters,
        rows: rows,
        columns: columns,
        hasBias: false,
        lowRank: lowRank
      )
    }
    self.activation = activation
    gate = try linear("gate", width, hidden)
    up = try linear("up", width, hidden)
    down = try linear("down", hidden, width)
  }

  /// Width inside.
  package var width: Int { gate.outputs }
  package var isGated: Bool { up != nil }

  /// The input of the first layers is needed by the backward pass.
  var readsInput: Bool { gate.isTrained || up?.isTrained ?? false }

  /// Adds the output to `residual` (nil: only the tape is wanted) and fills the tape.
  func forward(
    _ x: MatrixView<Float>,
    addingTo residual: MatrixView<Float>?,
    tape: BlockTape,
    _ context: LayerContext
  ) throws(LayerError) {
    let opened = try tape.gate.writable("mlp.gate", context)
    try gate.forward(x, into: opened, context)
    tape.gate.keep(opened, context)
    var raised: MatrixView<Float>?
    if let up, let rows = tape.up {
      let values = try rows.writable("mlp.up", context)
      try up.forward(x, into: values, context)
      rows.keep(values, context)
      raised = values
    }
    guard let residual else { return }
    let inner = try context.workspace.floats("mlp.inner", x.rows, width)
    apply(opened, raised, into: inner, context)
    try down.forward(inner, into: residual, accumulates: true, context)
  }

  /// Assigns dL/dx to `dx` and uses the tape's wide rows up; g are the gate's rows, u the others.
  ///
  ///     dinner = dy wdown      dg = dinner · u · f'(g)      du = dinner · f(g)
  func backward(
    _ dy: MatrixView<Float>,
    input x: MatrixView<Float>,
    tape: BlockTape,
    into dx: MatrixView<Float>,
    _ context: LayerContext
  ) throws {
    let execution = context.execution
    let kernels = execution.kernels
    let opened = try tape.gate.taken("mlp.gate", context)
    let raised = try tape.up?.taken("mlp.up", context)
    let dinner = try context.workspace.floats("mlp.gradient", dy.rows, width)
    func inner() throws -> MatrixView<Float> {
      let rows = try context.workspace.floats("mlp.inner", dy.rows, width)
      apply(opened, raised, into: rows, context)
      return rows
    }
    try down.backward(dy, input: try inner(), into: dinner, context)
    let f = activation
    if let up, let raised {
      execution.share(dy.rows, grain: 8) {
        kernels.gateBackward(
          f,
          gate: opened.rows($0),
          up: raised.rows($0),
          dinner.rows($0)
        )
      }
      try gate.backward(opened, input: x, into: dx, context)
      try up.backward(raised, input: x, into: dx, accumulates: true, context)
    } else {
      execution.share(dy.rows, grain: 8) {
        kernels.activateBackward(
          f,
          opened.rows($0),
          dinner.rows($0),
          into: opened.rows($0)
        )
      }
      try gate.backward(opened, input: x, into: dx, context)
    }
  }

  private func apply(
    _ opened: MatrixView<Float>,
    _ raised: MatrixView<Float>?,
    into inner: MatrixView<Float>,
    _ context: LayerContext
  ) {
    let kernels = context.execution.kernels
    let f = activation
    context.execution.share(inner.rows, grain: 8) { rows in
      if let raised {
        kernels.gate(f, opened.rows(rows), up: raised.rows(rows), into: inner.rows(rows))
      } else {
        inner.rows(rows).copy(from: opened.rows(rows))
        kernels.inference.activate(f, inner.rows(rows))
      }
    }
  }
}
