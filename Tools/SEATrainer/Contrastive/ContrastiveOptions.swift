// SPDX-License-Identifier: Apache-2.0
// The settings of contrastive training.

/// Whose model is trained, and by which loss.
package enum ContrastiveKind: String, Sendable, CaseIterable {
  /// Softmax over the batch, class token, projections.
  case clip
  /// A sigmoid for each pair, pooling head.
  case siglip
}

/// What of a caption is set beside its picture.
package enum CaptionUse: String, Sendable, CaseIterable {
  /// All of it, up to the longest text.
  case whole
  /// One of the phrases between its stops, commas and `and`s, drawn anew each time.
  case phrase
  /// Half the time the one, half the time the other.
  case mixed
}

/// Settings of a contrastive run.
package struct ContrastiveOptions: Sendable {
  package var kind = ContrastiveKind.clip
  /// Pictures of a step.
  package var batch = 64
  package var captions = CaptionUse.mixed
  /// Multiplies the loss of patches; 0: there is none.
  package var denseWeight = 1.0
  /// How much a patch of mere ground counts beside one that shows a thing.
  package var groundWeight = 0.2
  /// How much a patch with a mark (a digit) counts: few patches have one.
  package var markWeight = 1.0
  /// Words of the list that are set against the patches of a step.
  package var distractors = 128
  package var seed: UInt64 = 0
  /// Pictures that may fail.
  package var maxBadImages = 100

  /// The defaults.
  package init() {}
}

/// Peak learning rates, and the decay of what decays.
package struct ContrastiveRates: Sendable, Equatable {
  /// Of both towers.
  package var towers: Double
  /// Of the logits' scale and bias.
  package var scale: Double
  package var weightDecay: Double

  /// Memberwise.
  package init(towers: Double, scale: Double, weightDecay: Double) {
    self.towers = towers
    self.scale = scale
    self.weightDecay = weightDecay
  }
}
