// SPDX-License-Identifier: Apache-2.0
// The words of one picture's patches, as the sampler takes them.

/// A word that a patch may be labelled with.
package struct LabelCandidate: Sendable, Equatable {
  /// Position in the word list.
  package let word: Int
  /// Above 0.
  package let score: Float

  /// A candidate.
  package init(word: Int, score: Float) {
    self.word = word
    self.score = score
  }
}

/// Candidates for each cell of a picture's grid, best first; cells may have none.
package struct PatchCandidates: Sendable, Equatable {
  package let height: Int
  package let width: Int
  /// Row by row.
  package let cells: [[LabelCandidate]]

  /// A grid.
  ///
  /// - Precondition: there are `height · width` cells.
  package init(height: Int, width: Int, cells: [[LabelCandidate]]) {
    precondition(
      height > 0 && width > 0 && cells.count == height * width,
      "\(cells.count) cells for \(height)×\(width)"
    )
    self.height = height
    self.width = width
    self.cells = cells
  }

  /// The grid as `height` × `width` cells, each with the words of the cell that is nearest to its centre.
  package func resampled(height: Int, width: Int) -> PatchCandidates {
    guard height != self.height || width != self.width else { return self }
    var cells: [[LabelCandidate]] = []
    cells.reserveCapacity(height * width)
    for row in 0..<height {
      let from = min((2 * row + 1) * self.height / (2 * height), self.height - 1)
      for column in 0..<width {
        let at = min((2 * column + 1) * self.width / (2 * width), self.width - 1)
        cells.append(self.cells[from * self.width + at])
      }
    }
    return PatchCandidates(height: height, width: width, cells: cells)
  }
}

/// A source of labels.
package protocol LabelSource {
  /// Words of the list.
  var wordCount: Int { get }
  /// What identifies the labels: a hash of the file.
  var fingerprint: String { get }

  /// A word by its position.
  func word(_ index: Int) -> String

  /// The labels of the picture that a record names; nil: the picture has none.
  func labels(id: String, image: String) throws -> PatchCandidates?
}
