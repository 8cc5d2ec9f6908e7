// SPDX-License-Identifier: Apache-2.0
// The learning rate as a function of the step.

internal import Glibc

/// How the learning rate runs after the warm-up.
package enum ScheduleShape: String, Sendable, CaseIterable {
  /// Down to 0 along half a cosine.
  case cosine
  /// Unchanged.
  case constant
}

/// Linear warm-up, then the shape.
package struct Schedule: Sendable, Equatable {
  package let shape: ScheduleShape
  /// Optimiser steps of the run.
  package let totalSteps: Int
  /// Steps until the peak.
  package let warmupSteps: Int

  /// A schedule over `totalSteps` of which `⌈warmup · totalSteps⌉` lead to the peak.
  ///
  /// - Precondition: `totalSteps` is positive, `warmup` in 0…1.
  package init(shape: ScheduleShape, totalSteps: Int, warmup: Double) {
    precondition(totalSteps > 0 && (0...1).contains(warmup), "no schedule over \(totalSteps) steps")
    self.shape = shape
    self.totalSteps = totalSteps
    warmupSteps = Int((warmup * Double(totalSteps)).rounded(.up))
  }

  /// The share of the peak rate at `step`, counted from 0.
  ///
  /// `step / w` for `step < w`, else `½ (1 + cos(π (step − w) / (T − w)))`: the first step of a warm-up
  /// runs at rate 0.
  /// - Source: transformers `get_cosine_schedule_with_warmup`; reference.md H.2.
  package func factor(at step: Int) -> Double {
    if step < warmupSteps { return Double(step) / Double(warmupSteps) }
    switch shape {
    case .constant: return 1
    case .cosine:
      let rest = totalSteps - warmupSteps
      guard rest > 0 else { return 0 }
      let progress = min(Double(step - warmupSteps) / Double(rest), 1)
      return max(0, 0.5 * (1 + cos(Double.pi * progress)))
    }
  }
}
