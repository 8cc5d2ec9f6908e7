// SPDX-License-Identifier: Apache-2.0
// A step of stage 1: L = L_g + λ · L_a, of which only the adapter and the temperature learn.

internal import SEALayers
internal import SEATensor
internal import SEAText

/// Stage 1 over a source of micro-batches.
///
/// - Source: SEA sec. 3; reference.md G.1, G.8.
package final class StageOne: FusibleTask {
  private let model: any StageModel
  private let loss: any AlignmentLoss
  private let data: any StageSource
  private let targets: WordTargets?
  private let options: StageOneOptions
  private let hidden: Int
  /// Targets of words met before.
  private var means: [[Int32]: MatrixView<Float>] = [:]
  /// Bytes of targets that are kept.
  private static let meansBytes = 128 << 20
  /// Called within a step with the share of it that is done.
  package var didAdvance: (Double) -> Void = { _ in }
  /// The temperature; nil: nothing is aligned.
  package let temperature: Temperature?

  /// The stage on a model.
  ///
  /// - Parameters:
  ///   - model: its adapter is trained.
  ///   - loss: of the pairs.
  ///   - data: micro-batches.
  ///   - targets: what words mean; nil: nothing is aligned.
  ///   - temperature: present with targets.
  ///   - hidden: width of the language model.
  ///   - options: settings.
  package init(
    _ model: any StageModel,
    loss: any AlignmentLoss,
    data: any StageSource,
    targets: WordTargets?,
    temperature: Temperature?,
    hidden: Int,
    options: StageOneOptions
  ) {
    self.model = model
    self.loss = loss
    self.data = data
    self.targets = targets
    self.temperature = temperature
    self.hidden = hidden
    self.options = options
  }

  /// What is trained, in groups: the adapter, then the temperature.
  ///
  /// Norms and biases of the adapter share its group: stage 1 has no decay by default, and where there
  /// is one it applies to all, as in the published runs.
  /// - Throws: `TrainerError.file` when memory cannot be had.
  package func store(
    learningRate: Double,
    weightDecay: Double,
    tauLearningRate: Double,
    moments: MomentType = .float32
  ) throws(TrainerError) -> ParameterStore {
    var tensors: [(tensor: any TrainedTensor, group: Int)] = model.stageTensors.map { ($0, 0) }
    if let temperature { tensors.append((temperature.tensor, 1)) }
    return try ParameterStore(
      groups: [
        ParameterGroup(name: "adapter", learningRate: learningRate, weightDecay: weightDecay),
        ParameterGroup(name: "temperature", learningRate: tauLearningRate, weightDecay: 0),
      ],
      moments: moments,
      tensors
    )
  }

  package func didStep() { temperature?.clamp() }

  package func accumulate(step: Int) throws -> StepLosses {
    let batches = try data.batches(step: step).filter { !$0.samples.isEmpty }
    var losses = StepLosses()
    losses.batch = batches.flatMap(\.names)
    losses.temperature = temperature?.tau
    guard !batches.isEmpty else { return losses }
    switch options.negatives {
    case .accum: losses.alignment = try align(batches[...], share: 1, &losses)
    case .micro:
      let share = 1 / Double(batches.count)
      for index in batches.indices {
        guard let loss = try align(batches[index...index], share: share, &losses) else { continue }
        losses.alignment = (losses.alignment ?? 0) + loss * share
      }
    }
    if !options.alignmentOnly, step % max(options.generationEvery, 1) == 0 {
      losses.generation = try generate(batches, step: step, &losses)
    }
    losses.total = (losses.generation ?? 0) + options.lambda * (losses.alignment ?? 0)
    return losses
  }

  /// The generation loss of a step in one pass: all samples are one micro-batch.
  package func accumulate(
    step: Int,
    onGradient: @escaping (any TrainedTensor) throws -> Void
  ) throws -> StepLosses {
    var all = StageBatch()
    for batch in try data.batches(step: step) {
      all.samples += batch.samples
      all.names += batch.names
    }
    var losses = StepLosses()
    losses.batch = all.names
    guard !all.samples.isEmpty else { return losses }
    losses.generation = try generate([all], step: step, &losses, onGradient: onGradient)
    losses.total = losses.generation ?? 0
    return losses
  }

  // MARK: - Generation

  /// The generation loss of all batches; nil when there is nothing to predict.
  ///
  /// The language model sees a few sequences at a time: its activations are what takes memory, and the
  /// mean over a batch's targets does not care in how many passes it is summed.
  private func generate(
    _ batches: [StageBatch],
    step: Int,
    _ losses: inout StepLosses,
    onGradient: ((any TrainedTensor) throws -> Void)? = nil
  ) throws -> Double? {
    let all = batches.reduce(0) { $0 + $1.counted }
    guard all > 0 else { return nil }
    let samples = batches.reduce(0) { $0 + $1.samples.count }
    var seen = 0
    var total = 0.0
    var passes: UInt64 = 0
    for batch in batches where batch.counted > 0 {
      let share = options.tokenMean == .step ? 1 : 1 / Double(batches.count)
      let together = onGradient == nil ? max(options.sequences, 1) : batch.samples.count
      for start in stride(from: 0, to: batch.samples.count, by: together) {
        let part = batch.samples[start..<min(start + together, batch.samples.count)]
        guard part.contains(where: { $0.counted > 0 }) else { continue }
        var pass = PassOptions()
        pass.generationWeight = Float(share)
        pass.countedTokens = options.tokenMean == .step ? all : batch.counted
        pass.seed = UInt64(step) << 20 | passes
        passes += 1
        let result = try model.stagePass(
          Array(part),
          pass,
          alignment: nil,
          onGradient: onGradient
        )
        total += result.generationLoss * share
        losses.tokens += result.positions
        seen += part.count
        didAdvance(Double(seen) / Double(max(samples, 1)))
      }
    }
    return total
  }

  // MARK: - Alignment

  /// Aligns the pairs of some micro-batches and adds the gradients, weighted by λ and `share`.
  ///
  /// Only the patches that were drawn go through the adapter.
  /// - Returns: the loss, or nil when there is no pair.
  private func align(
    _ batches: ArraySlice<StageBatch>,
    share: Double,
    _ losses: inout StepLosses
  ) throws -> Double? {
    guard let targets, let temperature else { return nil }
    let pairs = batches.flatMap(\.pairs)
    guard !pairs.isEmpty else { return nil }
    let text = try MatrixView<Float>(rows: pairs.count, columns: hidden)
    for (index, pair) in pairs.enumerated() {
      text.rows(index..<index + 1).copy(from: try mean(of: pair.tokens, targets))
    }
    let picture = TrainingPicture.features(try Self.features(of: batches, pairs: pairs.count))
    let sample = TrainingSample(ids: [Prompt.imageID], isTarget: [false], pictures: [picture])
    var pass = PassOptions()
    pass.generationWeight = 0
    var found = 0.0
    let weight = options.lambda * share
    let align: (VisualTokens) throws -> Void = { [loss] visual in
      let result = try loss.evaluate(
        visual: visual.rows,
        text: text,
        tau: temperature.tau,
        weight: Float(weight),
        gradient: visual.gradients
      )
      temperature.add(slope: result.tauSlope)
      found = result.loss
    }
    _ = try model.stagePass([sample], pass, alignment: align, onGradient: nil)
    losses.pairs += pairs.count
    if options.alignmentOnly { losses.tokens += pairs.count }
    return found
  }

  private func mean(of tokens: [Int32], _ targets: WordTargets) throws -> MatrixView<Float> {
    if let known = means[tokens] { return known }
    let mean = try MatrixView<Float>(rows: 1, columns: hidden)
    try targets.mean(of: tokens, into: mean)
    if (means.count + 1) * hidden * 4 <= Self.meansBytes { means[tokens] = mean }
    return mean
  }

  /// The features of the drawn patches, `[pairs, width]`.
  private static func features(
    of batches: ArraySlice<StageBatch>,
    pairs: Int
  ) throws -> MatrixView<Float> {
    var rows: MatrixView<Float>?
    var place = 0
    for batch in batches {
      for pair in batch.pairs {
        guard batch.samples.indices.contains(pair.row),
          case .features(let picture)? = batch.samples[pair.row].pictures.first
        else { throw TrainerError.usage("a pair names row \(pair.row), which has no picture") }
        guard pair.patch >= 0, pair.patch < picture.rows else {
          throw TrainerError.usage(
            "a pair names patch \(pair.patch) of a picture with \(picture.rows)"
          )
        }
        let all = try rows ?? MatrixView(rows: pairs, columns: picture.columns)
        rows = all
        all.rows(place..<place + 1).copy(from: picture.rows(pair.patch..<pair.patch + 1))
        place += 1
      }
    }
    return try rows ?? MatrixView(rows: 0, columns: 0)
  }
}
