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
    let layout = layout ?? (model.layout == .huggingFaceLlava ? .huggingFace : .llava)
    let exporter = try CheckpointExporter(
      model,
      layout: layout,
      path: base,
      tokenizer: try model.tokenizerFolder.map {
        try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: $0)))
      },
      tokenizerFolder: model.tokenizerFolder,
      storedType: { name in
        guard let part = model.part(name) else { return nil }
        return part.storedType ?? (round && isMerged(model, name) ? part.tensor.type : nil)
      }
    )
    let bytes = try exporter.write(to: target, console)
    if console.isJSON {
      try console.output.object(
        schema: "sea.merge/1",
        [
          ("output", .string(target)), ("layout", .string(layout.rawValue)),
          ("merged", .number(JSONNumber(merged))), ("bytes", .number(JSONNumber(bytes))),
          ("notes", .array(exporter.notes.map { .string($0) })),
        ]
      )
    } else {
      try console.output.line(
        "\(target.printable(limit: 4096)): \(layout.rawValue), \(merged) tensors merged, "
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
    let start = System.seconds
    var total = 0
    try write(to: target) { progress in
      total = progress.total
      console.terminal.progress(
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
