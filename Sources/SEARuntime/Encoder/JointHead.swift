// SPDX-License-Identifier: Apache-2.0
// From the encoder's selected rows to the joint space.

import SEAModel
package import SEATensor

/// A picture and its patches in the joint space; none is normalised.
package struct JointFeatures: Sendable {
  /// `[patches, joint]`.
  package let patches: MatrixView<Float>
  /// `[1, joint]`.
  package let picture: MatrixView<Float>
}

/// The blocks after the selected one, the final norm, and what follows it.
///
/// CLIP projects every row; the class token's is the picture. SigLIP's rows are in the joint space's
/// width as they are, and a pooling head makes the picture.
///
/// Source: reference.md B.1.5, B.2.4.
package final class JointHead: Sendable {
  enum Kind: Sendable {
    case projection(Linear)
    case pooling(PoolingHead)
  }

  let blocks: [EncoderBlock]
  let norm: Normalization
  let kind: Kind
  private let encoder: EncoderDescription

  /// Binds the tensors behind the selected block.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  init(_ encoder: EncoderDescription, weights: any WeightProvider) throws(RuntimeError) {
    self.encoder = encoder
    var blocks: [EncoderBlock] = []
    for index in encoder.selection.layer..<encoder.blocks {
      blocks.append(try EncoderBlock(index, of: encoder, weights: weights))
    }
    self.blocks = blocks
    norm = try weights.layerNorm("vision.norm", width: encoder.hidden, epsilon: encoder.epsilon)
    kind =
      if let width = encoder.projection {
        .projection(
          try weights.linear("vision.proj", rows: width, columns: encoder.hidden, hasBias: false)
        )
      } else {
        .pooling(try PoolingHead(encoder, weights: weights))
      }
  }

  /// Goes on from the rows after the selected block, which it changes.
  fileprivate func run(
    _ scratch: EncoderScratch,
    tracing: Tracing?,
    on execution: Execution
  ) throws(RuntimeError) -> JointFeatures {
    let rows = scratch.rows
    for (index, block) in blocks.enumerated() {
      try block.run(
        rows,
        store: scratch.store,
        pairs: scratch.pairs,
        scratch: scratch.block,
        on: execution
      )
      tracing?.record(.visionHidden(block: encoder.selection.layer + index + 1), rows)
    }
    let features: JointFeatures
    let patches = rows.rows - encoder.patches..<rows.rows
    switch kind {
    case .projection(let layer):
      let points = try Self.matrix(rows: rows.rows, columns: layer.weight.rows)
      try execution.apply(
        rows,
        norm: norm,
        in: scratch.block.room,
        LinearTask(layer, into: points)
      )
      features = JointFeatures(patches: points.rows(patches), picture: points.rows(0..<1))
    case .pooling(let head):
      let points = try Self.matrix(rows: rows.rows, columns: rows.columns)
      norm.apply(rows, into: points, with: execution.kernels)
      let picture = try Self.matrix(rows: 1, columns: rows.columns)
      try head.run(points, scratch: scratch, into: picture, on: execution)
      features = JointFeatures(patches: points.rows(patches), picture: picture)
    }
    tracing?.record(.visionProjected, features.patches)
    tracing?.record(.visionPooled, features.picture)
    return features
  }

  static func matrix(rows: Int, columns: Int) throws(RuntimeError) -> MatrixView<Float> {
    do throws(FileError) {
      return try MatrixView(rows: rows, columns: columns)
    } catch {
      throw .file(error)
    }
  }
}

extension VisionEncoder {
  /// Encodes one picture up to the joint space.
  ///
  /// - Parameters:
  ///   - pixels: `[3, side, side]`, normalised, channel first.
  ///   - joint: this encoder's head.
  ///   - scratch: working memory for this encoder.
  ///   - tracing: sees every hidden state, the features for the adapter, and the result.
  ///   - execution: kernels and threads.
  /// - Returns: the picture and its patches in the joint space.
  /// - Throws: `RuntimeError.input` for another number of values.
  package func encode(
    _ pixels: [Float],
    to joint: JointHead,
    scratch: EncoderScratch,
    tracing: Tracing? = nil,
    on execution: Execution
  ) throws(RuntimeError) -> JointFeatures {
    try run(pixels, scratch: scratch, tracing: tracing, on: execution)
    if let tracing { tracing.record(.visionFeatures, try select(scratch.rows, on: execution)) }
    return try joint.run(scratch, tracing: tracing, on: execution)
  }
}
