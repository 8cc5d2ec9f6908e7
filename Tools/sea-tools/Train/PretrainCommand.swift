// SPDX-License-Identifier: Apache-2.0
// `sea train pretrain`: stage 1, the adapter between a frozen encoder and a frozen language model.

import ArgumentParser
import SEACheckpoint
import SEACommandLine
import SEADataset
import SEALayers
import SEATrainer

struct PretrainCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Stage 1: train the adapter on captions, and on labels where there are some.",
    discussion: """
      Minimises L_g + λ · L_a: the caption's loss through the frozen language model, and with --labels \
      the loss that draws visual tokens to the embeddings of the words of their patches. The folder gets \
      mm_projector.bin, mm_projector.safetensors and config.json in LLaVA's layout, which sea convert \
      takes.
      """
  )

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Data") var data: DataArguments
  @OptionGroup(title: "Alignment") var alignment: AlignmentArguments
  @OptionGroup(title: "Optimiser") var optimizer: OptimizerArguments
  @OptionGroup(title: "Evaluation") var evaluation: EvaluationArguments
  @OptionGroup(title: "Run") var training: RunArguments
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  /// Captions stand alone unless another template is asked for.
  static let template = "plain"

  func validate() throws {
    guard training.replay != nil || data.data != nil else {
      throw ValidationError("missing '--data <file>', the records to train on")
    }
    guard !alignment.alignmentOnly || alignment.labels != nil || training.replay != nil else {
      throw ValidationError("--alignment-only needs --labels")
    }
    guard !alignment.alignmentOnly || evaluation.evalData == nil else {
      throw ValidationError(
        "--eval-data needs the language model, which --alignment-only leaves out"
      )
    }
    guard alignment.lambda > 0 || !alignment.alignmentOnly else {
      throw ValidationError("--alignment-only with --lambda 0 trains nothing")
    }
  }

  func run() throws {
    let console = Console(command: "sea train", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }

  func run(_ console: Console) throws {
    let session = try PretrainSession(self, console)
    if let replay = training.replay {
      try session.replay(replay)
    } else {
      try session.train()
    }
  }

  /// Settings of the stage.
  var stage: StageOneOptions {
    var options = StageOneOptions()
    alignment.apply(to: &options)
    data.apply(to: &options, batch: 32, grouping: .none)
    options.seed = training.seed
    return options
  }
}

struct ModelArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the language model, or of a whole model.", valueName: "folder"),
    transform: Checked.text
  )
  var llm: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Start a new adapter: linear or mlpNx_gelu (default: the model's own, else mlp2x_gelu).",
      valueName: "type"
    ),
    transform: ModelArguments.layers
  )
  var adapter: Int?

  @OptionGroup var parts: PartArguments
  @OptionGroup var storage: StorageArguments

  private static let layers: @Sendable (String) throws -> Int = { text in
    if text == "linear" { return 1 }
    guard text.hasPrefix("mlp"), text.hasSuffix("x_gelu"),
      let count = Int(text.dropFirst(3).dropLast(6)), (1...16).contains(count)
    else { throw ValidationError("expected linear or mlpNx_gelu, as mlp2x_gelu") }
    return count
  }

  func validate() throws {
    guard adapter == nil || parts.adapterInit == nil else {
      throw ValidationError("--adapter starts a new one and --adapter-init an old one: choose")
    }
  }
}
