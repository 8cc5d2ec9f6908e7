// SPDX-License-Identifier: Apache-2.0
// How many patches of pictures that are not trained on get the right word.

package import SEADataset
internal import SEAImage
internal import SEALayers
internal import SEAModel
internal import SEATensor

/// Pictures with masks that are looked at, and the words that compete for their patches.
///
/// For each kind of word: of the patches that show one of the kind, the share whose nearest word of the kind
/// is shown. `any`: of the patches that show things, the share whose nearest word of all, distractors
/// included, is shown.
package struct PatchProbe {
  private let pictures: [[UInt8]]
  private let images: [String]
  private let masks: PatchMasks
  private let words: [[Int32]]
  private let pixels: PatchPixels

  /// Pictures that go through the encoder together.
  private static let chunk = 32

  /// A probe.
  ///
  /// - Parameters:
  ///   - dataset: records with pictures.
  ///   - images: where pictures lie.
  ///   - pixels: prepares them; of its own, since it keeps them by number.
  ///   - texts: makes ids.
  ///   - masks: what their patches show.
  ///   - distractors: words that no picture shows.
  ///   - count: pictures at most, the first of the file.
  /// - Throws: `TrainerError.badInput` when there is no picture with a mask, or what reading throws.
  package init(
    _ dataset: Dataset,
    images: ImageFolder,
    pixels: PatchPixels,
    texts: TowerTexts,
    masks: PatchMasks,
    distractors: [String],
    count: Int
  ) throws {
    var files: [(number: Int, path: String)] = []
    var names: [String] = []
    for index in dataset.entries.indices where dataset.entries[index].hasImage {
      guard files.count < count else { break }
      let image = try dataset.sample(index).image ?? ""
      guard masks.knows(image) else { continue }
      files.append((index, try images.path(of: image)))
      names.append(image)
    }
    guard !files.isEmpty else {
      throw TrainerError.badInput(
        path: dataset.path,
        problem: "no record has a picture with a mask"
      )
    }
    pictures = try pixels.pictures(files).map { try $0.get() }
    self.images = names
    self.masks = masks
    self.pixels = pixels
    let known = Set(masks.words)
    words = (masks.words + distractors.filter { !known.contains($0) }).map { texts.ids(of: $0) }
  }

  /// Shares by name, `probe_` before each.
  ///
  /// - Throws: what the layers throw.
  package func figures(of model: ContrastiveModel) throws -> [String: Double] {
    let table = try model.points(of: words)
    scaleRows(of: table)
    let patches = model.encoder.patches
    var tallies = [Tally](repeating: Tally(), count: masks.groups.count + 1)
    let scores = try MatrixView<Float>(rows: Self.chunk * patches, columns: words.count)
    for start in stride(from: 0, to: pictures.count, by: Self.chunk) {
      let part = start..<min(start + Self.chunk, pictures.count)
      let chosen = Array(pictures[part])
      let points = try model.patchPoints(of: part.count) { pixels.cut(chosen, into: $0) }
      model.execution.multiply(
        ProductOperand(points),
        ProductOperand(table, transposed: true),
        into: scores.rows(0..<points.rows),
        isExact: true
      )
      for (offset, picture) in part.enumerated() {
        for patch in 0..<patches {
          let own = masks.patch(patch, of: images[picture])
          scores.withRow(offset * patches + patch) { row in
            count(row.span, own.words, own.isGround, &tallies)
          }
        }
      }
    }
    var figures: [String: Double] = [:]
    for (group, tally) in tallies.enumerated() where tally.count > 0 {
      let name = group < masks.groups.count ? masks.groups[group] : "any"
      figures["probe_\(name)"] = Double(tally.right) / Double(tally.count)
    }
    return figures
  }

  private struct Tally {
    var right = 0
    var count = 0
  }

  private func count(
    _ scores: Span<Float>,
    _ shown: ArraySlice<UInt16>,
    _ isGround: Bool,
    _ tallies: inout [Tally]
  ) {
    guard !shown.isEmpty else { return }
    let groups = masks.groups.count
    var best = [Int](repeating: -1, count: groups + 1)
    for word in scores.indices {
      let isOwn = word < masks.groupOfWord.count
      for group in [groups] + (isOwn ? [masks.groupOfWord[word]] : []) {
        if best[group] < 0 || scores[word] > scores[best[group]] { best[group] = word }
      }
    }
    func isShown(_ word: Int) -> Bool { shown.contains { Int($0) == word } }
    let present = Set(shown.map { masks.groupOfWord[Int($0)] })
    for group in present.union(isGround ? [] : [groups]) {
      tallies[group].count += 1
      if isShown(best[group]) { tallies[group].right += 1 }
    }
  }

  /// Rows of length 1; the length of a patch's point decides nothing.
  private func scaleRows(of table: MatrixView<Float>) {
    for row in 0..<table.rows {
      table.withRow(row) { values in
        var values = values
        var sum = 0.0
        for index in values.indices { sum += Double(values[index]) * Double(values[index]) }
        let factor = Float(1 / max(sum.squareRoot(), 1e-8))
        for index in values.indices { values[index] *= factor }
      }
    }
  }
}
