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
  /// Every block.
  package let stack: BlockStack
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
    _ hasPatches: Bool,
    _ name: String,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    var rows = pictures * encoder.rows
    if case .projection = kind, !hasPatches { rows = pictures }
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
    try finish(
      pictures.count,
      mode: mode,
      isFinal: isFinal,
      into: points,
      patchPoints: nil,
      context
    )
  }

  /// Places pictures, and perhaps each of their patches, in the joint space.
  ///
  /// A patch's point is what labels compare with words: CLIP's projection of its normed row, or its
  /// normed row alone through SigLIP's pooling head.
  ///
  /// - Parameters:
  ///   - pictures: number of pictures.
  ///   - mode: what is kept for `backward`.
  ///   - isFinal: no backward pass follows.
  ///   - points: `[pictures, jointWidth]`.
  ///   - patchPoints: `[pictures · patches, jointWidth]`; nil: not wanted.
  ///   - context: execution and workspace.
  ///   - fill: writes `[pictures · patches, patchValues]`, each patch as channel, row, column.
  /// - Throws: `LayerError`.
  package func forward(
    pictures: Int,
    mode: ActivationMode,
    isFinal: Bool = false,
    into points: MatrixView<Float>,
    patchPoints: MatrixView<Float>? = nil,
    _ context: LayerContext,
    patches fill: (MatrixView<Float>) -> Void
  ) throws(LayerError) {
    let input = try stack.input(rows: pictures * encoder.rows, context)
    try embedding.forward(pictures: pictures, into: input, context, patches: fill)
    try finish(
      pictures,
      mode: mode,
      isFinal: isFinal,
      into: points,
      patchPoints: patchPoints,
      context
    )
  }

  /// Everything behind hidden state 0.
  private func finish(
    _ pictures: Int,
    mode: ActivationMode,
    isFinal: Bool,
    into points: MatrixView<Float>,
    patchPoints: MatrixView<Float>?,
    _ context: LayerContext
  ) throws(LayerError) {
    let hasPatches = patchPoints != nil
    let output = try stack.forward(
      rows: pictures * encoder.rows,
      sequences: sequences(pictures),
      mode: mode,
      isFinal: isFinal,
      context
    )
    let last = try chosen(pictures, hasPatches, "last", context)
    let normed = try chosen(pictures, hasPatches, "normed", context)
    if last.rows == output.rows {
      context.execution.copy(output, into: last)
    } else {
      for (picture, range) in sequences(pictures).enumerated() {
        last.rows(picture..<picture + 1)
          .copy(from: output.rows(range.lowerBound..<range.lowerBound + 1))
      }
    }
    try norm.forward(last, into: normed, context)
    switch kind {
    case .projection(let layer):
      guard let patchPoints else {
        try layer.forward(normed, into: points, context)
        return
      }
      let all = try context.workspace.floats("pictures.all", normed.rows, points.columns)
      try layer.forward(normed, into: all, context)
      forEachPicture(pictures) { picture, first, patches in
        points.rows(picture..<picture + 1).copy(from: all.rows(first..<first + 1))
        patchPoints.rows(patches).copy(from: all.rows(first + 1..<first + 1 + patches.count))
      }
    case .pooling(let head):
      try head.forward(normed, into: points, context)
      if let patchPoints { try head.forwardAlone(normed, into: patchPoints, context) }
    }
  }

  /// Adds to the gradients of the tower, from the last layer to the first.
  ///
  /// - Parameters:
  ///   - dpoints: dL/d points.
  ///   - dpatchPoints: dL/d patch points; present as in the forward pass. With it, a sink hears of the
  ///     pooling head's parameters twice.
  ///   - mode: that of the forward pass.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dpoints: MatrixView<Float>,
    patchPoints dpatchPoints: MatrixView<Float>? = nil,
    mode: ActivationMode,
    _ context: LayerContext
  ) throws {
    let pictures = dpoints.rows
    let hasPatches = dpatchPoints != nil
    let last = try chosen(pictures, hasPatches, "last", context)
    let normed = try chosen(pictures, hasPatches, "normed", context)
    let dnormed = try chosen(pictures, hasPatches, "dnormed", context)
    switch kind {
    case .projection(let layer):
      var dall = dpoints
      if let dpatchPoints {
        dall = try context.workspace.floats("pictures.dall", normed.rows, dpoints.columns)
        forEachPicture(pictures) { [dall] picture, first, patches in
          dall.rows(first..<first + 1).copy(from: dpoints.rows(picture..<picture + 1))
          dall.rows(first + 1..<first + 1 + patches.count).copy(from: dpatchPoints.rows(patches))
        }
      }
      try layer.backward(dall, input: normed, into: dnormed, context)
    case .pooling(let head):
      try head.backward(dpoints, input: normed, into: dnormed, context)
      if let dpatchPoints {
        try head.backwardAlone(dpatchPoints, input: normed, addingTo: dnormed, context)
      }
    }
    let rows = pictures * encoder.rows
    let d = try context.workspace.floats("pictures.gradient", rows, encoder.hidden)
    d.fill(0)
    if last.rows == rows {
      try norm.backward(last, dnormed, addingTo: d, context)
    } else {
      let dlast = try chosen(pictures, hasPatches, "dlast", context)
      dlast.fill(0)
      try norm.backward(last, dnormed, addingTo: dlast, context)
      for (picture, range) in sequences(pictures).enumerated() {
        d.rows(range.lowerBound..<range.lowerBound + 1)
          .copy(from: dlast.rows(picture..<picture + 1))
      }
    }
    try stack.backward(d, sequences: sequences(pictures), mode: mode, context)
    try embedding.backward(d, pictures: pictures, context)
  }

  /// Calls `body` with each picture, its first row and the rows of its patches among all patches.
  private func forEachPicture(
    _ pictures: Int,
    _ body: (_ picture: Int, _ first: Int, _ patches: Range<Int>) -> Void
  ) {
    let count = encoder.patches
    for picture in 0..<pictures {
      body(picture, picture * encoder.rows, picture * count..<(picture + 1) * count)
    }
  }
}
