// SPDX-License-Identifier: Apache-2.0
// open_clip_config.json in the words of the transformers configuration.

internal import SEAFormat

/// Translates open_clip's configuration of a model.
///
/// - Source: open_clip `model.py`: `CLIPVisionCfg` and its defaults.
enum OpenCLIPConfig {
  static let fileName = "open_clip_config.json"

  /// The encoder's configuration.
  ///
  /// - Throws: `CheckpointError` for towers that are no plain vision transformer.
  static func encoder(_ config: ConfigReader) throws(CheckpointError) -> JSONValue {
    guard let model = try config.object("model_cfg"), let vision = try model.object("vision_cfg")
    else { throw config.fault("model_cfg.vision_cfg", "missing") }
    let side = try vision.int("image_size", default: 224, in: 1...8192)
    if let name = try vision.string("timm_model_name") {
      return try TimmConfig.encoder(name, side: side, config: vision, key: "timm_model_name")
    }
    for key in ["attentional_pool", "no_ln_pre", "final_ln_after_pool", "input_patchnorm"] {
      guard try !vision.bool(key, default: false) else {
        throw .unsupported(path: config.path, what: vision.field(key))
      }
    }
    for key in ["ls_init_value", "act_kwargs", "norm_kwargs"] {
      guard vision.value(key) == nil else {
        throw .unsupported(path: config.path, what: vision.field(key))
      }
    }
    let width = try vision.int("width", default: 768, in: 1...65_536)
    let headWidth = try vision.int("head_width", default: 64, in: 1...256)
    guard width.isMultiple(of: headWidth) else {
      throw vision.fault("head_width", "\(headWidth) does not divide width \(width)")
    }
    let ratio = try vision.positive("mlp_ratio", default: 4, atMost: 64)
    let isQuick = try model.bool("quick_gelu", default: false)
    return [
      "model_type": "clip_vision_model", "hidden_size": number(width),
      "num_attention_heads": number(width / headWidth),
      "num_hidden_layers": number(try vision.int("layers", default: 12, in: 1...1024)),
      "intermediate_size": number(Int(Double(width) * ratio)), "image_size": number(side),
      "patch_size": number(try vision.int("patch_size", default: 16, in: 1...1024)),
      "hidden_act": .string(isQuick ? "quick_gelu" : "gelu"), "layer_norm_eps": 1e-5,
    ]
  }

  /// The picture's preparation as an image processor's configuration, nil without one.
  ///
  /// - Throws: `CheckpointError` for a mode that no recipe has.
  static func processor(_ config: ConfigReader, side: Int) throws(CheckpointError) -> JSONValue? {
    guard let preprocess = try config.object("preprocess_cfg") else { return nil }
    let mode = try preprocess.string("resize_mode") ?? "shortest"
    guard ["shortest", "squash"].contains(mode) else {
      throw .unsupported(
        path: config.path,
        what: "\(preprocess.field("resize_mode")) \"\(mode.printable())\"",
      )
    }
    let isSquashed = mode == "squash"
    let isBilinear = try preprocess.string("interpolation") == "bilinear"
    let exact: JSONValue = ["height": number(side), "width": number(side)]
    var fields: [(key: String, value: JSONValue)] = [
      ("size", isSquashed ? exact : ["shortest_edge": number(side)]),
      ("do_center_crop", .bool(!isSquashed)), ("crop_size", exact),
      ("resample", number(isBilinear ? 2 : 3)),
    ]
    for (key, theirs) in [("image_mean", "mean"), ("image_std", "std")] {
      if let value = preprocess.value(theirs) { fields.append((key, value)) }
    }
    return .object(JSONObject(fields))
  }

  static func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
}

/// Translates what timm says about a SigLIP encoder.
///
/// - Source: timm `vision_transformer.py`: names tell size, patch and side.
enum TimmConfig {
  private static let sizes: [(name: String, hidden: Int, blocks: Int, heads: Int, ffn: Int)] = [
    ("base", 768, 12, 12, 3072), ("large", 1024, 24, 16, 4096), ("so400m", 1152, 27, 16, 4304),
  ]

  /// True for a configuration that timm wrote.
  static func isOne(_ config: ConfigReader) -> Bool {
    config.value("architecture")?.string?.hasPrefix("vit_") == true
  }

  /// The encoder of a timm configuration file.
  ///
  /// - Throws: `CheckpointError` for a model that is no SigLIP encoder.
  static func encoder(_ config: ConfigReader) throws(CheckpointError) -> JSONValue {
    let name = try config.string("architecture") ?? ""
    return try encoder(name, side: nil, config: config, key: "architecture")
  }

  /// The encoder of a name as `vit_so400m_patch14_siglip_384`.
  ///
  /// - Parameters:
  ///   - name: the name.
  ///   - side: pixels, where another place states them.
  ///   - config: where the name stands.
  ///   - key: under which key.
  /// - Returns: the configuration in the words of transformers.
  /// - Throws: `CheckpointError.unsupported` for other models.
  static func encoder(
    _ name: String,
    side: Int?,
    config: ConfigReader,
    key: String,
  ) throws(CheckpointError) -> JSONValue {
    let plain = name.split(separator: ".").first ?? ""
    let parts = plain.split(separator: "_")
    let patch = parts.lazy.compactMap { $0.dropping("patch").flatMap { Int($0) } }.first
    let stated = parts.last.flatMap { Int($0) } ?? 224
    guard parts.first == "vit", parts.contains("siglip") || parts.contains("siglip2"), let patch,
      (1...1024).contains(patch), let kind = parts.dropFirst().first,
      let size = sizes.first(where: { kind == $0.name })
    else {
      throw .unsupported(
        path: config.path,
        what: "\(config.field(key)) \"\(name.printable())\"; SigLIP's vision transformers are",
      )
    }
    return json(size, patch: patch, side: side ?? stated)
  }

  /// The encoder whose patch embedding and positions have these shapes, nil if none is known.
  static func encoder(hidden: Int, patch: Int, grid: Int) -> JSONValue? {
    guard let size = sizes.first(where: { $0.hidden == hidden }) else { return nil }
    // 384 pixels are not a multiple of 14: the last six of each row and column are never read.
    let side = patch == 14 && grid == 27 ? 384 : patch * grid
    return json(size, patch: patch, side: side)
  }

  private static func json(
    _ size: (name: String, hidden: Int, blocks: Int, heads: Int, ffn: Int),
    patch: Int,
    side: Int,
  ) -> JSONValue {
    [
      "model_type": "siglip_vision_model", "hidden_size": OpenCLIPConfig.number(size.hidden),
      "num_hidden_layers": OpenCLIPConfig.number(size.blocks),
      "num_attention_heads": OpenCLIPConfig.number(size.heads),
      "intermediate_size": OpenCLIPConfig.number(size.ffn),
      "patch_size": OpenCLIPConfig.number(patch), "image_size": OpenCLIPConfig.number(side),
      "hidden_act": "gelu",
    ]
  }
}
