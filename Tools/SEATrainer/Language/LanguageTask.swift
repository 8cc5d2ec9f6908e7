// SPDX-License-Identifier: Apache-2.0
// A step of a language model's training from scratch: next tokens of packed text.

package import SEALayers

/// How text is fed.
package struct LanguageOptions: Sendable, Equatable {
  /// Sequences of a pass.
  package var batch = 32
  /// Tokens of a sequence.
  package var sequence = 256
  /// Passes of a step.
  package var accumulate = 1

  /// The defaults.
  package init() {}

  /// Tokens of a step.
  package var stepTokens: Int { batch * sequence * accumulate }
}

/// A task that tells how far a step has come.
package protocol SteadyTask: TrainingTask {
  /// Called within a step with the share of it that is done.
  var didAdvance: (Double) -> Void { get set }
}

extension StageOne: SteadyTask {}

/// Predicts the next token of every place of a stream of text.
///
/// What a step reads follows from its number.
package final class LanguageTask: SteadyTask {
  private let model: TrainableModel
  private let stream: TextStream
  private let options: LanguageOptions
  package var didAdvance: (Double) -> Void = { _ in }

  /// Training of a model on a stream.
  package init(_ model: TrainableModel, _ stream: TextStream, options: LanguageOptions) {
    self.model = model
    self.stream = stream
    self.options = options
  }

  package func didStep() {}

  package func accumulate(step: Int) throws -> StepLosses {
    let passes = (0..<options.accumulate).map { pass in
      (0..<options.batch).map { row in
        let place = (step * options.accumulate + pass) * options.batch + row
        return stream.sample(at: place * options.sequence, count: options.sequence)
      }
    }
    let counted = passes.reduce(0) { $0 + $1.reduce(0) { $0 + $1.counted } }
    var losses = StepLosses()
    losses.batch = ["tokens \(step * options.stepTokens) to \((step + 1) * options.stepTokens)"]
    guard counted > 0 else { return losses }
    var total = 0.0
    for (index, samples) in passes.enumerated() {
      var pass = PassOptions()
      pass.countedTokens = counted
      let result = try model.forwardBackward(samples, pass: pass)
      total += result.generationLoss
      losses.tokens += result.positions
      didAdvance(Double(index + 1) / Double(passes.count))
    }
    losses.generation = total
    losses.total = total
    return losses
  }
}
