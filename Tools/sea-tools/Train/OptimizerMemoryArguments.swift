// SPDX-License-Identifier: Apache-2.0
// Options that trade the optimiser's memory for time or digits.

import ArgumentParser
import SEACommandLine
import SEATrainer

/// When the optimiser's step is made.
enum FusionRule: String, CaseIterable {
  /// Within the backward pass where the plan does not fit otherwise.
  case auto
  /// Within the backward pass.
  case on
  /// After it.
  case off
}

struct OptimizerMemoryArguments: ParsableArguments {
  @Option(
    name: .customLong("optimizer"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "adamw (f32 moments) or adamw8bit (a byte each, scales for blocks of 256).",
      valueName: "name"
    ),
    transform: Checked.choice(MomentType.allCases.map { ($0.rawValue, $0) })
  )
  var moments = MomentType.float32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Step within the backward pass, gradients one by one: on, off or auto (by the memory plan).",
      valueName: "rule"
    ),
    transform: Checked.choice(FusionRule.allCases.map { ($0.rawValue, $0) })
  )
  var fused = FusionRule.auto

  @Option(
    name: .customLong("fused-clip"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "A fused step clips by its norm (exact, two passes) or the step before's (previous).",
      valueName: "rule"
    ),
    transform: Checked.choice(FusedClipping.allCases.map { ($0.rawValue, $0) })
  )
  var clipping = FusedClipping.exact

  /// Names and values for a run's identity: what decides its numbers.
  func identity(isFused: Bool, clips: Bool) -> [(name: String, value: String)] {
    var entries: [(name: String, value: String)] = []
    if moments != .float32 { entries.append(("optimizer", moments.rawValue)) }
    // A fused step that clips exactly has the numbers of one that is not fused.
    if isFused, clips, clipping != .exact { entries.append(("fused-clip", clipping.rawValue)) }
    return entries
  }
}
