// SPDX-License-Identifier: Apache-2.0
// Samples as rows of a language model: text and visual tokens in order, sequence after sequence.

import SEATensor

/// Where everything of a batch lies once pictures took their places.
struct SplicedBatch {
  /// Rows of each sample.
  private(set) var sequences: [Range<Int>] = []
  /// Text tokens and their rows.
  private(set) var ids: [Int32] = []
  private(set) var places: [Int] = []
  /// Runs of visual tokens: rows of the adapter's outputs and rows of the batch.
  private(set) var visual: [(tokens: Range<Int>, rows: Range<Int>)] = []
  /// Rows whose next token counts, and that token.
  private(set) var scored: [Int] = []
  private(set) var targets: [Int32] = []
  /// Scored rows of each sample.
  private(set) var scoredCounts: [Int] = []
  /// Rows of all samples.
  private(set) var rows = 0

  /// Splices samples.
  ///
  /// - Parameters:
  ///   - samples: at least one token each.
  ///   - pictures: rows of the adapter's outputs of each picture, sample by sample.
  /// - Throws: `LayerError.images` or `.input`.
  init(_ samples: [TrainingSample], pictures: [Range<Int>]) throws(LayerError) {
    var next = 0
    for sample in samples {
      guard sample.ids.count == sample.isTarget.count, !sample.ids.isEmpty else {
        throw .input(
          what: "a sample",
          found: "\(sample.ids.count) ids and \(sample.isTarget.count) target flags",
          expected: "one flag for each of at least one id"
        )
      }
      let placeholders = sample.ids.count { $0 == TrainingSample.imageID }
      guard placeholders == sample.pictures.count else {
        throw .images(placeholders: placeholders, given: sample.pictures.count)
      }
      let (start, before) = (rows, scored.count)
      for (id, isTarget) in zip(sample.ids, sample.isTarget) {
        if id == TrainingSample.imageID {
          let tokens = pictures[next]
          visual.append((tokens, rows..<rows + tokens.count))
          rows += tokens.count
          next += 1
          continue
        }
        if isTarget, rows > start {
          scored.append(rows - 1)
          targets.append(id)
        }
        ids.append(id)
        places.append(rows)
        rows += 1
      }
      sequences.append(start..<rows)
      scoredCounts.append(scored.count - before)
    }
  }
}
