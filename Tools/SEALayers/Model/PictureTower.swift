// SPDX-License-Identifier: Apache-2.0
// The whole vision encoder up to the joint space, as contrastive training needs it.

package import SEAModel
package import SEATensor

/// Pictures in, points of the joint space out: every block, the final norm, and CLIP's projection of
/// the class token or SigLIP's pooling head.
///
/// Source: reference.md B.1.5, B.2.4.
package struct PictureTower {
  private enum Kind {
    case projection(Linear)
    case pooling(PoolingHead)
  }

  package let encoder: EncoderDescription
  private let embedding: PatchEmbedding
  private let stack: BlockStack
  private let norm: Norm
  private let kind: Kind

  /// Binds the parameters `vision.*`.
  ///
  /// - Throws: `LayerError.parameter`, `.missingPart` for an encoder that leads to no joint space.
  package init(
    _ encoder: EncoderDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
    guard encoder.scales.isEmpty else { throw .unsupported("an encoder at several scales") }
    self.encoder = encoder
    embedding = try PatchEmbedding(encoder, in: parameters)
    stack = BlockStack(
      try VisionEncoder.blocks(encoder, 0..<encoder.blocks, in: parameters),
      hidden: encoder.hidden,
      name: "pictures"
    )
    norm = try Norm(
      "vision.norm",
      in: parameters,
      width: encoder.hidden,
      epsilon: encoder.epsilon,
      hasBias: true
    )
    if let width = encoder.projection {
      kind = .projection(
        try Linear(
          "vision.proj",
          in: parameters,
          rows: width,
          columns: encoder.hidden,
          hasBias: false
        )
      )
    } else if encoder.hasPoolingHead {
      kind = .pooling(try PoolingHead(encoder, in: parameters))
    } else {
      throw .missingPart(name: "way to the joint space")
    }
  }

  private func sequences(_ pictures: Int) -> [Range<Int>] {
    (0..<pictures).map { $0 * encoder.rows..<($0 + 1) * encoder.rows }
  }

  /// Rows whose norm the joint space needs: the class tokens, or all.
  private func chosen(
    _ pictures: Int,
    _ name: String,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    var rows = pictures
    if case .pooling = kind { rows *= encoder.rows }
    return try context.workspace.floats("pictures.\(name)", rows, encoder.hidden)
  }

  /// Places pictures in the joint space; results are not normalised.
  ///
  /// - Parameters:
  ///   - pictures: normalised pixels.
  ///   - mode: what is kept for `backward`.
  ///   - isFinal: no backward pass follows.
  ///   - points: `[pictures, jointWidth]`.
  ///   - context: execution and workspace.
  /// - Throws: `LayerError`.
  package func forward(
    _ pictures: [[Float]],
    mode: ActivationMode,
    isFinal: Bool = false,
    into points: MatrixView<Float>,
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
    let last = try chosen(pictures.count, "last", context)
    let normed = try chosen(pictures.count, "normed", context)
    switch kind {
    case .projection(let layer):
      for (picture, range) in sequences(pictures.count).enumerated() {
        last.rows(picture..<picture + 1)
          .copy(from: output.rows(range.lowerBound..<range.lowerBound + 1))
      }
      try norm.forward(last, into: normed, context)
      try layer.forward(normed, into: points, context)
    case .pooling(let head):
      last.copy(from: output)
      try norm.forward(last, into: normed, context)
      try head.forward(normed, into: points, context)
    }
  }

  /// Adds to the gradients of the tower, from the last layer to the first.
  ///
  /// - Parameters:
  ///   - dpoints: dL/d points.
  ///   - mode: that of the forward pass.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dpoints: MatrixView<Float>,
    mode: ActivationMode,
    _ context: LayerContext
  ) throws {
    let pictures = dpoints.rows
    let last = try chosen(pictures, "last", context)
    let normed = try chosen(pictures, "normed", context)
    let dnormed = try chosen(pictures, "dnormed", context)
    let dlast = try chosen(pictures, "dlast", context)
    let d = try context.workspace.floats(
      "pictures.gradient",
      pictures * encoder.rows,
      encoder.hidden
    )
    dlast.fill(0)
    d.fill(0)
    switch kind {
    case .projection(let layer):
      try layer.backward(dpoints, input: normed, into: dnormed, context)
    case .pooling(let head):
      try head.backward(dpoints, input: normed, into: dnormed, context)
    }
    try norm.backward(last, dnormed, addingTo: dlast, context)
    switch kind {
    case .projection:
      for (picture, range) in sequences(pictures).enumerated() {
        d.rows(range.lowerBound..<range.lowerBound + 1)
          .copy(from: dlast.rows(picture..<picture + 1))
      }
    case .pooling: d.copy(from: dlast)
    }
    try stack.backward(d, sequences: sequences(pictures), mode: mode, context)
    try embedding.backward(d, pictures: pictures, context)
  }
}
