// SPDX-License-Identifier: Apache-2.0
// Cambrian's checkpoints with one encoder and a connector of linear layers.

internal import SEAFormat
internal import SEAImage
internal import SEAModel

extension SourceOpener {
  /// Features on a grid of another size, linear layers, and a learned row after each line.
  ///
  /// - Throws: `CheckpointError`; other connectors and several encoders are `unsupported`.
  /// - Source: reference.md C.3; Cambrian `cambrian_arch.py`, `siglip_encoder.py`.
  mutating func openCambrian() throws(CheckpointError) {
    let config = try mainConfig(in: folder)
    let type = try config.string("mm_projector_type") ?? "linear"
    guard type != "sva" else {
      throw .unsupported(
        path: config.path,
        what: "Cambrian's spatial vision aggregator (mm_projector_type \"sva\")",
      )
    }
    let layers = try AdapterConfig.layers(config, key: "mm_projector_type")
    let tower = try cambrianTower(config)
    try addLanguageAndAdapter(config, nameKey: "_name_or_path", tower: tower.name)
    // Tensors of other connectors tell more than the layers that are missing for them.
    try collector.refuseUnknown()
    try readAdapter(config, layers: layers, widthKey: "mm_hidden_size", hasNewline: true)
    let found = try findTower(tower.name, key: tower.key, config)
    var encoder = found.encoder
    let isSigLIP = encoder.family == .siglip
    // SigLIP's features are what its trunk returns, whatever the configuration selects.
    try select(
      &encoder,
      layer: isSigLIP
        ? -1 : try config.int("mm_vision_select_layer", default: -2, in: -1024...1024),
      dropsFirst: encoder.description.hasClassToken,
      appliesFinalNorm: isSigLIP,
      config: config,
      key: "mm_vision_select_layer"
    )
    self.encoder = encoder
    let grid = encoder.description.gridSide
    if tower.side != grid { model.adapter?.grid = tower.side }
    model.adapter?.cutsPadding = true
    model.recipe = try cambrianRecipe(found, encoder)
    try addTower(found)
    try chooseScale(config, isHuggingFace: false)
    collector.note(rowsNote(encoder))
    collector.note(
      "adapter: grid \(grid)×\(grid) to \(tower.side)×\(tower.side), a learned row ends each line, "
        + "lines and columns of padding are cut"
    )
  }

  /// The only encoder's name and the side of the grid that its features are resampled to.
  private func cambrianTower(
    _ config: ConfigReader
  ) throws(CheckpointError) -> (name: String?, key: String, side: Int) {
    let isShort = config.value("vision_tower_aux_list") != nil
    let key = isShort ? "vision_tower_aux_list" : "mm_vision_tower_aux_list"
    let names = config.value(key)?.array ?? []
    guard names.count == 1, let name = names.first?.string else {
      guard names.count <= 1 else {
        throw .unsupported(path: config.path, what: "\(key) with \(names.count) encoders")
      }
      throw config.fault(key, "expected a list with the encoder's name")
    }
    let cells = try config.int("image_token_len", default: 576, in: 1...65_536)
    let lengths = try config.ids("mm_vision_tower_aux_token_len_list")
    guard lengths.isEmpty || lengths == [cells] else {
      throw config.fault(
        "mm_vision_tower_aux_token_len_list",
        "\(lengths), expected [\(cells)] as image_token_len says",
      )
    }
    guard let side = (1...256).first(where: { $0 * $0 == cells }) else {
      throw config.fault("image_token_len", "\(cells), expected the cells of a square")
    }
    // Names may carry sizes behind the published one: "…-res384-interp576".
    let plain = name.split(separator: "-").filter { part in
      !["res", "interp"].contains { part.dropping($0).flatMap { Int($0) } != nil }
    }
    return (plain.joined(separator: "-"), key, side)
  }

  /// Pictures are always padded to a square, for SigLIP with the colour that CLIP's mean has.
  private mutating func cambrianRecipe(
    _ tower: Tower,
    _ encoder: EncoderConfig,
  ) throws(CheckpointError) -> ImageRecipe {
    let side = encoder.description.imageSide
    var base = try recipe(in: tower.folder, encoder)
    guard options.recipe == nil else { return base }
    base.padFill = ImageRecipe.clipFill
    RecipeConfig.rename(&base, side: side)
    return base
  }
}
