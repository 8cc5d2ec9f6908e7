// SPDX-License-Identifier: Apache-2.0
// Options about the loss on samples that are not trained on, and about ending early by it.

import ArgumentParser
import SEACommandLine
import SEADataset
import SEALabels
import SEALayers
import SEATensor
import SEAText
import SEATrainer

struct EvaluationArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records to measure the loss on, not to train on.", valueName: "file"),
    transform: Checked.text
  )
  var evalData: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps between evaluations (default: 100).", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var evalEvery: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records of an evaluation, always the same (default: 256).", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var evalSamples: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "End after so many evaluations without a lower loss, and keep the lowest.",
      valueName: "n"
    ),
    transform: Checked.integer(1...1_000_000)
  )
  var earlyStop: Int?

  private var every: Int { evalEvery ?? 100 }
  private var samples: Int { evalSamples ?? 256 }

  func validate() throws {
    let idle = [
      ("--eval-every", evalEvery), ("--eval-samples", evalSamples), ("--early-stop", earlyStop),
    ].filter { $0.1 != nil }.map(\.0)
    guard evalData != nil || idle.isEmpty else {
      throw ValidationError("\(idle.joined(separator: ", ")) needs --eval-data")
    }
  }

  /// What is measured between steps; nil: nothing.
  ///
  /// - Throws: what reading the records throws.
  func evaluation(
    _ model: TrainableModel,
    _ held: HeldOutSource,
    _ console: Console
  ) throws -> RunEvaluation? {
    guard let evalData else { return nil }
    let samples = try held.samples(evalData, count: samples, model, console)
    // An evaluation is part of its step, which the first interruption lets end.
    return RunEvaluation(every: every, patience: earlyStop) { try samples.loss() }
  }

  /// Names and values for a run's identity: evaluations decide nothing unless they end the run.
  func identity() throws -> [(name: String, value: String)] {
    guard let evalData, let earlyStop else { return [] }
    return [
      ("eval-data", try Digest.file(evalData)), ("eval-every", "\(every)"),
      ("eval-samples", "\(samples)"), ("early-stop", "\(earlyStop)"),
    ]
  }
}

/// What samples that are not trained on share with those that are.
struct HeldOutSource {
  let images: ImageFolder?
  let tokenizer: SampleTokenizer
  let template: Template
  let pictures: (any PictureSource)?
  let options: StageOneOptions
  let data: DataArguments

  /// Reads the records of a file.
  func samples(
    _ path: String,
    count: Int,
    _ model: TrainableModel,
    _ console: Console
  ) throws -> HeldOutSamples {
    let dataset = try data.read(path, images, template, console)
    var options = options
    (options.accumulate, options.epochs, options.grouping) = (1, 1, .none)
    let source = StageOneData(
      dataset,
      images: images,
      tokenizer: tokenizer,
      pictures: pictures,
      labels: nil,
      targets: nil,
      model: model.description,
      options: options
    )
    data.warn(of: source, console)
    return HeldOutSamples(
      model,
      data: source,
      path: path,
      count: count,
      sequences: options.sequences
    )
  }
}
