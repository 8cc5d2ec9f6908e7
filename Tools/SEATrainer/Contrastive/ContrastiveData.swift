// SPDX-License-Identifier: Apache-2.0
// Pictures, texts and words of each step, drawn by seed and step alone.

package import SEADataset
internal import SEAImage
internal import SEALayers
internal import SEATensor

/// The data of a contrastive run.
package final class ContrastiveData {
  private let dataset: Dataset
  private let images: ImageFolder
  private let pixels: PatchPixels
  private let texts: TowerTexts
  private let masks: PatchMasks?
  /// Ids of the words that patches show.
  private let words: [[Int32]]
  /// Ids of words that no picture shows.
  private let distractors: [[Int32]]
  private let options: ContrastiveOptions
  private let usable: [Int]
  private let planner: BatchPlanner
  private var order: (epoch: Int, indices: [Int])?
  private var bad: Set<Int> = []

  /// Called with each picture that is left out.
  package var skip: (String) -> Void = { _ in }

  /// The data of a run.
  ///
  /// - Parameters:
  ///   - dataset: records with pictures and captions.
  ///   - images: where pictures lie.
  ///   - pixels: prepares them.
  ///   - texts: makes ids.
  ///   - masks: what patches show; nil: nothing is said of patches.
  ///   - distractors: words that no picture shows.
  ///   - options: settings.
  /// - Throws: `TrainerError.usage` for fewer pictures than a step has.
  package init(
    _ dataset: Dataset,
    images: ImageFolder,
    pixels: PatchPixels,
    texts: TowerTexts,
    masks: PatchMasks?,
    distractors: [String],
    options: ContrastiveOptions
  ) throws(TrainerError) {
    self.dataset = dataset
    self.images = images
    self.pixels = pixels
    self.texts = texts
    self.masks = masks
    self.options = options
    words = masks?.words.map { texts.ids(of: $0) } ?? []
    self.distractors = distractors.map { texts.ids(of: $0) }
    usable = dataset.entries.indices.filter { dataset.entries[$0].hasImage }
    guard usable.count >= options.batch else {
      throw .badInput(
        path: dataset.path,
        problem: "\(usable.count) records with a picture, a step takes \(options.batch)"
      )
    }
    planner = BatchPlanner(
      lengths: [UInt32](repeating: 0, count: usable.count),
      hasImage: [Bool](repeating: true, count: usable.count),
      batch: options.batch,
      grouping: .none,
      seed: options.seed
    )
  }

  /// Steps in which every picture is seen once.
  package var stepsPerEpoch: Int { planner.stepsPerEpoch }

  /// Words that a step sets against its patches, those of the masks first.
  package var wordsOfStep: Int {
    words.isEmpty ? 0 : words.count + min(options.distractors, distractors.count)
  }

  /// The batch of a step and the names of its samples.
  ///
  /// Epochs follow one another without a gap: every batch is full.
  /// - Throws: `TrainerError.badInput` when too many pictures fail, or what the records throw.
  package func batch(step: Int) throws -> (batch: ContrastiveBatch, names: [String]) {
    let first = step * options.batch
    var samples: [(number: Int, sample: Sample, path: String, place: Int)] = []
    for place in 0..<options.batch {
      let number = usable[index(first + place)]
      let sample = try dataset.sample(number)
      do {
        let path = try images.path(of: sample.image ?? "")
        samples.append((number, sample, path, place))
      } catch {
        try leaveOut(number, sample, error)
      }
    }
    let results = pixels.pictures(samples.map { ($0.number, $0.path) })
    var pictures: [[UInt8]] = []
    var texts: [String] = []
    var names: [String] = []
    var shown = PatchWords()
    for (entry, result) in zip(samples, results) {
      switch result {
      case .failure(let error): try leaveOut(entry.number, entry.sample, error)
      case .success(let picture):
        pictures.append(picture)
        var random = CounterRandom(seed: options.seed, .captions, step, entry.place)
        let caption = CaptionTexts(entry.sample.rounds.map(\.answer).joined(separator: " "))
        texts.append(caption.draw(options.captions, &random, taken: Set(texts)))
        names.append(name(entry.number, entry.sample))
        masks?.add(
          entry.sample.image ?? "",
          groundWeight: Float(options.groundWeight),
          markWeight: Float(options.markWeight),
          to: &shown
        )
      }
    }
    let (pixels, chosen) = (pixels, pictures)
    var batch = ContrastiveBatch(
      pictures: chosen.count,
      texts: texts.map { self.texts.ids(of: $0) },
      fill: { pixels.cut(chosen, into: $0) }
    )
    if masks != nil {
      batch.words = words + drawnDistractors(step)
      batch.shown = shown
    }
    return (batch, names)
  }

  /// The record at a place of the endless sequence of epochs.
  private func index(_ place: Int) -> Int {
    let epoch = place / planner.count
    if order?.epoch != epoch { order = (epoch, planner.order(epoch: epoch)) }
    return order?.indices[place % planner.count] ?? 0
  }

  /// Some distractors, each at most once.
  private func drawnDistractors(_ step: Int) -> [[Int32]] {
    let count = min(options.distractors, distractors.count)
    guard count < distractors.count else { return distractors }
    var random = CounterRandom(seed: options.seed, .distractors, step)
    var indices = Array(distractors.indices)
    for place in 0..<count {
      indices.swapAt(place, place + random.below(indices.count - place))
    }
    return indices[..<count].map { distractors[$0] }
  }

  private func name(_ number: Int, _ sample: Sample) -> String {
    sample.id.isEmpty ? "line \(dataset.entries[number].line)" : sample.id
  }

  private func leaveOut(_ number: Int, _ sample: Sample, _ error: any Error) throws {
    guard bad.insert(number).inserted else { return }
    skip("\(name(number, sample)): \(error)")
    guard bad.count <= options.maxBadImages else {
      throw TrainerError.badInput(
        path: dataset.path,
        problem: "\(bad.count) pictures cannot be read, the last: \(error)"
      )
    }
  }
}
