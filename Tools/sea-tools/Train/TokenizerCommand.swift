// SPDX-License-Identifier: Apache-2.0
// `sea train tokenizer`: a vocabulary learned from text.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAText
import SEATrainer

struct TokenizerCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Learn a tokenizer from text.",
    discussion: """
      Reads plain text, and records in files named .json or .jsonl: their 'text', 'question' with \
      'answer', or LLaVA's 'conversations'. --kind bpe learns merges as Llama's and Gemma's tokenizers \
      have them, unigram a SentencePiece model, clip the lower-case byte merges of CLIP. What is learned \
      follows from the text alone. OUT is a new folder with tokenizer.json and the files beside it.
      """
  )

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Text to learn from.", valueName: "file")
  )
  var text: [String]

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("bpe, unigram or clip.", valueName: "name"),
    transform: Checked.choice(TokenizerKind.allCases.map { ($0.rawValue, $0) })
  )
  var kind = TokenizerKind.bytePair

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Ids in all, control tokens and bytes included.", valueName: "n"),
    transform: Checked.integer(1...1_048_576)
  )
  var vocab: Int

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A control token beside the family's; may be repeated.", valueName: "token"),
    transform: Checked.text
  )
  var special: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "llama, gemma or phi3: control tokens and white space (default: llama).",
      valueName: "name"
    ),
    transform: Checked.choice(TokenizerFamily.allCases.map { ($0.rawValue, $0) })
  )
  var family: TokenizerFamily?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Template whose words count where records are conversations, or none (default: the family's).",
      valueName: "name"
    ),
    transform: Checked.text
  )
  var template: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Make every digit a token of its own; clip always does."
  )
  var splitDigits = true

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Share of the text whose characters get tokens of their own; the rest is spelled in bytes.",
      valueName: "x"
    ),
    transform: Checked.number(0.5...1, expected: "a share from 0.5 to 1")
  )
  var coverage = 0.9995

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Characters of the longest token.", valueName: "n"),
    transform: Checked.integer(1...64)
  )
  var longest = 16

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Positions of the models that will use it (default: 2048; clip 77).",
      valueName: "n"
    ),
    transform: Checked.integer(1...1_000_000)
  )
  var maxLength: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The folder to write; it must be empty or new.", valueName: "folder"),
    transform: Checked.text
  )
  var out: String

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard kind != .clip || (family == nil && template == nil) else {
      throw ValidationError("--kind clip has its own tokens: leave out --family and --template")
    }
    guard kind != .clip || splitDigits else {
      throw ValidationError("--kind clip splits digits: leave out --no-split-digits")
    }
  }

  func run() throws {
    let console = Console(command: "sea train", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }

  func run(_ console: Console) throws {
    let start = System.seconds
    var recipe = TokenizerRecipe(vocab: vocab)
    recipe.kind = kind
    recipe.family = family ?? .llama
    recipe.special = special
    recipe.splitsDigits = splitDigits
    recipe.coverage = coverage
    recipe.longest = longest
    recipe.maxLength = maxLength ?? (kind == .clip ? 77 : 2048)
    let name = template ?? recipe.family.template
    let training = try TokenizerTraining(
      recipe,
      files: try text.map { try TextFile(path: $0) },
      template: name == "none" ? nil : try Template.named(name)
    )
    // Refuses a folder that is in use before the text is read.
    try TokenizerFile.refuseContent(of: out)
    let result = try training.run { progress in
      switch progress {
      case .reading(let done, let total):
        console.terminal.progress(
          "read",
          done: done,
          total: total,
          unit: Quantity.bytes,
          since: start
        )
      case .learning(let pieces, let goal):
        console.terminal.progress(
          "learn",
          done: min(pieces, goal),
          total: max(goal, 1),
          unit: { "\($0) pieces" },
          since: start
        )
      }
      try Interruption.check()
    }
    try result.files.write(to: out)
    try report(result, seconds: System.seconds - start, console)
  }

  private func report(
    _ result: TokenizerTraining.Result,
    seconds: Double,
    _ console: Console
  ) throws {
    if result.vocab < vocab {
      console.warn("the text has no more to learn: \(result.vocab) ids instead of \(vocab)")
    }
    if console.isJSON {
      try console.output.object(
        schema: "sea.train.tokenizer/1",
        [
          ("out", .string(out)), ("kind", .string(kind.rawValue)),
          ("vocab", .number(JSONNumber(result.vocab))),
          ("text_bytes", .number(JSONNumber(result.bytes))),
          ("words", .number(JSONNumber(result.words))),
          ("bytes_per_token", .number(JSONNumber(result.bytesPerToken))),
          ("seconds", .number(JSONNumber(seconds))),
        ]
      )
    } else {
      try console.output.line(
        "\(out.printable(limit: 4096)): \(result.vocab) ids from \(Quantity.bytes(result.bytes)) "
          + "of text with \(result.words) words, "
          + "\(Quantity.decimal(result.bytesPerToken, places: 2)) bytes a token, "
          + Quantity.duration(seconds)
      )
    }
  }
}
