// SPDX-License-Identifier: Apache-2.0
// TinyLLaVA Factory's checkpoints: one folder for all weights, or one for each part.

internal import SEAFormat
internal import SEAModel

extension SourceOpener {
  /// The three parts under nested configurations.
  ///
  /// The feature named "patch" lacks the first row whatever the encoder: the framework cuts it off
  /// even where it is a patch and no class token.
  ///
  /// - Throws: `CheckpointError`.
  /// - Source: TinyLLaVA Factory `vision_tower/base.py`, `training_recipe/base.py`.
  mutating func openTinyLLaVA() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    let layers = try AdapterConfig.layers(config, key: "connector_type")
    try openTinyLanguage(config)
    try openTinyConnector()
    try readAdapter(config, layers: layers, widthKey: "vision_hidden_size")
    try openTinyTower(config)
    try chooseScale(config, isHuggingFace: false)
  }

  /// The language model: in the whole checkpoint, in its sub-folder, or in a folder by name.
  private mutating func openTinyLanguage(_ config: ConfigReader) throws(CheckpointError) {
    let text = try config.object("text_config")
    if folder.hasWeights {
      try readLanguage(text ?? ConfigReader([:], path: config.path), in: folder)
      try collect(
        try weights(of: folder),
        options.adapterFile == nil ? [.language, .vision, .adapter] : [.language, .vision],
        ignoringOthers: options.adapterFile.map { "replaced by \($0)" }
      )
      return
    }
    let name = try config.string("llm_model_name_or_path")
    var place = try folder.inner("language_model")
    if place == nil || options.languageFolder != nil {
      let named = try namedFolder(name, asked: options.languageFolder, base: folder)
      place = base ?? named
    }
    guard let place else {
      throw folderNeeded(
        "llm_model_name_or_path",
        name,
        in: config,
        needsVision: try folder.inner("vision_tower") == nil,
        needsLanguage: true
      )
    }
    openedPaths.append(place.path)
    let own = place.contains("config.json") ? try mainConfig(in: place) : nil
    guard let language = text ?? own else {
      throw .missing(path: place.path, advice: "no config.json here")
    }
    try readLanguage(language, in: place)
    try collect(try weights(of: place), [.language])
    if LayoutDetector.tokenizerFiles.contains(where: { folder.contains($0) }) {
      languageFolder = folder
    }
  }

  private mutating func openTinyConnector() throws(CheckpointError) {
    if let file = options.adapterFile {
      try collect(try weights(file: file), [.adapter])
    } else if !folder.hasWeights, let place = try folder.inner("connector") {
      try collect(try weights(of: place), [.adapter])
    }
  }

  private mutating func openTinyTower(_ config: ConfigReader) throws(CheckpointError) {
    // The name may say which kind of tower it is: "siglip:google/…".
    let name = try config.string("vision_model_name_or_path")
      .map { String($0.split(separator: ":").last ?? "") }
    let inner = folder.hasWeights ? nil : try folder.inner("vision_tower")
    let vision = try config.object("vision_config")
    var tower: Tower
    if options.visionFolder == nil, let vision, inner != nil || collector.contains(.vision) {
      tower = Tower(encoder: try readEncoder(vision), folder: inner ?? folder)
    } else if options.visionFolder == nil, let inner {
      tower = Tower(encoder: try readTower(inner), folder: inner)
    } else {
      tower = try findTower(name, key: "vision_model_name_or_path", config)
    }
    var encoder = tower.encoder
    let strategy = try config.string("vision_feature_select_strategy") ?? "patch"
    guard let rows = FeatureRows(rawValue: strategy) else {
      throw config.fault(
        "vision_feature_select_strategy",
        "\"\(strategy.printable())\", expected patch or cls_patch",
      )
    }
    let layer = try config.int("vision_feature_layer", default: -2, in: -1024...1024)
    try select(
      &encoder,
      layer: layer,
      dropsFirst: rows == .patch,
      config: config,
      key: "vision_feature_layer"
    )
    self.encoder = encoder
    let hasProcessor = folder.contains("preprocessor_config.json")
    let base = try recipe(in: hasProcessor ? folder : tower.folder, encoder)
    model.recipe =
      options.recipe != nil
      ? base : try RecipeConfig.llava(base, config, side: encoder.description.imageSide)
    try addTower(tower)
    collector.note(rowsNote(encoder))
    if rows == .patch, !encoder.description.hasClassToken {
      collector.note("features: the first patch is left out, as in training")
    }
  }
}
