// SPDX-License-Identifier: Apache-2.0
// In which order an epoch sees its samples, and which of them share a step.

/// How samples are put together.
package enum BatchGrouping: String, Sendable, CaseIterable {
  /// Shuffled, nothing else.
  case none
  /// Pictures with pictures and text with text, similar lengths together.
  case modality
}

/// The order of one epoch as a function of seed and epoch.
package struct BatchPlanner: Sendable {
  /// Samples of one optimiser step.
  package let batch: Int
  package let grouping: BatchGrouping
  package let seed: UInt64
  private let lengths: [UInt32]
  private let hasImage: [Bool]

  /// Length that stands for a picture when lengths are compared.
  ///
  /// - Source: LLaVA `train.py`, `lengths`; only used among samples of one kind here.
  private static let imageWords: UInt32 = 128

  /// A planner for the records of `dataset`.
  ///
  /// - Precondition: `batch` is positive.
  package init(_ dataset: Dataset, batch: Int, grouping: BatchGrouping, seed: UInt64) {
    self.init(
      lengths: dataset.entries.map(\.words),
      hasImage: dataset.entries.map(\.hasImage),
      batch: batch,
      grouping: grouping,
      seed: seed
    )
  }

  /// A planner for samples of known lengths.
  ///
  /// - Precondition: `batch` is positive; the arrays have the same count.
  package init(
    lengths: [UInt32],
    hasImage: [Bool],
    batch: Int,
    grouping: BatchGrouping,
    seed: UInt64
  ) {
    precondition(batch > 0 && lengths.count == hasImage.count, "bad plan of \(batch) a batch")
    self.lengths = lengths
    self.hasImage = hasImage
    self.batch = batch
    self.grouping = grouping
    self.seed = seed
  }

  /// Samples of an epoch.
  package var count: Int { lengths.count }

  /// Steps of an epoch; the last one may have fewer samples.
  package var stepsPerEpoch: Int { (count + batch - 1) / batch }

  /// Every sample once, in the order in which the epoch sees them.
  package func order(epoch: Int) -> [Int] {
    switch grouping {
    case .none:
      var order = Array(0..<count)
      var random = CounterRandom(seed: seed, .order, epoch)
      random.shuffle(&order)
      return order
    case .modality: return modalityOrder(epoch: epoch)
    }
  }

  /// Two lists, each shuffled, cut into mega-batches sorted by length; those of both shuffled together,
  /// the two ragged tails as one mixed batch at the end.
  ///
  /// - Source: LLaVA `llava_trainer.py`, `get_modality_length_grouped_indices`; reference.md H.3. With
  ///   one device a mega-batch is a batch, so its split into chunks of equal length is the identity.
  private func modalityOrder(epoch: Int) -> [Int] {
    let pictures = (0..<count).filter { hasImage[$0] }
    let texts = (0..<count).filter { !hasImage[$0] }
    var batches: [[Int]] = []
    var tail: [Int] = []
    for (kind, members) in [pictures, texts].enumerated() {
      var members = members
      var random = CounterRandom(seed: seed, .order, epoch, kind)
      random.shuffle(&members)
      var start = 0
      while members.count - start >= batch {
        batches.append(sorted(Array(members[start..<start + batch])))
        start += batch
      }
      tail += members[start...]
    }
    var random = CounterRandom(seed: seed, .megabatches, epoch)
    random.shuffle(&batches)
    return batches.flatMap { $0 } + sorted(tail)
  }

  /// The longest first; equal lengths by index, so that the order is one.
  private func sorted(_ members: [Int]) -> [Int] {
    members.sorted { left, right in
      let (a, b) = (length(left), length(right))
      return a == b ? left < right : a > b
    }
  }

  private func length(_ index: Int) -> UInt64 {
    UInt64(lengths[index]) + UInt64(hasImage[index] ? Self.imageWords : 0)
  }
}
