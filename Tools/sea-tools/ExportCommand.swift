// SPDX-License-Identifier: Apache-2.0
// `sea export`: a model as a checkpoint folder that other projects read.

import ArgumentParser
import Glibc
import SEACheckpoint
import SEACommandLine
import SEAFormat
import SEAModel
import SEAQuantizer
import SEATensor
import SEAText

struct ExportCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a model as a checkpoint folder for other projects.",
    discussion: """
      The source is a model file with f32 or bf16 weights, or a checkpoint's folder in any layout that \
      convert reads. Weights keep their types where these hold the values; the folder appears when it \
      is complete.
      """
  )

  @Argument(help: "A model file with f32 or bf16 weights, or the folder of a checkpoint.")
  var source: String

  @Option(
    help: ArgumentHelp("The layout to write: llava or hf.", valueName: "name"),
    transform: Checked.choice(ExportLayout.allCases.map { ($0.rawValue, $0) })
  )
  var layout: ExportLayout

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The folder to write; it must not exist or be empty.", valueName: "folder"),
    transform: Checked.text
  )
  var target: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the vision encoder.", valueName: "folder")
  )
  var vision: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the language model.", valueName: "folder")
  )
  var llm: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("File with the adapter's weights.", valueName: "file")
  )
  var adapter: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of a low-rank fine-tuning to merge.", valueName: "folder")
  )
  var lora: String?

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let (exporter, model) =
      System.kind(of: source) == S_IFDIR ? try folder(console) : try modelFile()
    let total = try exporter.write(to: target, console)
    if console.isJSON {
      try console.output.object(
        schema: "sea.export/1",
        [
          ("output", .string(target)), ("layout", .string(layout.rawValue)),
          ("name", .string(model.name)), ("bytes", .number(JSONNumber(total))),
          ("notes", .array(exporter.notes.map { .string($0) })),
        ]
      )
    } else {
      try console.output.line(
        "\(target.printable(limit: 4096)): \(layout.rawValue), \(Quantity.bytes(total))"
      )
    }
    try console.output.flush()
  }

  private func modelFile() throws -> (CheckpointExporter, ModelDescription) {
    guard [vision, llm, adapter, lora].allSatisfy({ $0 == nil }) else {
      throw CommandError(.usage, "--vision, --llm, --adapter and --lora are for checkpoint folders")
    }
    let model = try ModelFileSource(path: source, kernels: Kernels(.best))
    let plan = try TensorPlan(
      model.model,
      policy: PrecisionPolicy(json: model.file.manifest.quantization)
    )
    let types = Dictionary(plan.all.map { ($0.name, $0.elementType) }) { first, _ in first }
    let exporter = try CheckpointExporter(
      model,
      layout: layout,
      path: source,
      tokenizer: try model.tokenizer.map { try Tokenizer(tables: $0) },
      storedType: { types[$0] }
    )
    return (exporter, model.model)
  }

  private func folder(_ console: Console) throws -> (CheckpointExporter, ModelDescription) {
    var options = SourceOptions()
    options.visionFolder = vision
    options.languageFolder = llm
    options.adapterFile = adapter
    options.lowRankFolder = lora
    let model = try SourceModel(path: source, options: options)
    for path in model.openedPaths { console.terminal.note("reads \(path.printable(limit: 4096))") }
    for line in model.inventory.lines { console.terminal.note(line) }
    let exporter = try CheckpointExporter(
      model,
      layout: layout,
      path: source,
      tokenizer: try model.tokenizerFolder.map {
        try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: $0)))
      },
      tokenizerFolder: model.tokenizerFolder,
      storedType: { model.part($0)?.storedType }
    )
    return (exporter, model.model)
  }
}
