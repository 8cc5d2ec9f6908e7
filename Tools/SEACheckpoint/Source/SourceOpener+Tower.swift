// SPDX-License-Identifier: Apache-2.0
// The encoder: its configuration in any project's words, and its tensors wherever they are.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

/// An encoder that a checkpoint names, found.
struct Tower {
  /// The encoder with every block evaluated.
  let encoder: EncoderConfig
  /// Its folder; nil when all that is known of it lies in the checkpoint.
  let folder: CheckpointFolder?
}

extension SourceOpener {
  /// Finds the encoder of a whole checkpoint.
  ///
  /// - Parameters:
  ///   - name: what the configuration calls it: a folder or a published name.
  ///   - key: the key that says so.
  ///   - config: the configuration of the whole.
  ///   - scales: the folder of `config` where that is what the caller named as encoder.
  /// - Returns: the encoder.
  /// - Throws: `CheckpointError`; `missing` with the command to type when it is not there.
  mutating func findTower(
    _ name: String?,
    key: String,
    _ config: ConfigReader,
    scales: CheckpointFolder? = nil,
  ) throws(CheckpointError) -> Tower {
    let asked = scales == nil ? options.visionFolder : nil
    if let tower = try namedFolder(name, asked: asked, base: scales ?? folder) {
      openedPaths.append(tower.path)
      // Once: the encoder that such a folder names is one of a single scale.
      if scales == nil, try LayoutDetector.isMultiScale(tower) {
        return try findScaledTower(tower)
      }
      return Tower(encoder: try readTower(tower), folder: tower)
    }
    guard collector.contains(.vision), let name, let known = KnownEncoders.config(name) else {
      throw folderNeeded(key, name, in: config, needsVision: true, needsLanguage: false)
    }
    collector.note("encoder: the published sizes of \(name)")
    let encoder = try readEncoder(ConfigReader(known, path: "\(config.path) (\(name))"))
    return Tower(encoder: encoder, folder: nil)
  }

  /// Finds the encoder that a folder of several scales names, and lets it see at them.
  private mutating func findScaledTower(
    _ folder: CheckpointFolder
  ) throws(CheckpointError) -> Tower {
    let config = try mainConfig(in: folder)
    let key = LayoutDetector.multiScaleKey(config)
    let tower = try findTower(try config.string(key), key: key, config, scales: folder)
    var encoder = tower.encoder
    encoder.see(at: try ScalesConfig.scales(config, tile: encoder.description.imageSide))
    collector.note("scales: as \(config.path) says")
    return Tower(encoder: encoder, folder: tower.folder)
  }

  /// Adds the tensors of an encoder, unless the checkpoint holds them itself.
  mutating func addTower(_ tower: Tower) throws(CheckpointError) {
    if collector.containsOwn(.vision) {
      collector.note("encoder: the weights inside the checkpoint, which may have been tuned")
    } else if let folder = tower.folder {
      try addTower(folder)
    }
  }

  /// Adds the encoder's tensors from a folder of its own.
  mutating func addTower(_ folder: CheckpointFolder) throws(CheckpointError) {
    try collect(try weights(of: folder), [.vision])
  }

  /// Reads the configuration in an encoder's folder, whichever project wrote it.
  mutating func readTower(_ folder: CheckpointFolder) throws(CheckpointError) -> EncoderConfig {
    if let config = try config("config.json", in: folder) {
      if config.value("model_type") == nil, TimmConfig.isOne(config) {
        let json = try TimmConfig.encoder(config)
        return try readEncoder(ConfigReader(json, path: config.path))
      }
      // Weights under timm's names were made with its activation unless the file says otherwise.
      let isTimm = folder.hasAnyWeights ? try weights(of: folder).dialect == .timm : false
      return try readEncoder(
        try mainConfig(in: folder),
        standardActivation: isTimm ? "gelu" : nil
      )
    }
    if let config = try config(OpenCLIPConfig.fileName, in: folder) {
      let json = try OpenCLIPConfig.encoder(config)
      return try readEncoder(ConfigReader(json, path: config.path))
    }
    guard folder.hasAnyWeights else {
      throw .missing(path: folder.path, advice: "no config.json here")
    }
    let set = try weights(of: folder)
    let json = try EncoderShapes.config(set, path: folder.path)
    collector.note("encoder: sizes as the tensors have them")
    return try readEncoder(ConfigReader(json, path: set.paths.first ?? folder.path))
  }

  /// Reads an encoder's configuration: a whole CLIP or SigLIP model's, or its vision part's.
  ///
  /// - Parameters:
  ///   - config: the configuration.
  ///   - standardActivation: for files that name none; nil: the family's.
  /// - Returns: the encoder.
  /// - Throws: `CheckpointError` naming file and key.
  mutating func readEncoder(
    _ config: ConfigReader,
    standardActivation: String? = nil,
  ) throws(CheckpointError) -> EncoderConfig {
    let type = try config.string("model_type") ?? "clip_vision_model"
    guard let family = EncoderFamily(modelType: type) else {
      throw .unsupported(
        path: config.path,
        what: "\(config.field("model_type")) \"\(type.printable())\"; clip and siglip are",
      )
    }
    let isWhole = type == "clip" || type == "siglip"
    let part = isWhole ? try config.object("vision_config") : config
    let vision = part ?? ConfigReader([:], path: config.path)
    configs[.vision] = vision
    return try EncoderConfig(vision, family: family, standardActivation: standardActivation)
  }
}
