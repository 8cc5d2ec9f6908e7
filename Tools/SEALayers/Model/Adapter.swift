// SPDX-License-Identifier: Apache-2.0
// The adapter: patch features in, visual tokens out.

package import SEAModel
package import SEATensor

/// Linear layers with an activation between them; features and tokens may form a grid.
///
/// Source: reference.md C.1.
package struct Adapter {
  package let adapter: AdapterDescription
  package let layers: [Linear]
  private let newline: Parameter?

  /// Binds the parameters `adapter.*`.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ adapter: AdapterDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
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
    newline =
      adapter.hasNewline
      ? try parameters.require("adapter.newline", rows: 1, columns: adapter.outputWidth) : nil
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
  /// - Parameters:
  ///   - features: `[features of all pictures, inputWidth]`.
  ///   - pictures: rows of each picture.
  ///   - context: execution and workspace.
  /// - Returns: tokens of all pictures, valid until the next pass, and the rows of each picture.
  /// - Throws: `LayerError`.
  package func forward(
    _ features: MatrixView<Float>,
    pictures: [Range<Int>],
    _ context: LayerContext
  ) throws(LayerError) -> (rows: MatrixView<Float>, ranges: [Range<Int>]) {
    guard adapter.needsGrid else { return (try project(features, context), pictures) }
    let grids = try grids(pictures)
    let cells = try input(features, grids, context)
    for (grid, picture) in zip(grids, pictures) {
      grid.grid.resample(features.rows(picture), into: cells.rows(grid.cells), context)
    }
    let outputs = try project(cells, context)
    let rows = try context.workspace.floats(
      "adapter.tokens",
      grids.last?.tokens.upperBound ?? 0,
      adapter.outputWidth
    )
    let end = try newline?.floats()
    for grid in grids {
      grid.grid.arrange(
        outputs.rows(grid.cells),
        newline: end,
        into: rows.rows(grid.tokens)
      )
    }
    return (rows, grids.map(\.tokens))
  }

  /// Grids of pictures, and where their cells and tokens lie.
  private func grids(
    _ pictures: [Range<Int>]
  ) throws(LayerError) -> [(grid: TokenGrid, cells: Range<Int>, tokens: Range<Int>)] {
    var result: [(grid: TokenGrid, cells: Range<Int>, tokens: Range<Int>)] = []
    for picture in pictures {
      let grid = try TokenGrid(adapter, features: picture.count)
      let cells = result.last?.cells.upperBound ?? 0
      let tokens = result.last?.tokens.upperBound ?? 0
      result.append((grid, cells..<cells + grid.cells, tokens..<tokens + grid.tokens))
    }
    return result
  }

  /// Rows that pass the layers where there is a grid.
  private func input(
    _ features: MatrixView<Float>,
    _ grids: [(grid: TokenGrid, cells: Range<Int>, tokens: Range<Int>)],
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    try context.workspace.floats(
      "adapter.cells",
      grids.last?.cells.upperBound ?? 0,
      features.columns
    )
  }

  private func project(
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
  ///   - pictures: rows of each picture, as in the forward pass.
  ///   - dx: dL/d features, assigned; nil: not wanted.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dy: MatrixView<Float>,
    input features: MatrixView<Float>,
    pictures: [Range<Int>],
    into dx: MatrixView<Float>?,
    _ context: LayerContext
  ) throws {
    guard adapter.needsGrid else {
      try projectBackward(dy, input: features, into: dx, context)
      return
    }
    let grids = try grids(pictures)
    let cells = try input(features, grids, context)
    let doutputs = try context.workspace.floats(
      "adapter.doutputs",
      cells.rows,
      adapter.outputWidth
    )
    let end =
      newline?.isTrained ?? false ? try newline?.requireGradient() : nil
    for grid in grids {
      grid.grid.arrangeBackward(
        dy.rows(grid.tokens),
        into: doutputs.rows(grid.cells),
        newline: end,
        context
      )
    }
    try context.complete(newline)
    let dcells =
      dx == nil ? nil : try context.workspace.floats("adapter.dcells", cells.rows, cells.columns)
    try projectBackward(doutputs, input: cells, into: dcells, context)
    guard let dx, let dcells else { return }
    for (grid, picture) in zip(grids, pictures) {
      grid.grid.resampleBackward(
        dcells.rows(grid.cells),
        into: dx.rows(picture),
        context
      )
    }
  }

  private func projectBackward(
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
