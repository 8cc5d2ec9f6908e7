// SPDX-License-Identifier: Apache-2.0
// Options of the alignment loss, reference.md G.9.

import ArgumentParser
import SEACommandLine
import SEAText
import SEATrainer

struct AlignmentArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Label file; without one only captions train.", valueName: "file"),
    transform: Checked.text
  )
  var labels: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight of the alignment loss.", valueName: "x"),
    transform: Checked.number(0...1e6, expected: "a weight of at least 0")
  )
  var lambda = 1.0

  @Flag(help: "Never run the language model: the alignment loss alone.")
  var alignmentOnly = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps from one generation loss to the next.", valueName: "n"),
    transform: Checked.integer(1...1_000_000)
  )
  var generationEvery = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Side of a window in patches.", valueName: "n"),
    transform: Checked.integer(1...1024)
  )
  var window = 2

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("One patch of a window: uniform or score.", valueName: "rule"),
    transform: Checked.choice(WindowDraw.allCases.map { ($0.rawValue, $0) })
  )
  var windowDraw = WindowDraw.uniform

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Windows at the edge: ragged or drop.", valueName: "rule"),
    transform: Checked.choice(WindowEdge.allCases.map { ($0.rawValue, $0) })
  )
  var windowEdge = WindowEdge.ragged

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("One word of a patch: prop, argmax or uniform.", valueName: "rule"),
    transform: Checked.choice(LabelDraw.allCases.map { ($0.rawValue, $0) })
  )
  var labelSampling = LabelDraw.prop

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Windows without words: skip or global.", valueName: "rule"),
    transform: Checked.choice(EmptyWindow.allCases.map { ($0.rawValue, $0) })
  )
  var empty = EmptyWindow.skip

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Words drawn twice: label keeps one patch, or off.", valueName: "rule"),
    transform: Checked.choice(Deduplication.allCases.map { ($0.rawValue, $0) })
  )
  var dedupe = Deduplication.label

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pairs apart within a micro-batch, or accum: a step.", valueName: "scope"),
    transform: Checked.choice(NegativeScope.allCases.map { ($0.rawValue, $0) })
  )
  var negatives = NegativeScope.micro

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Words as tokens: space (mid-sentence) or bare.", valueName: "form"),
    transform: Checked.choice(WordForm.allCases.map { ($0.rawValue, $0) })
  )
  var wordForm = WordForm.space

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The temperature's start: clip (0.07), paper (1) or a number."),
    transform: AlignmentArguments.temperature
  )
  var tauInit = TemperatureStart.clip

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What is trained in its place: log-scale or tau.", valueName: "name"),
    transform: Checked.choice(TemperatureParameter.allCases.map { ($0.rawValue, $0) })
  )
  var tauParameter = TemperatureParameter.logScale

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The temperature's learning rate (default: --lr).", valueName: "x"),
    transform: Checked.number(0...1, expected: "a learning rate from 0 to 1")
  )
  var tauLr: Double?

  private static let temperature: @Sendable (String) throws -> TemperatureStart = { text in
    switch text {
    case "clip": return .clip
    case "paper": return .paper
    default:
      guard let tau = Double(text), (0.001...1000).contains(tau) else {
        throw ValidationError("expected clip, paper or a number from 0.001 to 1000")
      }
      return .tau(tau)
    }
  }

  func validate() throws {
    guard !alignmentOnly || generationEvery == 1 else {
      throw ValidationError("--alignment-only and --generation-every contradict each other")
    }
  }

  /// Settings into those of the stage.
  func apply(to options: inout StageOneOptions) {
    options.lambda = lambda
    options.alignmentOnly = alignmentOnly
    options.generationEvery = generationEvery
    options.rules.window = window
    options.rules.windowDraw = windowDraw
    options.rules.windowEdge = windowEdge
    options.rules.labelDraw = labelSampling
    options.rules.empty = empty
    options.rules.dedupe = dedupe
    options.negatives = negatives
    options.wordForm = wordForm
  }

  /// Names and values for a run's identity.
  var identity: [(name: String, value: String)] {
    [
      ("lambda", "\(lambda)"), ("alignment-only", "\(alignmentOnly)"),
      ("generation-every", "\(generationEvery)"), ("window", "\(window)"),
      ("window-draw", windowDraw.rawValue), ("window-edge", windowEdge.rawValue),
      ("label-sampling", labelSampling.rawValue), ("empty", empty.rawValue),
      ("dedupe", dedupe.rawValue), ("negatives", negatives.rawValue),
      ("word-form", wordForm.rawValue), ("tau-init", "\(tauInit.tau)"),
      ("tau-parameter", tauParameter.rawValue), ("tau-lr", tauLr.map { "\($0)" } ?? "lr"),
    ]
  }
}
