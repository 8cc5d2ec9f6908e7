// SPDX-License-Identifier: Apache-2.0
// A step of stage 1: L = L_g + λ · L_a, of which only the adapter and the temperature learn.

package import SEADataset
package import SEALayers
package import SEATensor

/// Stage 1 over a source of micro-batches.
///
/// - Source: SEA sec. 3; reference.md G.1, G.8.
package final class StageOne: TrainingTask {
  private let model: any StageModel
  private let loss: any AlignmentLoss
  private let data: any StageSource
  private let targets: WordTargets?
  private let options: StageOneOptions
  private let hidden: Int
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
    tauLearningRate: Double
  ) throws(TrainerError) -> ParameterStore {
    var tensors: [(tensor: any TrainedTensor, group: Int)] = model.stageTensors.map { ($0, 0) }
    if let temperature { tensors.append((temperature.tensor, 1)) }
    return try ParameterStore(
      groups: [
        ParameterGroup(name: "adapter", learningRate: learningRate, weightDecay: weightDecay),
        ParameterGroup(name: "temperature", learningRate: tauLearningRate, weightDecay: 0),
      ],
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
    let speaks = !options.alignmentOnly && step % max(options.generationEvery, 1) == 0
    let counted = batches.reduce(0) { $0 + $1.counted }
    let shared = options.negatives == .accum ? try jointAlignment(batches) : nil
    var alignment = shared?.loss
    var generation = 0.0
    for (index, batch) in batches.enumerated() {
      var pass = PassOptions()
      pass.seed = UInt64(step) &* 4096 &+ UInt64(index)
      switch options.tokenMean {
      case .step:
        pass.generationWeight = 1
        pass.countedTokens = max(counted, 1)
      case .micro: pass.generationWeight = 1 / Float(batches.count)
      }
      if !speaks || counted == 0 { pass.generationWeight = 0 }
      let share = options.tokenMean == .step ? 1 : 1 / Double(batches.count)
      var own: Double?
      let result = try model.stagePass(batch.samples, pass) { [self] visual in
        if let shared {
          try shared.add(index, batch, to: visual)
        } else {
          own = try align(batch, visual, share: 1 / Double(batches.count))
        }
      }
      if let own { alignment = (alignment ?? 0) + own / Double(batches.count) }
      generation += result.generationLoss * share
      losses.tokens += result.positions
      losses.pairs += batch.pairs.count
    }
    if speaks, counted > 0 { losses.generation = generation }
    losses.alignment = alignment
    losses.total = (losses.generation ?? 0) + options.lambda * (alignment ?? 0)
    return losses
  }

  // MARK: - Alignment

  /// Aligns the pairs of a micro-batch and adds the gradients, weighted by λ and `share`.
  private func align(
    _ batch: StageBatch,
    _ visual: VisualTokens,
    share: Double
  ) throws -> Double? {
    guard let targets, let temperature, !batch.pairs.isEmpty else { return nil }
    let rows = try batch.rows(in: visual.ranges)
    let chosen = try gather(rows, of: visual.rows)
    let text = try self.text(batch.pairs, targets)
    let slopes = try MatrixView<Float>(rows: rows.count, columns: hidden)
    let (value, slope) = try loss.evaluate(
      visual: chosen,
      text: text,
      tau: temperature.tau,
      gradient: slopes
    )
    let weight = options.lambda * share
    temperature.add(slope: slope * weight)
    Self.scatter(slopes, rows, weight: Float(weight), to: visual.gradients)
    return value
  }

  /// The loss over all pairs of a step, whose gradients are given to each micro-batch in its turn.
  private struct JointAlignment {
    let loss: Double
    /// dL/d adapter rows of all pairs, weighted.
    let slopes: MatrixView<Float>
    /// Pairs of each micro-batch.
    let parts: [Range<Int>]

    func add(_ index: Int, _ batch: StageBatch, to visual: VisualTokens) throws {
      let rows = try batch.rows(in: visual.ranges)
      StageOne.scatter(slopes.rows(parts[index]), rows, weight: 1, to: visual.gradients)
    }
  }

  /// Runs the adapter alone over all micro-batches first: a pair's gradient needs all the others.
  private func jointAlignment(_ batches: [StageBatch]) throws -> JointAlignment? {
    let count = batches.reduce(0) { $0 + $1.pairs.count }
    guard let targets, let temperature, count > 0 else { return nil }
    let chosen = try MatrixView<Float>(rows: count, columns: hidden)
    var parts: [Range<Int>] = []
    for batch in batches {
      let part = (parts.last?.upperBound ?? 0)..<(parts.last?.upperBound ?? 0) + batch.pairs.count
      parts.append(part)
      guard !part.isEmpty else { continue }
      var pass = PassOptions()
      pass.generationWeight = 0
      pass.runsBackward = false
      _ = try model.stagePass(batch.samples, pass) { [self] visual in
        let rows = try batch.rows(in: visual.ranges)
        chosen.rows(part).copy(from: try gather(rows, of: visual.rows))
      }
    }
    let text = try self.text(batches.flatMap(\.pairs), targets)
    let slopes = try MatrixView<Float>(rows: count, columns: hidden)
    let (value, slope) = try loss.evaluate(
      visual: chosen,
      text: text,
      tau: temperature.tau,
      gradient: slopes
    )
    temperature.add(slope: slope * options.lambda)
    let weighted = try MatrixView<Float>(rows: count, columns: hidden)
    Self.scatter(slopes, Array(0..<count), weight: Float(options.lambda), to: weighted)
    return JointAlignment(loss: value, slopes: weighted, parts: parts)
  }

  private func text(_ pairs: [StagePair], _ targets: WordTargets) throws -> MatrixView<Float> {
    let text = try MatrixView<Float>(rows: pairs.count, columns: hidden)
    for (index, pair) in pairs.enumerated() {
      try targets.mean(of: pair.tokens, into: text.rows(index..<index + 1))
    }
    return text
  }

  private func gather(
    _ rows: [Int],
    of matrix: MatrixView<Float>
  ) throws -> MatrixView<Float> {
    let chosen = try MatrixView<Float>(rows: rows.count, columns: matrix.columns)
    for (index, row) in rows.enumerated() {
      chosen.rows(index..<index + 1).copy(from: matrix.rows(row..<row + 1))
    }
    return chosen
  }

  /// Adds `weight` times row i of `source` to row `rows[i]` of `target`, in order.
  fileprivate static func scatter(
    _ source: MatrixView<Float>,
    _ rows: [Int],
    weight: Float,
    to target: MatrixView<Float>
  ) {
    for (index, row) in rows.enumerated() {
      source.withRow(index) { values in
        target.withRow(row) { sums in
          var sums = sums
          for column in 0..<sums.count { sums[column] += weight * values[column] }
        }
      }
    }
  }
}
