// SPDX-License-Identifier: Apache-2.0
// Options of comparing a written file with its source on pictures, and the comparison itself.

import ArgumentParser
import Glibc
import SEACommandLine
import SEAEvaluator
import SEAFormat
import SEAImage
import SEALabels
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor

struct QualityOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A folder of pictures: the file is compared with its source on them.",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var images: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Messages about the pictures, one a line; each picture gets the next one.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var prompts: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Words that visual tokens are compared with (default: the vocabulary's whole words).",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var words: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Look at the first n pictures and prompts only.",
      valueName: "n"
    ),
    transform: Checked.integer(1...1_000_000)
  )
  var limit: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Fail with exit code 2 when the mean divergence of scores exceeds this many nats.",
      valueName: "kl"
    ),
    transform: Checked.number(0...1e9, expected: "a number of nats that is not below 0")
  )
  var gate: Double?

  func validate() throws {
    guard (images == nil) == (prompts == nil) else {
      throw ValidationError("--images and --prompts need each other")
    }
    guard images != nil || gate == nil && words == nil && limit == nil else {
      throw ValidationError("--gate, --words and --limit need --images and --prompts")
    }
  }

  /// A comparison was asked for.
  var isAsked: Bool { images != nil }

  /// Files that are read.
  var inputs: [String] { [prompts, words].compactMap(\.self) }

  /// Compares a file with its source on every picture.
  ///
  /// Each picture is asked the next prompt, from the first one again after the last; where there are
  /// more prompts than pictures, the pictures begin again.
  func compare(
    source: any WeightSource,
    path: String,
    _ console: Console,
    on execution: Execution
  ) throws -> QualityReport {
    let (pictures, prompts) = (try self.pictures(), try self.messages())
    let comparison = try QualityComparison(source: source, path: path, on: execution)
    let list = try recallWords(comparison)
    let agreement = list.map { WordAgreement($0, on: execution) }
    var report = QualityReport()
    report.words = list?.count ?? 0
    let pairs = min(max(pictures.count, prompts.count), limit ?? .max)
    let start = System.seconds
    var done = 0
    for index in 0..<pairs {
      let image = try ImageFile.read(path: pictures[index % pictures.count])
      let sameWords = agreement.map { agreement in
        { (tokens: QualityTokens) in try agreement.sameWords(tokens) }
      }
      try comparison.add(
        image,
        prompt: prompts[index % prompts.count],
        to: &report,
        sameWords: sameWords
      ) {
        done += 1
        console.terminal.progress(
          "compare",
          done: done,
          total: pairs * comparison.steps,
          unit: { "\($0) blocks" },
          since: start
        )
        try Interruption.check()
      }
    }
    console.terminal.clearProgress()
    return report
  }

  /// Refuses a file whose scores are further from the source's than the gate lets pass.
  ///
  /// - Throws: `CommandError` (2).
  func check(_ report: QualityReport?, path: String) throws(CommandError) {
    guard let gate, let report, !report.passes(gate: gate) else { return }
    let found = QualityReport.text(report[.all].meanDivergence, places: 5)
    throw CommandError(
      .gateFailed,
      "\(path.printable(limit: 4096)): logits KL \(found) on the pictures is above the gate \(gate)"
    )
  }

  // MARK: - Reading

  /// Refuses a folder without pictures and a file without prompts.
  func checkInputs() throws {
    _ = try pictures()
    _ = try messages()
  }

  private func pictures() throws -> [String] {
    guard let images else { return [] }
    guard System.kind(of: images) == S_IFDIR else {
      throw CommandError(.missingInput, "\(images.printable(limit: 4096)): no such folder")
    }
    let endings = [".png", ".jpg", ".jpeg", ".webp"]
    let names = System.names(in: images).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      .filter { name in endings.contains { name.lowercased().hasSuffix($0) } }
    guard !names.isEmpty else {
      throw CommandError(
        .missingInput,
        "\(images.printable(limit: 4096)): holds no PNG, JPEG or WebP file"
      )
    }
    return names.map { "\(images)/\($0)" }
  }

  private func messages() throws -> [String] {
    guard let prompts else { return [] }
    let file = try MappedFile(path: prompts)
    guard let text = String(validating: file.bytes.array(), as: UTF8.self) else {
      throw CommandError(.badData, "\(prompts.printable(limit: 4096)): is not valid UTF-8")
    }
    let lines = text.split(whereSeparator: \.isNewline).map { line in
      String(line.trimmingPrefix(while: \.isWhitespace))
    }
    let messages = lines.filter { !$0.isEmpty }
    guard !messages.isEmpty else {
      throw CommandError(.badData, "\(prompts.printable(limit: 4096)): holds no prompts")
    }
    return messages
  }

  /// The words to compare, or nil when the vocabulary has none and no list was given.
  private func recallWords(_ comparison: QualityComparison) throws -> RecallWords? {
    guard let (tokenizer, rows) = comparison.vocabulary else { return nil }
    guard let words else { return try? RecallWords(wholeWordsOf: tokenizer, vocab: rows) }
    return try RecallWords(WordList(path: words), tokenizer, vocab: rows)
  }
}
