// SPDX-License-Identifier: Apache-2.0
// `sea convert`: a foreign checkpoint becomes one model file.

import ArgumentParser
import SEACheckpoint
import SEACommandLine
import SEAFormat
import SEAImage
import SEAText

struct ConvertCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Turn a checkpoint into one model file.",
    discussion: """
      The source is a folder in the layout of LLaVA (stage 1 and LoRA included), Hugging Face, \
      TinyLLaVA Factory or Cambrian, or an encoder, a language model or a tokenizer alone. What \
      became of every tensor is told on standard error; the result is what the parity verdict says.
      """
  )

  @Argument(help: "The folder of the checkpoint.")
  var source: String

  @OptionGroup var target: TargetOptions

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

  @Option(
    help: ArgumentHelp(
      "Conversation template: \(Template.names.joined(separator: ", ")).",
      valueName: "name"
    )
  )
  var template: String?

  @Option(help: ArgumentHelp("Image recipe.", valueName: "name"))
  var recipe: String?

  @Option(
    name: .customLong("select-layer"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "Hidden state that feeds the adapter, negative from the end.",
      valueName: "n"
    ),
    transform: Checked.integer(-1024...1024)
  )
  var selectLayer: Int?

  @Option(
    name: .customLong("select-feature"),
    help: ArgumentHelp("Rows that feed the adapter: patch or cls_patch.", valueName: "name"),
    transform: Checked.choice(FeatureRows.allCases.map { ($0.rawValue, $0) })
  )
  var selectFeature: FeatureRows?

  @Option(
    name: .customLong("visual-scale"),
    help: ArgumentHelp("Scale of Gemma's visual tokens: auto, sqrt or one.", valueName: "name"),
    transform: Checked.choice(VisualScaleChoice.allCases.map { ($0.rawValue, $0) })
  )
  var visualScale = VisualScaleChoice.automatic

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What the weights were trained on, kept in the file.", valueName: "text"),
    transform: Checked.text
  )
  var training: String?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let kernels = try compute.kernels()
    try target.refuseFolders()
    let model = try SourceModel(path: source, options: options)
    let inputs = model.inputPaths
    for path in inputs { console.terminal.note("reads \(path.printable(limit: 4096))") }
    for line in model.inventory.lines { console.terminal.note(line) }
    try target.refuse(inputs: inputs)

    var provenance = try model.provenance().object ?? JSONObject()
    if let training { provenance["training"] = .string(training) }
    let writing = ModelWriting(
      source: model,
      tokenizer: try model.tokenizerFolder.map {
        try TokenizerCompiler.compile(TokenizerFiles(folder: $0))
      },
      provenance: provenance,
      target: target,
      kernels: kernels,
      threads: compute.threadCount
    )
    try writing.run(
      schema: "sea.convert/1",
      fields: [("inventory", model.inventory.json)],
      console
    )
  }

  private var options: SourceOptions {
    var options = SourceOptions()
    options.visionFolder = vision
    options.languageFolder = llm
    options.adapterFile = adapter
    options.lowRankFolder = lora
    options.recipe = recipe
    options.template = template
    options.visualScale = visualScale
    options.selectLayer = selectLayer
    options.selectRows = selectFeature
    options.takesTextTower = true
    return options
  }
}
