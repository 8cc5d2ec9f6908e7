// SPDX-License-Identifier: Apache-2.0
// From pixels to the encoder's first rows.

package import SEAModel
package import SEATensor

/// Patches projected, the class token before them, positions added, perhaps a first norm.
///
/// Gradients of all parameters accumulate; pixels get none. Source: reference.md B.1.
package struct PatchEmbedding {
  private let encoder: EncoderDescription
  private let projection: Linear
  private let classToken: Parameter?
  private let positions: Parameter
  private let norm: Norm?

  /// Binds the parameters in front of the first block.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ encoder: EncoderDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
    let hidden = encoder.hidden
    self.encoder = encoder
    projection = try Linear(
      "vision.patch",
      in: parameters,
      rows: hidden,
      columns: encoder.patchValues,
      hasBias: encoder.hasPatchBias
    )
    classToken =
      encoder.hasClassToken
      ? try parameters.require("vision.class", rows: 1, columns: hidden) : nil
    positions = try parameters.require("vision.position", rows: encoder.rows, columns: hidden)
    norm =
      encoder.hasPreNorm
      ? try Norm(
        "vision.prenorm",
        in: parameters,
        width: hidden,
        epsilon: encoder.epsilon,
        hasBias: true
      )
      : nil
  }

  /// Fills `rows` (`[pictures · encoder.rows, hidden]`) with hidden state 0.
  ///
  /// - Throws: `LayerError.input` for pictures of another size.
  package func forward(
    _ pictures: [[Float]],
    into rows: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let side = encoder.imageSide
    for pixels in pictures {
      guard pixels.count == 3 * side * side else {
        throw .input(
          what: "a picture",
          found: "\(pixels.count) values",
          expected: "3×\(side)×\(side)"
        )
      }
    }
    try forward(pictures: pictures.count, into: rows, context) { patches in
      for (index, pixels) in pictures.enumerated() {
        let own = patches.rows(index * encoder.patches..<(index + 1) * encoder.patches)
        extract(pixels, into: own, on: context.execution)
      }
    }
  }

  /// Fills `rows` with hidden state 0 of pictures that the caller cuts into patches.
  ///
  /// - Parameters:
  ///   - pictures: number of pictures.
  ///   - rows: `[pictures · encoder.rows, hidden]`.
  ///   - context: execution and workspace.
  ///   - fill: writes `[pictures · patches, patchValues]`, each patch as channel, row, column.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    pictures: Int,
    into rows: MatrixView<Float>,
    _ context: LayerContext,
    patches fill: (MatrixView<Float>) -> Void
  ) throws(LayerError) {
    let (execution, encoder) = (context.execution, encoder)
    let patches = try patchRows(pictures, context)
    fill(patches)
    let target = try embedded(rows, context)
    let table = try positions.floats()
    let token = try classToken?.floats()
    var projected = target
    if encoder.rows != encoder.patches {
      projected = try context.workspace.floats("vision.projected", patches.rows, rows.columns)
    }
    try projection.forward(patches, into: projected, context)
    execution.share(pictures) { range in
      for index in range {
        let place = target.rows(index * encoder.rows..<(index + 1) * encoder.rows)
        if encoder.rows != encoder.patches {
          let own = projected.rows(index * encoder.patches..<(index + 1) * encoder.patches)
          place.rows(encoder.rows - encoder.patches..<encoder.rows).copy(from: own)
        }
        if let token { place.rows(0..<1).copy(from: token) }
        execution.kernels.inference.add(table, to: place)
      }
    }
    try norm?.forward(target, into: rows, context)
  }

  /// Adds to the gradients of everything before the first block.
  ///
  ///     dpositions += Σ pictures de      dclass += Σ de[0]      dw += deᵀ patches
  ///
  /// - Parameters:
  ///   - d: dL/d hidden state 0.
  ///   - pictures: number of pictures.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ d: MatrixView<Float>,
    pictures: Int,
    _ context: LayerContext
  ) throws {
    let execution = context.execution
    var gradient = d
    if let norm {
      gradient = try context.workspace.floats("vision.dembedded", d.rows, d.columns)
      gradient.fill(0)
      try norm.backward(try embedded(d, context), d, addingTo: gradient, context)
    }
    let patches = try patchRows(pictures, context)
    if positions.isTrained {
      let (target, each) = (try positions.requireGradient(), encoder.rows)
      execution.share(each, grain: 8) { rows in
        for index in 0..<pictures {
          let own = gradient.rows(rows.offset(by: index * each))
          execution.kernels.add(own, times: 1, to: target.rows(rows))
        }
      }
    }
    if let classToken, classToken.isTrained {
      let target = try classToken.requireGradient()
      for index in 0..<pictures {
        let row = index * encoder.rows
        execution.kernels.inference.add(gradient.rows(row..<row + 1), to: target)
      }
    }
    // The rows of all pictures without their class tokens, so that weights are visited once.
    var dpatches = gradient
    if encoder.rows != encoder.patches {
      dpatches = try context.workspace.floats("vision.dpatches", patches.rows, d.columns)
      for index in 0..<pictures {
        let place = gradient.rows(index * encoder.rows..<(index + 1) * encoder.rows)
        dpatches.rows(index * encoder.patches..<(index + 1) * encoder.patches)
          .copy(from: place.rows(encoder.rows - encoder.patches..<encoder.rows))
      }
    }
    try projection.backward(dpatches, input: patches, into: nil, context)
    try context.complete(positions, classToken)
  }

  private func patchRows(
    _ pictures: Int,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    try context.workspace.floats(
      "vision.patches",
      pictures * encoder.patches,
      encoder.patchValues
    )
  }

  /// The rows before the first norm; `rows` themselves where there is none.
  private func embedded(
    _ rows: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    norm == nil ? rows : try context.workspace.floats("vision.embedded", rows.rows, rows.columns)
  }

  /// Copies patches, each as channel, row, column.
  private func extract(
    _ pixels: [Float],
    into patches: MatrixView<Float>,
    on execution: TrainingExecution
  ) {
    let (image, patch, grid) = (encoder.imageSide, encoder.patchSide, encoder.gridSide)
    execution.share(patches.rows, grain: 8) { range in
      for index in range {
        patches.withRow(index) { (values: consuming MutableSpan<Float>) in
          var target = 0
          for channel in 0..<3 {
            for row in 0..<patch {
              let line = (channel * image + index / grid * patch + row) * image
              let first = line + index % grid * patch
              for source in first..<first + patch {
                values[target] = pixels[source]
                target += 1
              }
            }
          }
        }
      }
    }
  }
}
