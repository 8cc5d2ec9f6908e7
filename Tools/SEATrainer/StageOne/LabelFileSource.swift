// SPDX-License-Identifier: Apache-2.0
// A label file as the sampler's source of words.

package import SEAImage
internal import SEALabels

/// The labels of a file that was made with the geometry of the training pictures.
package struct LabelFileSource: LabelSource {
  private let file: LabelFile
  package let fingerprint: String

  /// Opens a label file.
  ///
  /// - Throws: `LabelError` when it is damaged or its pictures were prepared otherwise, `TrainerError`
  ///   when it cannot be read.
  package init(path: String, recipe: ImageRecipe) throws {
    file = try LabelFile(path: path)
    try file.require(recipe)
    fingerprint = try Digest.file(path)
  }

  package var wordCount: Int { file.wordCount }

  package func word(_ index: Int) -> String { file.word(index) }

  package func labels(id: String, image: String) throws -> PatchCandidates? {
    guard let record = file.record(forKey: image) ?? file.record(forKey: id) else { return nil }
    let grid = file.grid
    var cells = [[LabelCandidate]](repeating: [], count: grid.patches)
    if file.header.presampling == nil {
      for (patch, labels) in try file.labels(ofRecord: record).enumerated() {
        cells[patch] = labels.map { LabelCandidate(word: $0.word, score: $0.score) }
      }
    } else {
      // What was drawn when the file was made is all that can be drawn now.
      for draw in try file.draws(ofRecord: record) {
        guard let draw, cells.indices.contains(draw.patch) else { continue }
        cells[draw.patch] = [LabelCandidate(word: draw.word, score: 1)]
      }
    }
    return PatchCandidates(height: grid.rows, width: grid.columns, cells: cells)
  }
}
