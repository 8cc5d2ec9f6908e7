// SPDX-License-Identifier: Apache-2.0
// `sea merge`: a low-rank fine-tuning into the weights that it was trained on.

import ArgumentParser
import SEACheckpoint
import SEACommandLine
import SEAFormat
import SEATensor
import SEAText

struct MergeCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merge a low-rank fine-tuning into a checkpoint.",
    discussion: """
      Writes BASE with W + scale · B · A in place of each weight W that has factors, and with what was \
      trained whole in place of the base's own. Products are summed in f32 while rows are read, so \
      memory stays at a chunk of rows. A merged weight is written as f32, which is what sea convert \
      --lora computes with; --round writes it in its base's type, as PEFT does. The folder appears \
      when it is complete.
      """
  )

  @Argument(help: "The folder of the checkpoint that was tuned.")
  var base: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder with adapter_config.json and the factors.", valueName: "folder"),
    transform: Checked.text
  )
  var lora: String

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The folder to write; it must not exist or be empty.", valueName: "folder"),
    transform: Checked.text
  )
  var target: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The layout to write: llava or hf (default: the base's, else llava).",
      valueName: "name"
    ),
    transform: Checked.choice(ExportLayout.allCases.map { ($0.rawValue, $0) })
  )
  var layout: ExportLayout?

  @Flag(help: "Round merged weights to the types of the base's.")
  var round = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the vision encoder.", valueName: "folder")
  )
  var vision: String?

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    var options = SourceOptions()
    options.visionFolder = vision
    options.lowRankFolder = lora
    let model = try SourceModel(path: base, options: options)
    for path in model.openedPaths { console.explain("reads \(path.printable(limit: 4096))") }
    for line in model.inventory.lines { console.explain(line) }
    let merged = model.names.count { isMerged(model, $0) }
    if model.layout == .languageModel {
      try mergeLanguageModel(model, merged, console)
      return
    }
    let layout = layout ?? (model.layout == .huggingFaceLlava ? .huggingFace : .llava)
    let exporter = try CheckpointExporter(
      model,
      layout: layout,
      path: base,
      tokenizer: try model.tokenizerFolder.map {
        try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: $0)))
      },
      tokenizerFolder: model.tokenizerFolder,
      storedType: { storedType(model, $0) }
    )
    let bytes = try exporter.write(to: target, console)
    try tell(layout.rawValue, merged, bytes, notes: exporter.notes, console)
  }

  /// Merges into a language model alone, which keeps its own layout.
  private func mergeLanguageModel(_ model: SourceModel, _ merged: Int, _ console: Console) throws {
    guard layout == nil else {
      throw CommandError(.usage, "--layout is for models with an encoder; this one keeps its own")
    }
    guard let tokenizerFolder = model.tokenizerFolder else {
      throw CommandError(.missingInput, "\(base.printable(limit: 4096)): no tokenizer here")
    }
    let export = try LanguageExport(
      model,
      path: target,
      tokenizer: try model.tokenizer(of: base),
      tokenizerFolder: tokenizerFolder,
      storedType: { storedType(model, $0) ?? .float32 }
    )
    let bytes = try console.writing { try export.write(to: target, step: $0) }
    try tell(model.layout.rawValue, merged, bytes, notes: [], console)
  }

  /// The type that a tensor is written in; nil: f32.
  private func storedType(_ model: SourceModel, _ name: String) -> ElementType? {
    guard let part = model.part(name) else { return nil }
    return part.storedType ?? (round && isMerged(model, name) ? part.tensor.type : nil)
  }

  private func tell(
    _ layout: String,
    _ merged: Int,
    _ bytes: Int,
    notes: [String],
    _ console: Console
  ) throws {
    if console.isJSON {
      try console.output.object(
        schema: "sea.merge/1",
        [
          ("output", .string(target)), ("layout", .string(layout)),
          ("merged", .number(JSONNumber(merged))), ("bytes", .number(JSONNumber(bytes))),
          ("notes", .array(notes.map { .string($0) })),
        ]
      )
    } else {
      try console.output.line(
        "\(target.printable(limit: 4096)): \(layout), \(merged) tensors merged, "
          + Quantity.bytes(bytes)
      )
    }
    try console.output.flush()
  }

  /// Whether a product is added to a tensor.
  private func isMerged(_ model: SourceModel, _ name: String) -> Bool {
    model.part(name).map { $0.storedType == nil && $0.addend == 0 } ?? false
  }
}

extension CheckpointExporter {
  /// Writes the folder, with notes and progress.
  ///
  /// - Returns: bytes of all tensors.
  func write(to target: String, _ console: Console) throws -> Int {
    for note in notes { console.terminal.note(note) }
    return try console.writing { try write(to: target, step: $0) }
  }
}

extension Console {
  /// Shows how far an export has come.
  ///
  /// - Returns: bytes of all tensors.
  fileprivate func writing(
    _ export: ((ExportProgress) throws -> Void) throws -> Void
  ) throws -> Int {
    let start = System.seconds
    var total = 0
    try export { progress in
      total = progress.total
      terminal.progress(
        "write",
        done: progress.done,
        total: progress.total,
        unit: Quantity.bytes,
        since: start
      )
      try Interruption.check()
    }
    return total
  }
}
