// SPDX-License-Identifier: Apache-2.0
// The settings of stage 1, each with its default of reference.md G.9 and H.1.

package import SEADataset
package import SEAText

/// Which pairs are negatives of each other.
package enum NegativeScope: String, Sendable, CaseIterable {
  /// Those of one micro-batch.
  case micro
  /// Those of all micro-batches of a step.
  case accum
}

/// What the generation loss is a mean over.
package enum TokenMean: String, Sendable, CaseIterable {
  /// The targets of each micro-batch, and then the mean of those means.
  case micro
  /// All targets of the step.
  case step
}

/// What becomes of samples that are longer than the limit.
package enum LongSamples: String, Sendable, CaseIterable {
  case skip
  /// They end at the limit.
  case cut
}

/// Settings of a stage-1 run.
package struct StageOneOptions: Sendable {
  /// Samples of a micro-batch.
  package var batch = 32
  /// Micro-batches of a step.
  package var accumulate = 8
  /// Sequences that go through the language model together.
  package var sequences = 1
  package var epochs = 1
  package var seed: UInt64 = 0
  package var grouping = BatchGrouping.none
  /// Weight of the alignment loss; 0 without labels.
  package var lambda = 1.0
  /// The language model never runs.
  package var alignmentOnly = false
  /// The generation loss is computed in every so many steps.
  package var generationEvery = 1
  package var tokenMean = TokenMean.micro
  package var rules = SamplingRules()
  package var negatives = NegativeScope.micro
  package var wordForm = WordForm.space
  /// Rows of the longest sequence, visual tokens included.
  package var maxLength = 2048
  package var longSamples = LongSamples.skip
  /// Pictures that cannot be read before the run gives up.
  package var maxBadImages = 100

  /// The defaults.
  package init() {}
}
