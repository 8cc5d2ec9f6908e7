// SPDX-License-Identifier: Apache-2.0
// A step of contrastive training: L = L_c + weight · L_d, with the probe now and then.

internal import SEALayers

/// Contrastive training over its data.
package final class ContrastiveTask: TrainingTask {
  private let model: ContrastiveModel
  private let data: ContrastiveData
  private let options: ContrastiveOptions
  private let probe: PatchProbe?
  private let evaluateEvery: Int

  /// The task.
  ///
  /// - Parameters:
  ///   - model: both towers.
  ///   - data: batches.
  ///   - options: settings.
  ///   - probe: looks at other pictures; nil: nobody does.
  ///   - evaluateEvery: steps between two looks.
  package init(
    _ model: ContrastiveModel,
    data: ContrastiveData,
    options: ContrastiveOptions,
    probe: PatchProbe?,
    evaluateEvery: Int
  ) {
    self.model = model
    self.data = data
    self.options = options
    self.probe = probe
    self.evaluateEvery = max(evaluateEvery, 1)
  }

  package func didStep() { model.clamp() }

  /// Losses of a step; the probe's figures, where there are some, are those before it.
  package func accumulate(step: Int) throws -> StepLosses {
    var losses = StepLosses()
    if let probe, step > 0, step % evaluateEvery == 0 {
      losses.others = try probe.figures(of: model)
    }
    let (batch, names) = try data.batch(step: step)
    losses.batch = names
    losses.temperature = model.temperature
    guard batch.pictures > 0 else { return losses }
    let found = try model.accumulate(batch, denseWeight: options.denseWeight)
    losses.others["L_c"] = found.pairs
    losses.others["L_d"] = found.patches
    losses.total = found.pairs + options.denseWeight * (found.patches ?? 0)
    losses.pairs = batch.pictures
    losses.tokens = found.rows
    return losses
  }
}
