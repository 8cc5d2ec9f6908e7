// SPDX-License-Identifier: Apache-2.0
// `sea train language`: a language model from text, from scratch or onwards.

import ArgumentParser
import SEACommandLine
import SEALayers
import SEATrainer

struct LanguageCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "language",
    abstract: "Train a language model from scratch on text.",
    discussion: """
      The shape comes from flags, from a config.json, or from a folder whose weights are gone on with. \
      Reads plain text, and records in files named .json or .jsonl: their 'text', 'question' with \
      'answer', or LLaVA's 'conversations', which are written in the template that stage 2 will use. \
      Texts follow one another in an order that the seed decides and are cut into sequences of equal \
      length. OUT/model is a folder that convert, pretrain --llm and transformers take.
      """
  )

  @OptionGroup(title: "Model") var shape: ShapeArguments
  @OptionGroup(title: "Text") var text: TextArguments
  @OptionGroup(title: "Optimiser") var optimizer: OptimizerArguments
  @OptionGroup(title: "Run") var training: RunArguments
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard training.replay == nil else {
      throw ValidationError("--replay is for stages with pictures: sea train language has none")
    }
  }

  func run() throws {
    let console = Console(command: "sea train", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }

  func run(_ console: Console) throws {
    try LanguageSession(self, console).train()
  }
}

/// What the model is.
struct ShapeArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the tokenizer (default: that of --init).", valueName: "folder"),
    transform: Checked.text
  )
  var tokenizer: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("llama, gemma or phi3 (default: llama).", valueName: "name"),
    transform: Checked.choice(TokenizerFamily.allCases.map { ($0.rawValue, $0) })
  )
  var family: TokenizerFamily?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width (default: 192).", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var hidden: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Blocks (default: 4).", valueName: "n"),
    transform: Checked.integer(1...1024)
  )
  var layers: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Query heads (default: 6).", valueName: "n"),
    transform: Checked.integer(1...1024)
  )
  var heads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Key heads, a divisor of --heads (default: --heads).", valueName: "n"),
    transform: Checked.integer(1...1024)
  )
  var kvHeads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width of a head, even (default: --hidden / --heads).", valueName: "n"),
    transform: Checked.integer(2...256)
  )
  var headDim: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width inside a block (default: 8/3 of --hidden).", valueName: "n"),
    transform: Checked.integer(1...262_144)
  )
  var intermediate: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Positions of the longest sequence (default: 512).", valueName: "n"),
    transform: Checked.integer(2...1_000_000)
  )
  var context: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Use the embedding table as the head (default: as the family does; gemma ties)."
  )
  var tie: Bool?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Take the shape from a config.json of transformers.", valueName: "file"),
    transform: Checked.text
  )
  var configJson: String?

  @Option(
    name: .customLong("init"),
    parsing: .unconditional,
    help: ArgumentHelp("Go on with the weights of a folder.", valueName: "folder"),
    transform: Checked.text
  )
  var initial: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weights: f32 or bf16, rounded at random.", valueName: "type"),
    transform: Checked.choice(TrainedType.allCases.map { ($0.rawValue, $0) })
  )
  var weights = TrainedType.float32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Operands of products: bf16 or f32.", valueName: "type"),
    transform: Checked.choice(ProductPrecision.allCases.map { ($0.rawValue, $0) })
  )
  var precision = ProductPrecision.bfloat16

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Compute activations again on the way back: on, off or auto (by the memory plan).",
      valueName: "rule"
    ),
    transform: Checked.choice([("auto", Bool?.none), ("on", true), ("off", false)])
  )
  var checkpoint: Bool?

  func validate() throws {
    let given = [
      ("--family", family != nil), ("--hidden", hidden != nil), ("--layers", layers != nil),
      ("--heads", heads != nil), ("--kv-heads", kvHeads != nil), ("--head-dim", headDim != nil),
      ("--intermediate", intermediate != nil), ("--context", context != nil), ("--tie", tie != nil),
    ].filter(\.1).map(\.0)
    guard configJson == nil || initial == nil else {
      throw ValidationError("--config-json and --init contradict each other")
    }
    if let source = configJson.map({ _ in "--config-json" }) ?? initial.map({ _ in "--init" }) {
      guard given.isEmpty else {
        throw ValidationError("\(source) decides \(given.joined(separator: ", "))")
      }
    }
    guard tokenizer != nil || initial != nil else {
      throw ValidationError("missing '--tokenizer <folder>', the folder of the tokenizer")
    }
    let (heads, hidden) = (heads ?? 6, hidden ?? 192)
    guard heads.isMultiple(of: kvHeads ?? heads) else {
      throw ValidationError("--kv-heads \(kvHeads ?? heads) does not divide --heads \(heads)")
    }
    if let headDim {
      guard headDim.isMultiple(of: 2) else {
        throw ValidationError("--head-dim \(headDim) is odd: rotary positions pair the dimensions")
      }
    } else {
      guard hidden.isMultiple(of: 2 * heads), hidden / heads <= 256 else {
        throw ValidationError(
          "--heads \(heads) does not divide --hidden \(hidden) into even widths of at most 256: "
            + "--head-dim names one"
        )
      }
    }
  }
}

/// The text and how it is fed.
struct TextArguments: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Text to learn.", valueName: "file")
  )
  var text: [String]

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Conversation template (default: the family's, or that of --init).",
      valueName: "name"
    ),
    transform: Checked.text
  )
  var template: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What is learned: all, or of conversations the answers.",
      valueName: "rule"
    ),
    transform: Checked.choice(TextTargets.allCases.map { ($0.rawValue, $0) })
  )
  var targets = TextTargets.all

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Sequences of a pass.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var batch = 32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Tokens of a sequence (default: 256, or --context).", valueName: "n"),
    transform: Checked.integer(2...1_000_000)
  )
  var sequence: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Passes of a step.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var accumulate = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Times that the text is seen, where --steps says nothing.", valueName: "n"),
    transform: Checked.integer(1...100_000)
  )
  var epochs = 1

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Text whose loss is measured and which is not learned.", valueName: "file")
  )
  var evalText: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps between measurements.", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var evalEvery = 100

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Tokens of a measurement.", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var evalTokens = 65_536
}
