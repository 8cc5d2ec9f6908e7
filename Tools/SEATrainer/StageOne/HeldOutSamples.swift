// SPDX-License-Identifier: Apache-2.0
// The loss on samples that are not trained on.

internal import SEALayers

/// Some samples of a dataset, the same ones every time.
package final class HeldOutSamples {
  private let model: any StageModel
  private let data: StageOneData
  private let count: Int
  private let sequences: Int
  private let path: String

  /// Samples of a dataset.
  ///
  /// - Parameters:
  ///   - model: what is trained.
  ///   - data: the dataset; its seed decides which samples are taken.
  ///   - path: its file, for messages.
  ///   - count: samples at most.
  ///   - sequences: samples that go through the language model together.
  package init(
    _ model: any StageModel,
    data: StageOneData,
    path: String,
    count: Int,
    sequences: Int
  ) {
    self.model = model
    self.data = data
    self.path = path
    self.count = count
    self.sequences = max(sequences, 1)
  }

  /// The mean loss over all targets of the samples; nothing is dropped out and nothing changes.
  ///
  /// - Throws: what the data or the model throws, `TrainerError.badInput` when there is nothing to
  ///   predict.
  package func loss() throws -> Double {
    var (sum, targets, seen) = (0.0, 0, 0)
    for step in 0..<data.totalSteps where seen < count {
      for batch in try data.batches(step: step) {
        let samples = batch.samples.prefix(count - seen)
        seen += samples.count
        for start in stride(from: 0, to: samples.count, by: sequences) {
          let part = Array(samples[start..<min(start + sequences, samples.count)])
          guard part.contains(where: { $0.counted > 0 }) else { continue }
          var pass = PassOptions()
          pass.runsBackward = false
          let result = try model.stagePass(part, pass, alignment: nil, onGradient: nil)
          sum += result.generationLoss * Double(result.countedTokens)
          targets += result.countedTokens
        }
      }
    }
    guard targets > 0 else {
      throw TrainerError.badInput(path: path, problem: "no sample of it has anything to predict")
    }
    return sum / Double(targets)
  }
}
