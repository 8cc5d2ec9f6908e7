// SPDX-License-Identifier: Apache-2.0
// The vision encoder up to the rows that feed the adapter.

package import SEAModel
package import SEATensor

/// An encoder at one scale.
package struct VisionEncoder {
  package let encoder: EncoderDescription
  package let embedding: PatchEmbedding
  /// Blocks up to the selected one.
  package let stack: BlockStack
  private let finalNorm: Norm?

  /// Binds the parameters `vision.*` that the features need.
  ///
  /// - Throws: `LayerError.parameter`, `.unsupported` for an encoder at several scales.
  package init(
    _ encoder: EncoderDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
    guard encoder.scales.isEmpty else { throw .unsupported("an encoder at several scales") }
    self.encoder = encoder
    embedding = try PatchEmbedding(encoder, in: parameters)
    stack = BlockStack(
      try Self.blocks(encoder, 0..<encoder.selection.layer, in: parameters),
      hidden: encoder.hidden,
      name: "vision"
    )
    finalNorm =
      encoder.selection.appliesFinalNorm
      ? try Norm(
        "vision.norm",
        in: parameters,
        width: encoder.hidden,
        epsilon: encoder.epsilon,
        hasBias: true
      ) : nil
  }

  /// Some blocks of an encoder.
  static func blocks(
    _ encoder: EncoderDescription,
    _ range: Range<Int>,
    in parameters: ParameterSet
  ) throws(LayerError) -> [TransformerBlock] {
    var blocks: [TransformerBlock] = []
    for index in range {
      blocks.append(
        try TransformerBlock(
          tower: "vision.blk.\(index)",
          in: parameters,
          hidden: encoder.hidden,
          ffn: encoder.ffn,
          shape: AttentionShape(
            heads: encoder.heads,
            kvHeads: encoder.heads,
            headDim: encoder.headDim,
            isCausal: false
          ),
          activation: encoder.activation,
          epsilon: encoder.epsilon
        )
      )
    }
    return blocks
  }

  /// Rows of each picture.
  private func sequences(_ pictures: Int) -> [Range<Int>] {
    (0..<pictures).map { $0 * encoder.rows..<($0 + 1) * encoder.rows }
  }

  /// Rows of a picture that feed the adapter.
  private func chosen(_ picture: Int) -> Range<Int> {
    (picture + 1) * encoder.rows - encoder.features..<(picture + 1) * encoder.rows
  }

  /// Features of pictures, `[pictures · features, hidden]`.
  ///
  /// - Parameters:
  ///   - pictures: normalised pixels.
  ///   - mode: what is kept for `backward`.
  ///   - isFinal: no backward pass follows.
  ///   - features: receives the rows.
  ///   - context: execution and workspace.
  /// - Throws: `LayerError`.
  package func forward(
    _ pictures: [[Float]],
    mode: ActivationMode,
    isFinal: Bool,
    into features: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let rows = pictures.count * encoder.rows
    try embedding.forward(pictures, into: try stack.input(rows: rows, context), context)
    let output = try stack.forward(
      rows: rows,
      sequences: sequences(pictures.count),
      mode: mode,
      isFinal: isFinal,
      context
    )
    for picture in pictures.indices {
      let target = features.rows(picture * encoder.features..<(picture + 1) * encoder.features)
      let source = output.rows(chosen(picture))
      if let finalNorm {
        let kept = try last(pictures.count, context)
          .rows(picture * encoder.features..<(picture + 1) * encoder.features)
        kept.copy(from: source)
        try finalNorm.forward(kept, into: target, context)
      } else {
        target.copy(from: source)
      }
    }
  }

  /// Adds to the gradients of the encoder.
  ///
  /// - Parameters:
  ///   - dfeatures: dL/d features.
  ///   - pictures: number of pictures.
  ///   - mode: that of the forward pass.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dfeatures: MatrixView<Float>,
    pictures: Int,
    mode: ActivationMode,
    _ context: LayerContext
  ) throws {
    let rows = pictures * encoder.rows
    let d = try context.workspace.floats("vision.gradient", rows, encoder.hidden)
    d.fill(0)
    var source = dfeatures
    if let finalNorm {
      source = try context.workspace.floats(
        "vision.dnorm",
        dfeatures.rows,
        dfeatures.columns
      )
      source.fill(0)
      try finalNorm.backward(
        try last(pictures, context),
        dfeatures,
        addingTo: source,
        context
      )
    }
    for picture in 0..<pictures {
      d.rows(chosen(picture)).copy(
        from: source.rows(picture * encoder.features..<(picture + 1) * encoder.features)
      )
    }
    try stack.backward(d, sequences: sequences(pictures), mode: mode, context)
    try embedding.backward(d, pictures: pictures, context)
  }

  /// Rows before the final norm.
  private func last(
    _ pictures: Int,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    try context.workspace.floats("vision.last", pictures * encoder.features, encoder.hidden)
  }
}
