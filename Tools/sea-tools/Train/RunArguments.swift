// SPDX-License-Identifier: Apache-2.0
// Options that every training command has: the run's folder, its steps, the optimiser.

import ArgumentParser
import SEACommandLine
import SEATrainer

struct RunArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the run.", valueName: "folder"),
    transform: Checked.text
  )
  var out: String?

  @Flag(help: "Go on with the run in the folder.")
  var resume = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Read flags from a YAML file, by the same names.", valueName: "file")
  )
  var config: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Decides everything that is drawn.", valueName: "n"),
    transform: Checked.seed
  )
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps of the run (default: those of its epochs).", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var steps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps between checkpoints.", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var saveEvery = 100

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Checkpoints that are kept.", valueName: "n"),
    transform: Checked.integer(1...1_000_000)
  )
  var keep = 3

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Refuse a plan beyond this, as 16GB.", valueName: "size"),
    transform: Checked.memory
  )
  var maxMemory: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Take rows and samples from a file, the same at every step.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var replay: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write losses, gradients and weights of each step.", valueName: "file"),
    transform: Checked.text
  )
  var probe: String?

  func validate() throws {
    guard replay != nil || out != nil else {
      throw ValidationError("missing '--out <folder>', the folder of the run")
    }
    guard replay == nil || !resume else {
      throw ValidationError("--replay keeps no run: it goes without --resume")
    }
    guard probe == nil || replay != nil else { throw ValidationError("--probe needs --replay") }
  }
}

struct OptimizerArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Peak learning rate (default: 1e-3; finetune: 2e-5, of factors 2e-4).",
      valueName: "x"
    ),
    transform: Checked.number(0...1, expected: "a learning rate from 0 to 1")
  )
  var lr: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Decoupled weight decay.", valueName: "x"),
    transform: Checked.number(0...1, expected: "a decay from 0 to 1")
  )
  var weightDecay = 0.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Share of the steps that lead to the peak (default: 0.03; 0 with --replay).",
      valueName: "x"
    ),
    transform: Checked.number(0...1, expected: "a share from 0 to 1")
  )
  var warmup: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "After the warm-up: cosine or constant (default: cosine; constant with --replay).",
      valueName: "shape"
    ),
    transform: Checked.choice(ScheduleShape.allCases.map { ($0.rawValue, $0) })
  )
  var schedule: ScheduleShape?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Largest norm of the gradients, 0 for any (default: 1; 0 with --replay).",
      valueName: "x"
    ),
    transform: Checked.number(0...1e9, expected: "a norm of at least 0")
  )
  var clip: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("AdamW's β₁.", valueName: "x"),
    transform: Checked.number(0...0.999999, expected: "a number from 0 to below 1")
  )
  var beta1 = 0.9

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("AdamW's β₂.", valueName: "x"),
    transform: Checked.number(0...0.999999, expected: "a number from 0 to below 1")
  )
  var beta2 = 0.999

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("AdamW's ε.", valueName: "x"),
    transform: Checked.number(1e-30...1, expected: "a number above 0, at most 1")
  )
  var epsilon = 1e-8

  /// The optimiser's settings.
  func options(isReplay: Bool) -> AdamWOptions {
    var options = AdamWOptions()
    options.beta1 = beta1
    options.beta2 = beta2
    options.epsilon = epsilon
    options.clipNorm = clip ?? (isReplay ? 0 : 1)
    return options
  }

  /// The learning rate over `steps`.
  func schedule(steps: Int, isReplay: Bool) -> Schedule {
    Schedule(
      shape: schedule ?? (isReplay ? .constant : .cosine),
      totalSteps: steps,
      warmup: warmup ?? (isReplay ? 0 : 0.03)
    )
  }

  /// Names and values for a run's identity.
  func identity(rate: Double, isReplay: Bool) -> [(name: String, value: String)] {
    let options = options(isReplay: isReplay)
    let schedule = schedule(steps: 1, isReplay: isReplay)
    return [
      ("lr", "\(rate)"), ("weight-decay", "\(weightDecay)"),
      ("warmup", "\(warmup ?? (isReplay ? 0 : 0.03))"), ("schedule", schedule.shape.rawValue),
      ("clip", "\(options.clipNorm)"), ("beta1", "\(beta1)"), ("beta2", "\(beta2)"),
      ("epsilon", "\(epsilon)"),
    ]
  }
}
