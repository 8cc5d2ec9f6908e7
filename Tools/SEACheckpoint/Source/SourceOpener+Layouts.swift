// SPDX-License-Identifier: Apache-2.0
// What each layout keeps where.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

extension SourceOpener {
  /// A CLIP or SigLIP model by itself: rows are patches of the last block but one.
  mutating func openEncoder() throws(CheckpointError) {
    var encoder = try readEncoder(try mainConfig(in: folder))
    try select(&encoder, layer: -2, dropsFirst: encoder.description.hasClassToken, config: nil)
    self.encoder = encoder
    model.recipe = try recipe(in: folder, encoder)
    collector.note(rowsNote(encoder))
    try collector.add(try weights(of: folder), wanted: [.vision], language: nil)
  }

  /// A causal language model, with an encoder and an adapter added where the caller names them.
  mutating func openLanguageModel() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    try readLanguage(config, in: folder)
    try collector.add(try weights(of: folder), wanted: [.language], language: language)
    if let path = options.visionFolder {
      let tower = try CheckpointFolder(path: path)
      var encoder = try readEncoder(try mainConfig(in: tower))
      try select(&encoder, layer: -2, dropsFirst: encoder.description.hasClassToken, config: nil)
      self.encoder = encoder
      model.recipe = try recipe(in: tower, encoder)
      try addTower(tower)
    }
    if let file = options.adapterFile {
      try collector.add(try weights(file: file), wanted: [.adapter], language: nil)
      model.adapter = try AdapterConfig.description(
        collector.parts,
        layers: nil,
        activation: .geluErf,
        path: file
      )
    }
    try chooseScale(config, isHuggingFace: false)
  }

  /// LLaVA's own layout: tower tensors inside the checkpoint win over those in a folder.
  mutating func openLLaVA() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    try readLanguage(config, in: folder)
    let layers = try AdapterConfig.llavaLayers(config)
    var parts: Set<ModelPart> = [.language, .vision]
    if options.adapterFile == nil { parts.insert(.adapter) }
    try collector.add(
      try weights(of: folder),
      wanted: parts,
      language: language,
      ignoringOthers: options.adapterFile.map { "replaced by \($0)" }
    )
    if let file = options.adapterFile {
      try collector.add(try weights(file: file), wanted: [.adapter], language: nil)
    }
    try readAdapter(config, layers: layers)
    try openLLaVATower(config)
    try chooseScale(config, isHuggingFace: false)
  }

  /// LLaVA's alignment stage: the adapter here, the two models it joins in their own folders.
  mutating func openStage1() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    let layers = try AdapterConfig.llavaLayers(config)
    let name = try config.string("_name_or_path")
    let tower = try config.string("mm_vision_tower")
    let found = try namedFolder(name, asked: options.languageFolder, base: folder)
    guard let base = found, base.path != folder.path else {
      let hasTower = try namedFolder(tower, asked: options.visionFolder, base: folder) != nil
      throw folderNeeded(
        "_name_or_path",
        name,
        in: config,
        needsVision: !hasTower,
        needsLanguage: true
      )
    }
    openedPaths.append(base.path)
    let baseConfig = try mainConfig(in: base)
    try readLanguage(baseConfig, in: base)
    try collector.add(try weights(of: base), wanted: [.language], language: language)
    let own = LayoutDetector.adapterFiles.first { folder.contains($0) }.map { folder.path(of: $0) }
    if let file = options.adapterFile ?? own {
      try collector.add(try weights(file: file), wanted: [.adapter], language: nil)
    }
    try readAdapter(config, layers: layers)
    try openLLaVATower(config)
    try chooseScale(config, isHuggingFace: false)
    if LayoutDetector.tokenizerFiles.contains(where: { folder.contains($0) }) {
      languageFolder = folder
    }
  }

  /// `LlavaForConditionalGeneration`: three nested configurations, all weights together.
  mutating func openHuggingFace() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    let text = try config.object("text_config") ?? ConfigReader([:], path: config.path)
    try readLanguage(text, in: folder)
    let vision =
      try config.object("vision_config")
      ?? ConfigReader(KnownEncoders.huggingFaceStandard, path: config.path)
    var encoder = try readEncoder(vision)
    let strategy = try config.string("vision_feature_select_strategy") ?? "default"
    guard ["default", "full"].contains(strategy) else {
      throw config.fault(
        "vision_feature_select_strategy",
        "\"\(strategy.printable())\", expected default or full",
      )
    }
    if config.value("vision_feature_layer")?.array != nil {
      throw .unsupported(path: config.path, what: "vision_feature_layer with several layers")
    }
    let layer = try config.int("vision_feature_layer", default: -2, in: -1024...1024)
    try select(&encoder, layer: layer, dropsFirst: strategy == "default", config: config)
    self.encoder = encoder
    model.recipe = try recipe(in: folder, encoder)
    let activation = try AdapterConfig.huggingFaceActivation(config)
    try collector.add(
      try weights(of: folder),
      wanted: [.language, .vision, .adapter],
      language: language
    )
    configs[.adapter] = vision
    model.adapter = try AdapterConfig.description(
      collector.parts,
      layers: 2,
      activation: activation,
      path: folder.path
    )
    try chooseScale(config, isHuggingFace: true)
  }

  /// Finds the tower of a LLaVA checkpoint and its configuration.
  private mutating func openLLaVATower(_ config: ConfigReader) throws(CheckpointError) {
    let name = try config.string("mm_vision_tower")
    let isInside = collector.contains(.vision)
    let tower = try namedFolder(name, asked: options.visionFolder, base: folder)
    let known = isInside ? name.flatMap { KnownEncoders.config($0) } : nil
    var encoder: EncoderConfig
    if let tower {
      openedPaths.append(tower.path)
      encoder = try readEncoder(try mainConfig(in: tower))
    } else if let known, let name {
      encoder = try readEncoder(ConfigReader(known, path: "\(config.path) (\(name))"))
      collector.note("encoder: the published sizes of \(name)")
    } else {
      throw folderNeeded(
        "mm_vision_tower",
        name,
        in: config,
        needsVision: true,
        needsLanguage: false
      )
    }
    let rows = try config.string("mm_vision_select_feature") ?? "patch"
    guard let rows = FeatureRows(rawValue: rows) else {
      throw config.fault(
        "mm_vision_select_feature",
        "\"\(rows.printable())\", expected patch or cls_patch",
      )
    }
    let layer = try config.int("mm_vision_select_layer", default: -2, in: -1024...1024)
    try select(
      &encoder,
      layer: layer,
      dropsFirst: rows == .patch && encoder.description.hasClassToken,
      config: config
    )
    self.encoder = encoder
    let base = try recipe(in: tower, encoder)
    model.recipe =
      options.recipe != nil
      ? base : try RecipeConfig.llava(base, config, side: encoder.description.imageSide)
    if isInside {
      collector.note("encoder: the weights inside the checkpoint, which may have been tuned")
    } else if let tower {
      try addTower(tower)
    }
    collector.note(rowsNote(encoder))
  }

  /// Adds the encoder's tensors from a folder of its own.
  private mutating func addTower(_ tower: CheckpointFolder) throws(CheckpointError) {
    try collector.add(try weights(of: tower), wanted: [.vision], language: nil)
  }
}
