// SPDX-License-Identifier: Apache-2.0
// `sea train finetune`: stage 2, the language model and the adapter on conversations.

import ArgumentParser
import SEACheckpoint
import SEACommandLine
import SEADataset
import SEALayers
import SEATrainer

struct FinetuneCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Stage 2: tune the language model and the adapter on conversations.",
    discussion: """
      Minimises the loss of the answers. --method lora trains low-rank factors beside the frozen language \
      model and leaves them in OUT/lora as PEFT and LLaVA save them, which sea convert --lora merges; \
      --method full trains the language model and leaves a checkpoint of LLaVA's layout in OUT/model, \
      which sea convert takes (--layout hf: of Hugging Face's Llava). The adapter is always trained, the encoder with --vision-lr. A language \
      model alone is tuned on text by --method lora.
      """
  )

  @OptionGroup(title: "Model") var model: TunedModelArguments
  @OptionGroup(title: "Method") var tuning: TuningArguments
  @OptionGroup(title: "Data") var data: DataArguments
  @OptionGroup(title: "Optimiser") var optimizer: OptimizerArguments
  @OptionGroup(title: "Optimiser's memory") var memory: OptimizerMemoryArguments
  @OptionGroup(title: "Evaluation") var evaluation: EvaluationArguments
  @OptionGroup(title: "Run") var training: RunArguments
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard training.replay != nil || data.data != nil else {
      throw ValidationError("missing '--data <file>', the records to train on")
    }
    if case .int8 = model.storage.frozen, tuning.method == .full {
      throw ValidationError("--frozen int8 is for the language model, which --method full trains")
    }
    guard tuning.layout == nil || tuning.method == .full else {
      throw ValidationError("--layout is for --method full; sea merge writes factors' results")
    }
    guard memory.fused != .on || isFusible else {
      throw ValidationError(
        "--fused on makes a step of one pass: expected --accumulate 1 or --token-mean step"
      )
    }
    guard memory.fused != .on || training.probe == nil else {
      throw ValidationError("--probe writes gradients, and --fused on keeps none")
    }
  }

  /// A step may be one pass without a change of its loss.
  var isFusible: Bool {
    training.probe == nil
      && (training.replay != nil || data.accumulate == 1 || data.tokenMean == .step)
  }

  func run() throws {
    let console = Console(command: "sea train", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }

  func run(_ console: Console) throws {
    let session = try FinetuneSession(self, console)
    if let replay = training.replay {
      try session.replay(replay)
    } else {
      try session.train()
    }
  }

  /// Settings of the stage.
  var stage: StageOneOptions {
    var options = StageOneOptions()
    data.apply(to: &options, batch: 16, grouping: .modality)
    options.seed = training.seed
    return options
  }
}

/// What is tuned, by its folders.
struct TunedModelArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Folder of a whole model, in any layout that convert reads.",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var model: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Folder of the language model, with --vision and --adapter-init.",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var llm: String?

  @OptionGroup var parts: PartArguments
  @OptionGroup var storage: StorageArguments

  /// The folder that is opened.
  var path: String { model ?? llm ?? "" }

  func validate() throws {
    guard (model == nil) != (llm == nil) else {
      throw ValidationError("expected '--model <folder>' or '--llm <folder>', one of them")
    }
  }
}

/// How the language model is tuned.
enum TuningMethod: String, CaseIterable {
  /// Low-rank factors beside frozen layers.
  case lora
  /// Every weight.
  case full
}

/// Types that trained weights have.
enum TrainedType: String, CaseIterable {
  case float32 = "f32"
  case bfloat16 = "bf16"

  var storage: ParameterStorage { self == .float32 ? .float32 : .bfloat16 }
}

struct TuningArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("lora (factors) or full (every weight).", valueName: "name"),
    transform: Checked.choice(TuningMethod.allCases.map { ($0.rawValue, $0) })
  )
  var method = TuningMethod.lora

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Rank of the factors (default: 128).", valueName: "n"),
    transform: Checked.integer(1...4096)
  )
  var rank: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The factors' product is scaled by alpha/rank (default: 2 · rank).",
      valueName: "x"
    ),
    transform: Checked.number(1e-3...1e6, expected: "a number from 0.001 to 1000000")
  )
  var alpha: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Share of inputs that factors do not see (default: 0.05; 0 with --replay).",
      valueName: "x"
    ),
    transform: Checked.number(0...0.99, expected: "a share from 0 to 0.99")
  )
  var dropout: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Layers with factors (default: q,k,v,o,gate,up,down).",
      valueName: "names"
    ),
    transform: TuningArguments.layers
  )
  var targets: Set<String>?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Go on from the factors of a PEFT folder.", valueName: "folder"),
    transform: Checked.text
  )
  var loraInit: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Trained weights: f32 or bf16, rounded at random.", valueName: "type"),
    transform: Checked.choice(TrainedType.allCases.map { ($0.rawValue, $0) })
  )
  var weights = TrainedType.float32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Layout of the result: llava or hf (default: llava).", valueName: "name"),
    transform: Checked.choice(ExportLayout.allCases.map { ($0.rawValue, $0) })
  )
  var layout: ExportLayout?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The adapter's peak learning rate (default: --lr; beside factors 2e-5).",
      valueName: "x"
    ),
    transform: Checked.number(0...1, expected: "a learning rate from 0 to 1")
  )
  var adapterLr: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Train the encoder too, at this peak learning rate.", valueName: "x"),
    transform: Checked.number(0...1, expected: "a learning rate from 0 to 1")
  )
  var visionLr: Double?

  private static let names = ["q", "k", "v", "o", "gate", "up", "down"]

  private static let layers: @Sendable (String) throws -> Set<String> = { text in
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      part.hasSuffix("_proj") ? String(part.dropLast("_proj".count)) : String(part)
    }
    guard parts.allSatisfy({ names.contains($0) }) else {
      throw ValidationError("expected names of \(names.joined(separator: ",")) with commas between")
    }
    return Set(parts)
  }

  func validate() throws {
    let given = [
      ("--rank", rank != nil), ("--alpha", alpha != nil), ("--dropout", dropout != nil),
      ("--targets", targets != nil), ("--lora-init", loraInit != nil),
    ].filter(\.1).map(\.0)
    guard method == .lora || given.isEmpty else {
      throw ValidationError(
        "\(given.joined(separator: ", ")) and --method full contradict each other"
      )
    }
    let decided = given.filter { $0 != "--lora-init" && $0 != "--dropout" }
    guard loraInit == nil || decided.isEmpty else {
      throw ValidationError("--lora-init decides \(decided.joined(separator: ", "))")
    }
  }

  /// The factors' settings; nil: everything is trained.
  func lowRank(
    isReplay: Bool,
    start: (rank: Int, alpha: Double, layers: Set<String>)?
  )
    -> LowRankOptions?
  {
    guard method == .lora else { return nil }
    let rank = start?.rank ?? rank ?? 128
    return LowRankOptions(
      rank: rank,
      alpha: start?.alpha ?? alpha ?? Double(2 * rank),
      dropout: dropout ?? (isReplay ? 0 : 0.05),
      layers: start?.layers ?? targets ?? Set(Self.names)
    )
  }

  /// Peak learning rates.
  func rates(_ optimizer: OptimizerArguments) -> TuningRates {
    let rate = optimizer.lr ?? (method == .lora ? 2e-4 : 2e-5)
    return TuningRates(
      language: rate,
      adapter: adapterLr ?? (method == .lora ? 2e-5 : rate),
      encoder: visionLr ?? 0,
      weightDecay: optimizer.weightDecay
    )
  }
}
