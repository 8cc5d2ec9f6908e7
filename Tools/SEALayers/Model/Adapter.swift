// SPDX-License-Identifier: Apache-2.0
// The adapter: patch features in, visual tokens out.

package import SEAModel
package import SEATensor

/// Linear layers with an activation between them.
///
/// Source: reference.md C.1.
package struct Adapter {
  package let adapter: AdapterDescription
  package let layers: [Linear]

  /// Binds the parameters `adapter.*`.
  ///
  /// - Throws: `LayerError.parameter`, `.unsupported` for an adapter on a grid.
  package init(
    _ adapter: AdapterDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
    guard !adapter.needsGrid else { throw .unsupported("an adapter whose tokens form a grid") }
    self.adapter = adapter
    var layers: [Linear] = []
    for index in 0..<adapter.layers {
      layers.append(
        try Linear(
          "adapter.\(index)",
          in: parameters,
          rows: adapter.widths[index + 1],
          columns: adapter.widths[index],
          hasBias: true
        )
      )
    }
    self.layers = layers
  }

  package var isTrained: Bool { layers.contains(where: \.isTrained) }

  /// What each layer gives before the activation; the last one's are the tokens.
  private func output(
    _ index: Int,
    _ rows: Int,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    try context.workspace.floats("adapter.\(index)", rows, layers[index].outputs)
  }

  /// Maps features to visual tokens, and keeps what the backward pass needs in the workspace.
  ///
  /// - Returns: `[rows, outputWidth]`, valid until the next pass.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    _ features: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    var x = features
    for (index, layer) in layers.enumerated() {
      let y = try output(index, features.rows, context)
      try layer.forward(x, into: y, context)
      x = index == layers.count - 1 ? y : try activated(y, index, context)
    }
    return x
  }

  private func activated(
    _ y: MatrixView<Float>,
    _ index: Int,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    let result = try context.workspace.floats("adapter.\(index).activated", y.rows, y.columns)
    let (kernels, f) = (context.execution.kernels.inference, adapter.activation)
    context.execution.share(y.rows, grain: 8) {
      result.rows($0).copy(from: y.rows($0))
      kernels.activate(f, result.rows($0))
    }
    return result
  }

  /// Adds to the gradients of the layers, the last one's first.
  ///
  /// - Parameters:
  ///   - dy: dL/d tokens; stays as it is.
  ///   - features: the input of the forward pass.
  ///   - dx: dL/d features, assigned; nil: not wanted.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dy: MatrixView<Float>,
    input features: MatrixView<Float>,
    into dx: MatrixView<Float>?,
    _ context: LayerContext
  ) throws {
    let kernels = context.execution.kernels
    let f = adapter.activation
    var d = dy
    for (index, layer) in layers.enumerated().reversed() {
      guard index > 0 else {
        try layer.backward(d, input: features, into: dx, context)
        return
      }
      let before = try output(index - 1, dy.rows, context)
      let gradient = try context.workspace.floats(
        "adapter.\(index).gradient",
        dy.rows,
        layer.inputs
      )
      try layer.backward(
        d,
        input: try activated(before, index - 1, context),
        into: gradient,
        context
      )
      context.execution.share(dy.rows, grain: 8) {
        kernels.activateBackward(
          f,
          before.rows($0),
          gradient.rows($0),
          into: gradient.rows($0)
        )
      }
      d = gradient
    }
  }
}
