// SPDX-License-Identifier: Apache-2.0
// The parts of a checkpoint as descriptions, with every decision noted.

internal import SEAFormat
internal import SEAImage
internal import SEAModel
internal import SEATensor
internal import SEAText

// MARK: - Language model

extension SourceOpener {
  /// Reads a language model's configuration.
  mutating func readLanguage(
    _ config: ConfigReader,
    in folder: CheckpointFolder,
  ) throws(CheckpointError) {
    let type = try config.string("model_type") ?? "llama"
    guard let family = LanguageFamily(modelType: type) else {
      throw .unsupported(
        path: config.path,
        what: "\(config.field("model_type")) \"\(type.printable())\"; llama, gemma and phi3 are",
      )
    }
    let language = try LanguageModelConfig(config, family: family)
    self.language = language
    model.language = language.description
    configs[.language] = config
    languageFolder = folder
  }

  /// Settles what depends on the tensors and files beside the configuration.
  mutating func settleLanguage() throws(CheckpointError) {
    guard let language, var description = model.language, let folder = languageFolder else {
      return
    }
    if description.isHeadTied {
      collector.drop("llm.head.weight", reason: "the head is tied to the embedding table")
    }
    description.vocab = try vocabulary(description.vocab, language)
    model.language = description

    let tokenizer = try config("tokenizer_config.json", in: folder)
    let choice = try TemplateChoice(
      asked: options.template,
      config: tokenizer,
      model: TemplateChoice.Model(
        layout: layout,
        family: language.family,
        name: (try configs[.language]?.string("_name_or_path") ?? "") + self.folder.name,
        ropeTheta: description.ropeTheta
      )
    )
    model.template = choice.template
    collector.note("template: \(choice.template.name) (\(choice.reason))")

    let generation = try config("generation_config.json", in: folder)
    let stated = try generation?.ids("eos_token_id") ?? []
    let stopIDs = stated.isEmpty ? language.stopIDs : stated
    model.generation = GenerationDefaults(
      stopIDs: stopIDs.filter { $0 < description.vocab },
      context: min(limit ?? Self.defaultContext, description.maxPositions)
    )
  }

  /// Positions to plan for where the checkpoint names no limit of its own.
  private static let defaultContext = 4096

  /// Rows of the embedding table.
  ///
  /// The table decides where the configuration leaves the number out, or where training padded the
  /// table to the next multiple of 64; any other difference is a contradiction.
  private mutating func vocabulary(
    _ stated: Int,
    _ language: LanguageModelConfig,
  ) throws(CheckpointError) -> Int {
    let name = "llm.embed.weight"
    guard let table = collector.parts[name]?.tensor else { return stated }
    let rows = table.rows
    if rows == stated { return rows }
    let isPadded = rows.isMultiple(of: 64) && rows > stated && rows - stated < 64
    let isFree = !language.statesVocabulary || isPadded || collector.isReplaced(name)
    guard isFree, rows <= 1 << 24 else {
      throw .contradiction(
        path: configs[.language]?.path ?? folder.path,
        field: configs[.language]?.field("vocab_size") ?? "vocab_size",
        says: "\(stated)",
        found: "tensor \(table.name) has shape \(table.shape)"
      )
    }
    collector.note("vocabulary: \(rows) rows as in the embedding table (configuration: \(stated))")
    return rows
  }

  /// Decides how visual tokens are scaled; only Gemma scales at all.
  mutating func chooseScale(
    _ config: ConfigReader,
    isHuggingFace: Bool,
  ) throws(CheckpointError) {
    guard let language, language.family == .gemma else {
      guard options.visualScale != .squareRoot else {
        throw .usage("--visual-scale sqrt is for Gemma models")
      }
      return
    }
    let version = try config.string("transformers_version") ?? ""
    let release = version.split(separator: ".").first.flatMap { Int($0) } ?? 0
    let isUnscaled = isHuggingFace && release >= 5
    switch options.visualScale {
    case .one: model.visualScale = 1
    case .squareRoot: model.visualScale = language.description.embeddingScale
    case .automatic: model.visualScale = isUnscaled ? 1 : language.description.embeddingScale
    }
    let reason =
      options.visualScale != .automatic
      ? "asked for"
      : isUnscaled
        ? "transformers \(version.printable(limit: 20)) scales text rows only"
        : "as the code that trains such checkpoints does"
    let value = model.visualScale == 1 ? "1" : "√\(language.description.hidden)"
    collector.note("visual scale: \(value) (\(reason))")
  }
}

// MARK: - Adapter

extension SourceOpener {
  /// Describes the adapter of LLaVA's layouts and holds it against the configuration.
  mutating func readAdapter(
    _ config: ConfigReader,
    layers: Int,
    widthKey: String,
    hasNewline: Bool = false,
  ) throws(CheckpointError) {
    configs[.adapter] = config
    limit = try config.optionalInt("tokenizer_model_max_length", in: 1...(1 << 24))
    let adapter = try AdapterConfig.description(
      &collector,
      layers: layers,
      activation: .geluErf,
      hasNewline: hasNewline,
      path: options.adapterFile ?? folder.path
    )
    let stated = try config.optionalInt(widthKey, in: 1...65_536)
    if let stated, stated != adapter.inputWidth, let part = collector.parts["adapter.0.weight"] {
      throw .contradiction(
        path: config.path,
        field: widthKey,
        says: "\(stated)",
        found: "tensor \(part.tensor.name) has shape \(part.tensor.shape)"
      )
    }
    model.adapter = adapter
  }
}

// MARK: - Encoder

extension SourceOpener {
  /// Chooses the rows for the adapter; the caller's choice comes first.
  func select(
    _ encoder: inout EncoderConfig,
    layer: Int,
    dropsFirst: Bool,
    appliesFinalNorm: Bool = false,
    config: ConfigReader?,
    key: String = "--select-layer",
  ) throws(CheckpointError) {
    var choice = FeatureChoice(layer: options.selectLayer ?? layer, dropsFirst: dropsFirst)
    if let rows = options.selectRows {
      choice.dropsFirst = rows == .patch && encoder.description.hasClassToken
    }
    choice.appliesFinalNorm = appliesFinalNorm
    if options.selectLayer == nil, let config {
      try encoder.select(choice, path: config.path, field: key)
    } else {
      try encoder.select(choice, path: folder.path, field: "--select-layer")
    }
  }

  /// The image recipe: asked for, written beside the encoder, or the family's.
  mutating func recipe(
    in folder: CheckpointFolder?,
    _ encoder: EncoderConfig,
  ) throws(CheckpointError) -> ImageRecipe {
    let side = encoder.description.inputSide
    if let name = options.recipe {
      guard let recipe = ImageRecipe.named(name, side: side) else {
        let names = ImageRecipe.presetNames.joined(separator: ", ")
        throw .usage("--recipe \(name.printable()): expected one of \(names)")
      }
      collector.note("recipe: \(name) (asked for)")
      return recipe
    }
    if let folder, let processor = try imageProcessor(in: folder, side: side) {
      let tile = encoder.description.imageSide
      let recipe = try RecipeConfig.recipe(processor, family: encoder.family, side: tile)
      return side == tile ? recipe : RecipeConfig.resized(recipe, side: side)
    }
    let recipe = RecipeConfig.standard(family: encoder.family, side: side)
    collector.note("recipe: \(recipe.name) (no preprocessor_config.json; the encoder's own)")
    return recipe
  }

  /// The image processor's configuration, in a file of its own or nested in another.
  private mutating func imageProcessor(
    in folder: CheckpointFolder,
    side: Int,
  ) throws(CheckpointError) -> ConfigReader? {
    if let config = try config("preprocessor_config.json", in: folder) { return config }
    if let config = try config(OpenCLIPConfig.fileName, in: folder) {
      let json = try OpenCLIPConfig.processor(config, side: side)
      return json.map { ConfigReader($0, path: config.path) }
    }
    guard let config = try config("processor_config.json", in: folder) else { return nil }
    return try config.object("image_processor")
  }

  /// What feeds the adapter, in words.
  func rowsNote(_ encoder: EncoderConfig) -> String {
    let selection = encoder.description.selection
    let norm = selection.appliesFinalNorm ? " after the final norm" : ""
    return "features: block \(selection.layer) of \(encoder.description.blocks)\(norm), "
      + (selection.dropsFirst ? "without the first row" : "all rows")
  }
}
