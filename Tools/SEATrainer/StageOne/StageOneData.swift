// SPDX-License-Identifier: Apache-2.0
// Micro-batches drawn from a dataset, with pictures and labels.

package import SEADataset
internal import SEAImage
internal import SEALayers
package import SEAModel
internal import SEATensor
internal import SEAText

/// The dataset of a run of either stage.
package final class StageOneData: StageSource {
  private let dataset: Dataset
  private let images: ImageFolder?
  private let prepared: PreparedSamples
  private let pictures: (any PictureSource)?
  private let labels: (any LabelSource)?
  private let targets: WordTargets?
  private let sampler: AlignmentSampler
  private let planner: BatchPlanner
  private let options: StageOneOptions
  private let visualTokens: Int
  private let gridSide: Int
  /// Rows of the features before the first patch: 1 with a class token, -1 where patch 0 was cut.
  private let firstPatch: Int
  private var order: (epoch: Int, indices: [Int])?
  private var wordTokens: [Int: [Int32]] = [:]

  /// Called for samples that are left out, with the reason.
  package var skip: (String) -> Void = { _ in }
  /// Samples that were left out.
  package private(set) var skipped = (long: 0, image: 0)

  /// Data of a run; without a source of pictures, of text alone.
  package init(
    _ dataset: Dataset,
    images: ImageFolder?,
    tokenizer: SampleTokenizer,
    pictures: (any PictureSource)?,
    labels: (any LabelSource)?,
    targets: WordTargets?,
    model: ModelDescription,
    options: StageOneOptions
  ) {
    self.dataset = dataset
    self.images = images
    prepared = PreparedSamples(dataset, tokenizer: tokenizer)
    self.pictures = pictures
    self.labels = labels
    self.targets = targets
    self.options = options
    sampler = AlignmentSampler(options.rules, seed: options.seed)
    planner = BatchPlanner(
      dataset,
      batch: options.batch * options.accumulate,
      grouping: options.grouping,
      seed: options.seed
    )
    visualTokens = model.visualTokens()
    gridSide = model.encoder?.gridSide ?? 1
    firstPatch = (model.encoder?.features ?? 0) - (model.encoder?.patches ?? 0)
  }

  /// Steps of all epochs.
  package var totalSteps: Int { planner.stepsPerEpoch * options.epochs }

  package func batches(step: Int) throws -> [StageBatch] {
    let epoch = step / planner.stepsPerEpoch
    if order?.epoch != epoch { order = (epoch, planner.order(epoch: epoch)) }
    let indices = order?.indices ?? []
    let start = step % planner.stepsPerEpoch * planner.batch
    let members = indices[start..<min(start + planner.batch, indices.count)]
    var batches: [StageBatch] = []
    var drawn: [AlignmentPair] = []
    var place = 0
    while place < members.count {
      let first = members.startIndex + place
      let part = members[first..<min(first + options.batch, members.endIndex)]
      var (batch, pairs) = try batch(part, step: step, first: place)
      if options.negatives == .micro {
        pairs = sampler.deduplicate(pairs, step: step, part: batches.count)
        batch.pairs = try pairs.compactMap { try stagePair($0, row: $0.row) }
      } else {
        // Rows count through the step until repeated words are dropped from all of it.
        let base = batches.count * options.batch
        drawn += pairs.map { AlignmentPair(row: base + $0.row, patch: $0.patch, word: $0.word) }
      }
      batches.append(batch)
      place += part.count
    }
    for pair in sampler.deduplicate(drawn, step: step, part: 0) {
      let index = pair.row / options.batch
      if let own = try stagePair(pair, row: pair.row % options.batch) {
        batches[index].pairs.append(own)
      }
    }
    return batches
  }

  /// A pair with its word's tokens; nil for a word that the tokenizer makes nothing of.
  private func stagePair(_ pair: AlignmentPair, row: Int) throws(TrainerError) -> StagePair? {
    let tokens = try tokens(of: pair.word)
    return tokens.isEmpty ? nil : StagePair(row: row, patch: pair.patch, tokens: tokens)
  }

  /// Some samples with the pairs drawn for them, whose rows are places in the micro-batch.
  private func batch(
    _ indices: ArraySlice<Int>,
    step: Int,
    first: Int
  ) throws -> (batch: StageBatch, drawn: [AlignmentPair]) {
    var batch = StageBatch()
    var drawn: [AlignmentPair] = []
    var chosen: [(place: Int, sample: PreparedSample, tokens: TokenizedSample)] = []
    for (offset, index) in indices.enumerated() {
      let sample = try prepared.sample(index)
      var tokens = sample.tokens
      let length = tokens.rows(visualTokens: visualTokens)
      if length > options.maxLength {
        guard options.longSamples == .cut else {
          skipped.long += 1
          batch.skippedLong += 1
          skip("\(sample.name): \(length) rows, more than \(options.maxLength)")
          continue
        }
        tokens = tokens.cut(toRows: options.maxLength, visualTokens: visualTokens)
      }
      chosen.append((first + offset, sample, tokens))
    }
    // Pictures of a micro-batch are wanted together: they may be made on all threads.
    let shown = chosen.map { $0.tokens.ids.contains(Prompt.imageID) ? $0.sample.image : nil }
    var found = try pictures(shown.compactMap(\.self)).makeIterator()
    for (entry, image) in zip(chosen, shown) {
      let (sample, tokens) = (entry.sample, entry.tokens)
      var pictures: [TrainingPicture] = []
      if let image {
        guard let result = found.next(), let picture = try accepted(result, sample.name) else {
          continue
        }
        pictures = [picture]
        if let grid = try candidates(sample.id, image) {
          // Draws are named by the place in the step, pairs by the place in the micro-batch.
          let row = batch.samples.count
          drawn += sampler.draw(grid, row: entry.place, step: step)
            .map { AlignmentPair(row: row, patch: $0.patch + firstPatch, word: $0.word) }
            .filter { $0.patch >= 0 }
        }
      }
      var isTarget = tokens.isTarget
      // Nothing stands before the first position.
      if !isTarget.isEmpty { isTarget[0] = false }
      batch.names.append(sample.name)
      batch.samples.append(
        TrainingSample(ids: tokens.ids, isTarget: isTarget, pictures: pictures)
      )
    }
    return (batch, drawn)
  }

  /// Pictures by their names, or why there is none.
  private func pictures(_ names: [String]) throws -> [Result<TrainingPicture, any Error>] {
    guard !names.isEmpty else { return [] }
    guard let images, let pictures else {
      throw TrainerError.usage("--images is needed: the data have pictures")
    }
    var paths: [String] = []
    var problems: [(any Error)?] = []
    for name in names {
      do throws(DatasetError) {
        paths.append(try images.path(of: name))
        problems.append(nil)
      } catch {
        problems.append(error)
      }
    }
    var found = try pictures.pictures(ofFiles: paths).makeIterator()
    return problems.compactMap { problem in problem.map { .failure($0) } ?? found.next() }
  }

  /// The picture; nil for one that cannot be read, which is counted.
  private func accepted(
    _ result: Result<TrainingPicture, any Error>,
    _ name: String
  ) throws -> TrainingPicture? {
    do {
      return try result.get()
    } catch let error where error is ImageError || error is DatasetError || error is FileError {
      skipped.image += 1
      skip("\(name): \(error)")
      guard skipped.image <= options.maxBadImages else {
        throw TrainerError.badInput(
          path: dataset.path,
          problem: "\(skipped.image) pictures cannot be read, the last: \(error)"
        )
      }
      return nil
    }
  }

  private func candidates(_ id: String, _ image: String) throws -> PatchCandidates? {
    try labels?.labels(id: id, image: image)?.resampled(height: gridSide, width: gridSide)
  }

  private func tokens(of word: Int) throws(TrainerError) -> [Int32] {
    if let known = wordTokens[word] { return known }
    guard let labels, let targets, word >= 0, word < labels.wordCount else {
      throw .usage("label word \(word) is not in the word list")
    }
    let ids = targets.ids(of: labels.word(word))
    wordTokens[word] = ids
    return ids
  }
}
