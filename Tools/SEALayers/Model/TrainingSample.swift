// SPDX-License-Identifier: Apache-2.0
// What a model is trained on: token ids with a target flag each, and pictures.

package import SEATensor

/// A picture of a sample.
package enum TrainingPicture: Sendable {
  /// Normalised pixels, `[3, side, side]`, channel first: the encoder runs.
  case pixels([Float])
  /// Rows that a frozen encoder gave, `[features, featureWidth]`: computed once and kept elsewhere.
  case features(MatrixView<Float>)
}

/// One sequence.
package struct TrainingSample: Sendable {
  /// Takes the place of a picture's visual tokens in `ids` (as LLaVA's files have it).
  package static let imageID: Int32 = -200

  /// Token ids, `imageID` where a picture goes.
  package var ids: [Int32]
  /// True for tokens that are to be predicted from those before them; as long as `ids`.
  ///
  /// Pictures never count, nor does position 0, where nothing stands before.
  package var isTarget: [Bool]
  /// A picture for each `imageID`, in order.
  package var pictures: [TrainingPicture]

  /// A sequence; see the properties.
  package init(ids: [Int32], isTarget: [Bool], pictures: [TrainingPicture] = []) {
    self.ids = ids
    self.isTarget = isTarget
    self.pictures = pictures
  }

  /// Tokens that count in the loss.
  package var counted: Int {
    zip(ids, isTarget).dropFirst().count { $0.0 != Self.imageID && $0.1 }
  }
}

/// What one pass over some samples computes.
package struct PassOptions: Sendable {
  /// Multiplies the gradient of the generation loss; 0: the language model does not run at all.
  package var generationWeight: Float = 1
  /// Tokens that the loss is a mean over; nil: those of the samples of this pass.
  ///
  /// Give the number of the whole step when its samples are accumulated over several passes.
  package var countedTokens: Int?
  /// Compute gradients; without them nothing is dropped out.
  package var runsBackward = true
  /// Decides the dropout of low-rank layers; give each pass another one.
  package var seed: UInt64 = 0

  /// One pass with gradients of the generation loss.
  package init() {}
}

/// What a pass found.
package struct PassResult: Sendable {
  /// Sum of the token losses divided by the counted tokens of the options (or of the samples).
  package var generationLoss = 0.0
  /// Tokens of these samples that counted.
  package var countedTokens = 0
  /// Positions of these samples, visual tokens included.
  package var positions = 0
  /// Loss of each counted token, in order, for each sample.
  package var tokenLosses: [[Float]] = []
  /// dL/d visual tokens (the adapter's outputs) of the generation loss alone, in the order of
  /// `VisualTokens.ranges`; nil unless gradients of the adapter were computed.
  package var visualGradients: MatrixView<Float>?
}

/// The adapter's outputs of one pass, for a loss of one's own on them.
package struct VisualTokens {
  /// `[Σ tokens, hidden]`, before the language model's visual scale.
  package let rows: MatrixView<Float>
  /// dL/d rows, zero at first: add the gradient of a loss here.
  package let gradients: MatrixView<Float>
  /// Rows of each picture: sample by sample, picture by picture.
  package let ranges: [Range<Int>]
}
