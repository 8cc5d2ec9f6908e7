// SPDX-License-Identifier: Apache-2.0
// What a run has found so far and later steps depend on, beside tensors and moments.

internal import SEAFormat

/// Part of every checkpoint, so that a run that goes on decides as one that was never stopped.
package struct RunState: Sendable, Equatable {
  /// The lowest loss on samples that are not trained on.
  package struct Best: Sendable, Equatable {
    package let step: Int
    package let loss: Double
  }

  /// Norm of the gradients of the last step.
  package var gradientNorm: Double?
  /// The best evaluation; nil: there was none.
  package private(set) var best: Best?
  /// Evaluations since the best.
  package private(set) var misses = 0

  /// Nothing yet.
  package init() {}

  /// Takes the loss of an evaluation after `step` steps.
  ///
  /// - Returns: whether it is the best so far.
  mutating func note(_ loss: Double, at step: Int) -> Bool {
    guard loss.isFinite, loss < best?.loss ?? .infinity else {
      misses += 1
      return false
    }
    best = Best(step: step, loss: loss)
    misses = 0
    return true
  }

  /// As JSON; numbers come back as the same bits.
  var json: JSONValue {
    var fields = JSONObject()
    if let gradientNorm { fields["grad_norm"] = .number(JSONNumber(gradientNorm)) }
    if let best {
      fields["best_step"] = .number(JSONNumber(best.step))
      fields["best_loss"] = .number(JSONNumber(best.loss))
    }
    fields["misses"] = .number(JSONNumber(misses))
    return .object(fields)
  }

  /// Reads a state; what is not there is as at the start.
  init(json: JSONValue?) {
    gradientNorm = json?["grad_norm"]?.double
    if let step = json?["best_step"]?.int, let loss = json?["best_loss"]?.double {
      best = Best(step: step, loss: loss)
    }
    misses = max(json?["misses"]?.int ?? 0, 0)
  }
}

/// What a run measures between steps, and when it ends because of it.
package struct RunEvaluation {
  /// Name of the loss in the log.
  package static let name = "eval_loss"

  /// Steps between evaluations; one follows the last step in any case.
  package var every: Int
  /// The run ends after so many evaluations in a row that were not the best; nil: it does not.
  package var patience: Int?
  /// The loss on samples that are not trained on; changes nothing that is trained.
  package var loss: () throws -> Double

  /// An evaluation; see the properties.
  package init(every: Int, patience: Int? = nil, loss: @escaping () throws -> Double) {
    self.every = every
    self.patience = patience
    self.loss = loss
  }

  func isDue(_ step: Int, of total: Int) -> Bool { step == total || step % max(every, 1) == 0 }

  func isOver(_ state: RunState) -> Bool { patience.map { state.misses >= $0 } ?? false }
}
