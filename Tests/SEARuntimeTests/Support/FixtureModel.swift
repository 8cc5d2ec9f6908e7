// SPDX-License-Identifier: Apache-2.0
// A fixture's weights under canonical names, mapped by hand from the Hugging Face layout.

import Foundation
import SEAFormat
import SEAModel
import SEATensor

/// Weights in memory.
struct FixtureModel: WeightSource {
  var model: ModelDescription
  var values: [String: ReferenceTensor] = [:]

  struct Missing: Error { let name: String }

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard let tensor = values[name] else { throw Missing(name: name) }
    out.copy(
      from: Array(tensor.values[rows.lowerBound * out.columns..<rows.upperBound * out.columns])
    )
  }

  func release(_ name: String) {}
}

// MARK: - Loading

extension FixtureModel {
  static func config(_ folder: String) throws -> JSONValue {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
    return try JSONScanner.parse([UInt8](data))
  }

  /// A language model folder.
  static func language(_ folder: String) throws -> FixtureModel {
    var model = FixtureModel(model: ModelDescription(name: folder))
    var source: [String: ReferenceTensor] = [:]
    for file in try FileManager.default.contentsOfDirectory(atPath: folder)
    where file.hasPrefix("model") && file.hasSuffix(".safetensors") {
      source.merge(try tensors(folder + "/" + file)) { first, _ in first }
    }
    try model.addLanguage(config(folder), source, prefix: "")
    return model
  }

  /// An encoder folder; the feature is the last but one state.
  static func encoder(_ folder: String) throws -> FixtureModel {
    var model = FixtureModel(model: ModelDescription(name: folder))
    let json = try config(folder)
    try model.addEncoder(
      json["vision_config"] ?? json,
      try tensors(folder + "/model.safetensors"),
      prefix: "vision_model."
    )
    return model
  }

  /// A whole model in the older Hugging Face layout.
  static func whole(_ folder: String, visualScale: Double) throws -> FixtureModel {
    var model = FixtureModel(model: ModelDescription(name: folder, visualScale: visualScale))
    let json = try config(folder)
    let source = try tensors(folder + "/model.safetensors")
    try model.addLanguage(json["text_config"] ?? json, source, prefix: "language_model.")
    try model.addEncoder(
      json["vision_config"] ?? json,
      source,
      prefix: "vision_tower.vision_model."
    )
    var widths: [Int] = []
    for index in 0..<2 {
      for part in ["weight", "bias"] {
        let name = "multi_modal_projector.linear_\(index + 1).\(part)"
        let tensor = try model.take(name, source, as: "adapter.\(index).\(part)")
        if part == "weight" {
          widths = (widths.isEmpty ? [tensor.shape[1]] : widths) + [tensor.shape[0]]
        }
      }
    }
    model.model.adapter = AdapterDescription(widths: widths, activation: .geluErf)
    return model
  }

  @discardableResult
  mutating func take(
    _ name: String,
    _ source: [String: ReferenceTensor],
    as canonical: String
  ) throws -> ReferenceTensor {
    guard let tensor = source[name] else { throw Missing(name: name) }
    values[canonical] = tensor
    return tensor
  }

  private mutating func addLanguage(
    _ json: JSONValue,
    _ source: [String: ReferenceTensor],
    prefix: String
  ) throws {
    func int(_ key: String) -> Int { json[key]?.int ?? 0 }
    let family = json["model_type"]?.string ?? ""
    let isGemma = family == "gemma"
    let heads = int("num_attention_heads")
    let hidden = int("hidden_size")
    let language = LanguageModelDescription(
      family: family,
      blocks: int("num_hidden_layers"),
      hidden: hidden,
      heads: heads,
      kvHeads: int("num_key_value_heads"),
      headDim: json["head_dim"]?.int ?? hidden / heads,
      ffn: int("intermediate_size"),
      vocab: int("vocab_size"),
      activation: isGemma ? .geluTanh : .silu,
      epsilon: json["rms_norm_eps"]?.double ?? 1e-6,
      ropeTheta: json["rope_theta"]?.double
        ?? json["rope_parameters"]?["rope_theta"]?.double ?? 10_000,
      slidingWindow: int("sliding_window"),
      isHeadTied: isGemma,
      embeddingScale: isGemma ? Double(hidden).squareRoot() : 1,
      maxPositions: int("max_position_embeddings")
    )
    model.language = language
    let body = prefix + "model."
    try take(body + "embed_tokens.weight", source, as: "llm.embed.weight")
    for block in 0..<language.blocks {
      let from = body + "layers.\(block)."
      let to = "llm.blk.\(block)."
      try take(from + "input_layernorm.weight", source, as: to + "norm1.weight")
      try take(from + "post_attention_layernorm.weight", source, as: to + "norm2.weight")
      try take(from + "self_attn.o_proj.weight", source, as: to + "attn.o.weight")
      try take(from + "mlp.down_proj.weight", source, as: to + "mlp.down.weight")
      if let fused = source[from + "self_attn.qkv_proj.weight"] {
        split(fused, into: ["q", "k", "v"].map { to + "attn.\($0).weight" })
      } else {
        for part in ["q", "k", "v"] {
          try take(from + "self_attn.\(part)_proj.weight", source, as: to + "attn.\(part).weight")
        }
      }
      if let fused = source[from + "mlp.gate_up_proj.weight"] {
        split(fused, into: ["gate", "up"].map { to + "mlp.\($0).weight" })
      } else {
        for part in ["gate", "up"] {
          try take(from + "mlp.\(part)_proj.weight", source, as: to + "mlp.\(part).weight")
        }
      }
    }
    try take(body + "norm.weight", source, as: "llm.norm.weight")
    if !isGemma { try take(prefix + "lm_head.weight", source, as: "llm.head.weight") }
    guard isGemma else { return }
    for (name, tensor) in values where name.hasPrefix("llm.") && name.contains("norm") {
      values[name] = ReferenceTensor(shape: tensor.shape, values: tensor.values.map { 1 + $0 })
    }
  }

  mutating func split(_ fused: ReferenceTensor, into names: [String]) {
    let rows = fused.shape[0] / names.count
    let width = fused.shape[1]
    for (index, name) in names.enumerated() {
      values[name] = ReferenceTensor(
        shape: [rows, width],
        values: Array(fused.values[index * rows * width..<(index + 1) * rows * width])
      )
    }
  }

  private mutating func addEncoder(
    _ json: JSONValue,
    _ source: [String: ReferenceTensor],
    prefix: String
  ) throws {
    func int(_ key: String) -> Int { json[key]?.int ?? 0 }
    let isCLIP = source[prefix + "embeddings.class_embedding"] != nil
    let blocks = int("num_hidden_layers")
    let encoder = EncoderDescription(
      family: isCLIP ? "clip" : "siglip",
      imageSide: int("image_size"),
      patchSide: int("patch_size"),
      hidden: int("hidden_size"),
      blocks: blocks,
      heads: int("num_attention_heads"),
      ffn: int("intermediate_size"),
      activation: isCLIP ? .quickGelu : .geluTanh,
      epsilon: json["layer_norm_eps"]?.double ?? 1e-5,
      hasClassToken: isCLIP,
      hasPatchBias: !isCLIP,
      hasPreNorm: isCLIP,
      hasFinalNorm: true,
      selection: FeatureSelection(
        layer: blocks - 1,
        appliesFinalNorm: false,
        dropsFirst: isCLIP
      )
    )
    model.encoder = encoder
    let embeddings = prefix + "embeddings."
    let patch = try take(
      embeddings + "patch_embedding.weight",
      source,
      as: "vision.patch.weight"
    )
    values["vision.patch.weight"] = ReferenceTensor(
      shape: [encoder.hidden, encoder.patchValues],
      values: patch.values
    )
    try take(embeddings + "position_embedding.weight", source, as: "vision.position")
    if isCLIP {
      try take(embeddings + "class_embedding", source, as: "vision.class")
    } else {
      try take(embeddings + "patch_embedding.bias", source, as: "vision.patch.bias")
    }
    for part in ["weight", "bias"] {
      if isCLIP { try take(prefix + "pre_layrnorm.\(part)", source, as: "vision.prenorm.\(part)") }
      try take(prefix + "post_layernorm.\(part)", source, as: "vision.norm.\(part)")
      for block in 0..<blocks {
        let from = prefix + "encoder.layers.\(block)."
        let to = "vision.blk.\(block)."
        for norm in [1, 2] {
          try take(from + "layer_norm\(norm).\(part)", source, as: to + "norm\(norm).\(part)")
          try take(from + "mlp.fc\(norm).\(part)", source, as: to + "mlp.fc\(norm).\(part)")
        }
        for (name, short) in [("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("out_proj", "o")]
        {
          try take(from + "self_attn.\(name).\(part)", source, as: to + "attn.\(short).\(part)")
        }
      }
    }
  }
}
