// SPDX-License-Identifier: Apache-2.0
// The samples of one micro-batch: ids, features and the pairs to align.

internal import SEADataset
internal import SEAFormat
internal import SEAImage
package import SEALayers
package import SEAModel
package import SEATensor

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

  /// The adapter's row of each pair, where pictures have `ranges`.
  ///
  /// - Throws: `TrainerError.usage` for a patch that the picture does not have.
  package func rows(in ranges: [Range<Int>]) throws(TrainerError) -> [Int] {
    var first: [Int] = []
    var next = 0
    for sample in samples {
      first.append(next)
      next += sample.pictures.count
    }
    var rows: [Int] = []
    for pair in pairs {
      guard samples.indices.contains(pair.row), !samples[pair.row].pictures.isEmpty,
        first[pair.row] < ranges.count
      else { throw .usage("a pair names row \(pair.row), which has no picture") }
      let range = ranges[first[pair.row]]
      guard pair.patch >= 0, pair.patch < range.count else {
        throw .usage("a pair names patch \(pair.patch) of a picture with \(range.count)")
      }
      rows.append(range.lowerBound + pair.patch)
    }
    return rows
  }
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
