// SPDX-License-Identifier: Apache-2.0
// The samples of one micro-batch: ids, features and the pairs to align.

package import SEALayers

/// A micro-batch.
package struct StageBatch {
  /// What the model takes.
  package var samples: [TrainingSample] = []
  /// Names for messages.
  package var names: [String] = []
  /// Pairs; a row is the position of a sample here.
  package var pairs: [StagePair] = []
  /// Samples that were left out because they are too long.
  package var skippedLong = 0

  /// An empty batch.
  package init() {}

  /// Targets of all samples.
  package var counted: Int { samples.reduce(0) { $0 + $1.counted } }
}

/// A patch of a sample and the tokens of the word that it is drawn to.
package struct StagePair: Sendable, Equatable {
  package let row: Int
  package let patch: Int
  package let tokens: [Int32]

  /// A pair.
  package init(row: Int, patch: Int, tokens: [Int32]) {
    self.row = row
    self.patch = patch
    self.tokens = tokens
  }
}

/// Where micro-batches come from.
package protocol StageSource: AnyObject {
  /// The micro-batches of a step.
  ///
  /// What they are depends on the step alone.
  func batches(step: Int) throws -> [StageBatch]
}
