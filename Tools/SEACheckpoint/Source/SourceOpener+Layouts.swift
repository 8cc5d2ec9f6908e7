// SPDX-License-Identifier: Apache-2.0
// What each layout keeps where.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

extension SourceOpener {
  /// A CLIP or SigLIP model by itself: rows are patches of the last block but one.
  mutating func openEncoder() throws(CheckpointError) {
    var encoder = try readTower(folder)
    try select(&encoder, layer: -2, dropsFirst: encoder.description.hasClassToken, config: nil)
    let parts = try readJointSpace(folder, &encoder)
    self.encoder = encoder
    model.recipe = try recipe(in: folder, encoder)
    collector.note(rowsNote(encoder))
    try collect(try weights(of: folder), parts)
  }

  /// An encoder that sees a picture at several scales; the folder holds nothing but its configuration.
  mutating func openMultiScale() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    try openLLaVATower(config, key: LayoutDetector.multiScaleKey(config))
  }

  /// A causal language model, with an encoder and an adapter added where the caller names them.
  mutating func openLanguageModel() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    try readLanguage(config, in: folder)
    try collect(try weights(of: folder), [.language])
    if let path = options.visionFolder {
      let tower = try CheckpointFolder(path: path)
      if try LayoutDetector.isMultiScale(tower) {
        let config = try mainConfig(in: tower)
        try openLLaVATower(config, key: LayoutDetector.multiScaleKey(config), scales: tower)
      } else {
        var encoder = try readTower(tower)
        try select(&encoder, layer: -2, dropsFirst: encoder.description.hasClassToken, config: nil)
        self.encoder = encoder
        model.recipe = try recipe(in: tower, encoder)
        try addTower(tower)
      }
    }
    if let file = options.adapterFile {
      try collect(try weights(file: file), [.adapter])
      model.adapter = try AdapterConfig.description(
        &collector,
        layers: nil,
        activation: .geluErf,
        path: file
      )
    }
    try chooseScale(config, isHuggingFace: false)
  }

  /// LLaVA's own layout in all its stages: tower tensors inside the checkpoint win over those in a
  /// folder.
  mutating func openLLaVA() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    let layers = try AdapterConfig.layers(config, key: "mm_projector_type")
    try addLanguageAndAdapter(
      config,
      nameKey: "_name_or_path",
      tower: try config.string("mm_vision_tower")
    )
    try readAdapter(config, layers: layers, widthKey: "mm_hidden_size")
    try openLLaVATower(config)
    try chooseScale(config, isHuggingFace: false)
  }

  /// Adds the language model and the adapter of LLaVA and its kin: together in one checkpoint, or the
  /// adapter here and the language model in a folder of its own.
  ///
  /// - Parameters:
  ///   - config: the configuration of the whole.
  ///   - nameKey: the key that names the language model's folder.
  ///   - tower: what the configuration names as encoder, for the advice about missing folders.
  /// - Throws: `CheckpointError`.
  mutating func addLanguageAndAdapter(
    _ config: ConfigReader,
    nameKey: String,
    tower: String?,
  ) throws(CheckpointError) {
    let own = LayoutDetector.adapterFiles.first { folder.contains($0) }.map { folder.path(of: $0) }
    let isWhole = folder.hasWeights
    let file = options.adapterFile ?? (isWhole ? nil : own)
    let place = try languageFolder(config, nameKey: nameKey, tower: tower)
    if place.path == folder.path || base != nil {
      try readLanguage(config, in: place)
    } else {
      openedPaths.append(place.path)
      try readLanguage(try mainConfig(in: place), in: place)
    }
    // An alignment starts from a language model alone; a fine-tuning may start from a whole model.
    var parts: Set<ModelPart> = [.language]
    if isWhole || base != nil { parts.insert(.vision) }
    if file == nil { parts.insert(.adapter) }
    try collect(
      try weights(of: place),
      parts,
      ignoringOthers: isWhole ? file.map { "replaced by \($0)" } : nil
    )
    if let file { try collect(try weights(file: file), [.adapter]) }
    if LayoutDetector.tokenizerFiles.contains(where: { folder.contains($0) }) {
      languageFolder = folder
    }
  }

  /// The folder with the language model's weights.
  private func languageFolder(
    _ config: ConfigReader,
    nameKey: String,
    tower: String?,
  ) throws(CheckpointError) -> CheckpointFolder {
    if let base { return base }
    if folder.hasWeights { return folder }
    let name = try config.string(nameKey)
    let found = try namedFolder(name, asked: options.languageFolder, base: folder)
    guard let found, found.path != folder.path else {
      let hasTower = try namedFolder(tower, asked: options.visionFolder, base: folder) != nil
      throw folderNeeded(
        nameKey,
        name,
        in: config,
        needsVision: !hasTower,
        needsLanguage: true
      )
    }
    return found
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
    try select(
      &encoder,
      layer: layer,
      dropsFirst: strategy == "default",
      config: config,
      key: "vision_feature_layer"
    )
    self.encoder = encoder
    model.recipe = try recipe(in: folder, encoder)
    let activation = try AdapterConfig.huggingFaceActivation(config)
    try collect(try weights(of: folder), [.language, .vision, .adapter])
    configs[.adapter] = vision
    limit = try config.optionalInt("tokenizer_model_max_length", in: 1...(1 << 24))
    model.adapter = try AdapterConfig.description(
      &collector,
      layers: 2,
      activation: activation,
      path: folder.path
    )
    try chooseScale(config, isHuggingFace: true)
  }

  /// Finds the tower of a LLaVA checkpoint and its configuration.
  private mutating func openLLaVATower(
    _ config: ConfigReader,
    key: String = "mm_vision_tower",
    scales folder: CheckpointFolder? = nil,
  ) throws(CheckpointError) {
    let name = try config.string(key)
    let tower = try findTower(name, key: key, config, scales: folder)
    var encoder = tower.encoder
    let scales = try ScalesConfig.scales(config, tile: encoder.description.imageSide)
    if !scales.isEmpty {
      encoder.see(at: scales)
      collector.note("scales: \(scales.map(String.init).joined(separator: ", ")) px")
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
      config: config,
      key: "mm_vision_select_layer"
    )
    self.encoder = encoder
    let base = try recipe(in: tower.folder, encoder)
    model.recipe =
      options.recipe != nil
      ? base : try RecipeConfig.llava(base, config, side: encoder.description.inputSide)
    try addTower(tower)
    collector.note(rowsNote(encoder))
  }
}
