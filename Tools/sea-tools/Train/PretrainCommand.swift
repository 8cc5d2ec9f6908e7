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
  @OptionGroup(title: "Run") var training: RunArguments
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard training.replay != nil || data.data != nil else {
      throw ValidationError("missing '--data <file>', the records to train on")
    }
    guard !alignment.alignmentOnly || alignment.labels != nil || training.replay != nil else {
      throw ValidationError("--alignment-only needs --labels")
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
      try session.replay(replay, steps: training.steps ?? 1, probe: training.probe)
    } else {
      try session.train()
    }
  }

  /// Settings of the stage.
  var stage: StageOneOptions {
    var options = StageOneOptions()
    alignment.apply(to: &options)
    options.batch = data.batch
    options.accumulate = data.accumulate
    options.sequences = data.sequences
    options.epochs = data.epochs
    options.grouping = data.groupBy
    options.tokenMean = data.tokenMean
    options.maxLength = data.maxLength
    options.longSamples = data.long
    options.maxBadImages = data.maxBadImages
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
    help: ArgumentHelp("Folder of the vision encoder.", valueName: "folder"),
    transform: Checked.text
  )
  var vision: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Start a new adapter: linear or mlpNx_gelu (default: the model's own, else mlp2x_gelu).",
      valueName: "type"
    ),
    transform: ModelArguments.layers
  )
  var adapter: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Start from the adapter of a file.", valueName: "file"),
    transform: Checked.text
  )
  var adapterInit: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Image recipe (default: the encoder's own).", valueName: "name"),
    transform: Checked.text
  )
  var recipe: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Hidden state that feeds the adapter (default: -2).", valueName: "n"),
    transform: Checked.integer(-1024...1024)
  )
  var selectLayer: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Scale of Gemma's visual tokens: auto, sqrt or one.", valueName: "rule"),
    transform: Checked.choice(VisualScaleChoice.allCases.map { ($0.rawValue, $0) })
  )
  var visualScale = VisualScaleChoice.automatic

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frozen weights: bf16, int8 or f32 (default: bf16; f32 with --replay).",
      valueName: "type"
    ),
    transform: Checked.choice(FrozenStorage.allCases.map { ($0.rawValue, $0) })
  )
  var frozen: FrozenStorage?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Operands of products: bf16 or f32 (default: f32 with f32 weights, else bf16).",
      valueName: "type"
    ),
    transform: Checked.choice(ProductPrecision.allCases.map { ($0.rawValue, $0) })
  )
  var precision: ProductPrecision?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Compute activations again on the way back: on, off or auto (by the memory plan).",
      valueName: "rule"
    ),
    transform: Checked.choice([("auto", Bool?.none), ("on", true), ("off", false)])
  )
  var checkpoint: Bool?

  private static let layers: @Sendable (String) throws -> Int = { text in
    if text == "linear" { return 1 }
    guard text.hasPrefix("mlp"), text.hasSuffix("x_gelu"),
      let count = Int(text.dropFirst(3).dropLast(6)), (1...16).contains(count)
    else { throw ValidationError("expected linear or mlpNx_gelu, as mlp2x_gelu") }
    return count
  }

  func validate() throws {
    guard adapter == nil || adapterInit == nil else {
      throw ValidationError("--adapter starts a new one and --adapter-init an old one: choose")
    }
  }

  /// The caller's decisions about the checkpoint.
  var sourceOptions: SourceOptions {
    var options = SourceOptions()
    options.visionFolder = vision
    options.adapterFile = adapterInit
    options.recipe = recipe
    options.selectLayer = selectLayer
    options.visualScale = visualScale
    return options
  }
}

struct DataArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records: JSON or JSON lines.", valueName: "file"),
    transform: Checked.text
  )
  var data: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder that the pictures lie in.", valueName: "folder"),
    transform: Checked.text
  )
  var images: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Conversation template.", valueName: "name"),
    transform: Checked.text
  )
  var template = "plain"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Samples of a micro-batch.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var batch = 32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Micro-batches of a step.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var accumulate = 8

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Sequences in the language model at a time.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var sequences = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Times that every record is seen.", valueName: "n"),
    transform: Checked.integer(1...100_000)
  )
  var epochs = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Samples together: none (at random) or modality.", valueName: "rule"),
    transform: Checked.choice(BatchGrouping.allCases.map { ($0.rawValue, $0) })
  )
  var groupBy = BatchGrouping.none

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The loss is a mean over the targets of a micro or a step.", valueName: "n"),
    transform: Checked.choice(TokenMean.allCases.map { ($0.rawValue, $0) })
  )
  var tokenMean = TokenMean.micro

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Rows of the longest sequence.", valueName: "n"),
    transform: Checked.integer(1...1_000_000)
  )
  var maxLength = 2048

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Longer ones: skip or cut.", valueName: "rule"),
    transform: Checked.choice(LongSamples.allCases.map { ($0.rawValue, $0) })
  )
  var long = LongSamples.skip

  @Flag(help: "Leave out records that cannot be used instead of refusing the data.")
  var skipBad = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pictures that may fail while training.", valueName: "n"),
    transform: Checked.integer(0...1_000_000_000)
  )
  var maxBadImages = 100

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Folder for the features of pictures, or off (default: features in the run's folder).",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var featureCache: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How features are kept: f32 or f16 (default: as --frozen).",
      valueName: "type"
    ),
    transform: Checked.choice(FeatureStorage.allCases.map { ($0.rawValue, $0) })
  )
  var featureType: FeatureStorage?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Most bytes that a run adds to the features' folder.", valueName: "size"),
    transform: Checked.memory
  )
  var featureCacheSize: Int?

  /// Names and values for a run's identity.
  var identity: [(name: String, value: String)] {
    [
      ("template", template), ("batch", "\(batch)"), ("accumulate", "\(accumulate)"),
      ("sequences", "\(sequences)"), ("epochs", "\(epochs)"), ("group-by", groupBy.rawValue),
      ("token-mean", tokenMean.rawValue), ("max-length", "\(maxLength)"), ("long", long.rawValue),
      ("skip-bad", "\(skipBad)"),
    ]
  }
}
