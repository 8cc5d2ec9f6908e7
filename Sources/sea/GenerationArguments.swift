// SPDX-License-Identifier: Apache-2.0
// Options for how an answer is chosen and what ends it.

import ArgumentParser
import SEACommandLine
import SEAModel
import SEARuntime
import SEATensor

struct GenerationArguments: ParsableArguments {
  @Option(
    name: .customLong("max-tokens"),
    parsing: .unconditional,
    help: ArgumentHelp("Longest answer, in tokens.", valueName: "n"),
    transform: Checked.integer(1...1_048_576)
  )
  var maxTokens = 1024

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Divides the scores before drawing; 0 takes the best.", valueName: "t"),
    transform: Checked.number(0...1000, expected: "a number from 0 to 1000")
  )
  var temperature = 0.0

  @Option(
    name: .customLong("top-k"),
    parsing: .unconditional,
    help: ArgumentHelp("Draw from the best n tokens; 0 means all.", valueName: "n"),
    transform: Checked.integer(0...16_777_216)
  )
  var topK = 0

  @Option(
    name: .customLong("top-p"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from the best tokens that together have this probability.",
      valueName: "p"
    ),
    transform: Checked.number(
      .leastNonzeroMagnitude...1,
      expected: "a number above 0 and up to 1"
    )
  )
  var topP = 1.0

  @Option(
    name: .customLong("min-p"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "Leave out tokens below this share of the best one's probability.",
      valueName: "p"
    ),
    transform: Checked.number(0...1, expected: "a number from 0 to 1")
  )
  var minP = 0.0

  @Option(
    name: .customLong("repeat-penalty"),
    parsing: .unconditional,
    help: ArgumentHelp("Lowers the scores of tokens seen before; 1 is off.", valueName: "x"),
    transform: Checked.number(
      .leastNonzeroMagnitude...1000,
      expected: "a number above 0 and up to 1000"
    )
  )
  var repeatPenalty = 1.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Fixes the draw: the same seed gives the same answer.", valueName: "n"),
    transform: Checked.seed
  )
  var seed: UInt64 = 0

  @Option(
    name: .customLong("stop"),
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "End the answer where this text appears; may be repeated.",
      valueName: "text"
    ),
    transform: Checked.text
  )
  var stops: [String] = []

  /// How tokens are drawn.
  var sampling: SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repeatPenalty = repeatPenalty
    options.seed = seed
    return options
  }
}

struct MemoryArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Positions to make room for (default: what the model says).",
      valueName: "n"
    ),
    transform: Checked.integer(1...16_777_216)
  )
  var context: Int?

  @Option(
    help: ArgumentHelp(
      "Stored keys and values: f32, bf16, f16 or int8 (default: f32 for f32 weights, else f16).",
      valueName: "type"
    ),
    transform: Checked.choice(CacheType.allCases.map { ($0.rawValue, $0) })
  )
  var kv: CacheType?

  @Option(
    name: .customLong("max-memory"),
    parsing: .unconditional,
    help: ArgumentHelp("Refuse to take more resident memory, as 800MB or 2GiB.", valueName: "size"),
    transform: Checked.memory
  )
  var maxMemory: Int?

  @Option(
    name: .customLong("weights-in"),
    help: ArgumentHelp(
      "Use the weights mapped, in the page cache, or copied into huge pages.",
      valueName: "place"
    ),
    transform: Checked.choice(WeightPlacement.allCases.map { ($0.rawValue, $0) })
  )
  var placement = WeightPlacement.mapped

  /// How a generator runs.
  var options: GeneratorOptions {
    GeneratorOptions(
      context: context,
      cacheType: kv,
      maxMemory: maxMemory,
      placement: placement
    )
  }
}
