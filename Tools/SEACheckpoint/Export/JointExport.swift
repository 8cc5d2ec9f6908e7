// SPDX-License-Identifier: Apache-2.0
// A whole CLIP or SigLIP model as transformers saves it: both towers, the scale, the tokenizer's files.

internal import SEAFormat
internal import SEAImage
package import SEAModel
internal import SEATensor

/// Writes `CLIPModel` or `SiglipModel`.
///
/// - Source: reference.md A.1, B.1, B.2, D.2; transformers `CLIPModel`, `SiglipModel`.
package struct JointExport {
  private let model: ModelDescription
  private let encoder: EncoderDescription
  private let tower: TextTowerDescription
  private let tokenizerFolder: String
  private let tensors: [Tensor]

  /// A tensor of the layout and the canonical ones whose rows stand in it; none: a number of its own.
  private struct Tensor {
    let name: String
    let shape: [Int]
    let parts: [String]
  }

  private static let tokenizerNames = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "spiece.model", "tokenizer.model",
  ]

  /// Plans the files.
  ///
  /// - Parameters:
  ///   - model: an encoder of CLIP's or SigLIP's form with its text tower and its recipe.
  ///   - tokenizerFolder: files that go with the model.
  /// - Throws: `CheckpointError.usage` for a model that the layout cannot hold, `.model` for one that has
  ///   no plan.
  package init(_ model: ModelDescription, tokenizerFolder: String) throws(CheckpointError) {
    guard let encoder = model.encoder, let tower = model.textTower, let recipe = model.recipe,
      encoder.jointWidth != nil, recipe.padFill == nil
    else { throw .usage("only an encoder with its text tower can be written as one model") }
    self.model = model
    self.encoder = encoder
    self.tower = tower
    self.tokenizerFolder = tokenizerFolder
    let specs: [TensorSpec]
    do throws(ModelError) {
      let whole = ModelDescription(name: model.name, encoder: encoder, textTower: tower)
      specs = try TensorPlan(whole, policy: PrecisionPolicy(all: .float32)).all
    } catch {
      throw .model(path: model.name, error)
    }
    let isCLIP = encoder.projection != nil
    var tensors = [Tensor(name: "logit_scale", shape: isCLIP ? [] : [1], parts: [])]
    if !isCLIP { tensors.append(Tensor(name: "logit_bias", shape: [1], parts: [])) }
    for spec in specs {
      guard let name = Self.name(of: spec.name, isCLIP: isCLIP) else { continue }
      var shape = spec.storedShape
      var parts = [spec.name]
      if spec.name == "vision.patch.weight" {
        shape = [encoder.hidden, 3, encoder.patchSide, encoder.patchSide]
      } else if spec.name == "vision.head.probe" {
        shape = [1, 1, encoder.hidden]
      } else if name.contains("in_proj_") {
        shape[0] *= 3
        parts = ["q", "k", "v"].map { spec.name.replacing(".attn.q.", with: ".attn.\($0).") }
      }
      tensors.append(Tensor(name: name, shape: shape, parts: parts))
    }
    self.tensors = tensors
  }

  /// Writes the folder; it appears when it is complete.
  ///
  /// - Parameters:
  ///   - path: a folder that is not there, or is empty.
  ///   - logScale: p, where logits are cosines times exp(p).
  ///   - logBias: added to SigLIP's logits.
  ///   - values: those of a canonical tensor.
  /// - Throws: `CheckpointError` or `FormatError`.
  package func write(
    to path: String,
    logScale: Float,
    logBias: Float,
    values: (String) -> [Float]
  ) throws {
    let folder = try ExportFolder(path: path)
    var writer = try SafetensorsWriter(
      path: folder.file("model.safetensors"),
      tensors: tensors.map { SafetensorsTensor($0.name, .float32, $0.shape) },
      metadata: [("format", "pt")]
    )
    for tensor in tensors {
      let all =
        tensor.parts.isEmpty
        ? [tensor.name == "logit_scale" ? logScale : logBias] : tensor.parts.flatMap(values)
      try writer.write(all, to: tensor.name)
    }
    try writer.finish()
    try folder.write(config, to: "config.json")
    try folder.write(preprocessor, to: "preprocessor_config.json")
    for name in Self.tokenizerNames {
      let file: MappedFile
      do throws(FileError) {
        file = try MappedFile(path: "\(tokenizerFolder)/\(name)")
      } catch {
        if case .missing = error { continue }
        throw CheckpointError.file(error)
      }
      try folder.write(file.bytes.array(), to: name)
    }
    try folder.commit()
  }

  // MARK: - Names

  /// The name of a canonical tensor; nil for one that stands inside another.
  private static func name(of canonical: String, isCLIP: Bool) -> String? {
    if let name = whole[canonical] { return name }
    if canonical.hasPrefix("vtext.proj.") {
      let foreign = isCLIP ? "text_projection." : "text_model.head."
      return canonical.replacing("vtext.proj.", with: foreign)
    }
    if let rest = canonical.dropping("vision.head.") { return head[String(rest)] }
    for (prefix, foreign) in [("vision.blk.", "vision_model"), ("vtext.blk.", "text_model")] {
      guard let (index, inner) = NameMap.block(Substring(canonical), prefix),
        let dot = inner.lastIndex(of: "."), let module = block[String(inner[..<dot])]
      else { continue }
      return "\(foreign).encoder.layers.\(index).\(module)\(inner[dot...])"
    }
    return nil
  }

  private static let whole = [
    "vision.class": "vision_model.embeddings.class_embedding",
    "vision.patch.weight": "vision_model.embeddings.patch_embedding.weight",
    "vision.patch.bias": "vision_model.embeddings.patch_embedding.bias",
    "vision.position": "vision_model.embeddings.position_embedding.weight",
    "vision.prenorm.weight": "vision_model.pre_layrnorm.weight",
    "vision.prenorm.bias": "vision_model.pre_layrnorm.bias",
    "vision.norm.weight": "vision_model.post_layernorm.weight",
    "vision.norm.bias": "vision_model.post_layernorm.bias",
    "vision.proj.weight": "visual_projection.weight",
    "vtext.embed.weight": "text_model.embeddings.token_embedding.weight",
    "vtext.position": "text_model.embeddings.position_embedding.weight",
    "vtext.norm.weight": "text_model.final_layer_norm.weight",
    "vtext.norm.bias": "text_model.final_layer_norm.bias",
  ]

  /// Keys and values stand behind the queries in one tensor.
  private static let head = [
    "probe": "vision_model.head.probe",
    "attn.q.weight": "vision_model.head.attention.in_proj_weight",
    "attn.q.bias": "vision_model.head.attention.in_proj_bias",
    "attn.o.weight": "vision_model.head.attention.out_proj.weight",
    "attn.o.bias": "vision_model.head.attention.out_proj.bias",
    "norm.weight": "vision_model.head.layernorm.weight",
    "norm.bias": "vision_model.head.layernorm.bias",
    "mlp.fc1.weight": "vision_model.head.mlp.fc1.weight",
    "mlp.fc1.bias": "vision_model.head.mlp.fc1.bias",
    "mlp.fc2.weight": "vision_model.head.mlp.fc2.weight",
    "mlp.fc2.bias": "vision_model.head.mlp.fc2.bias",
  ]

  private static let block = Dictionary(
    uniqueKeysWithValues: NameMap.visionBlock.map { ($0.value, $0.key) }
  )

  // MARK: - Configuration

  private static func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }

  private static func activation(_ activation: Activation) -> JSONValue {
    switch activation {
    case .quickGelu: "quick_gelu"
    case .geluTanh: "gelu_pytorch_tanh"
    case .geluErf: "gelu"
    default: .string(activation.rawValue)
    }
  }

  private var config: JSONValue {
    let isCLIP = encoder.projection != nil
    let kind = isCLIP ? "clip" : "siglip"
    let number = Self.number
    var text: [(key: String, value: JSONValue)] = [
      ("model_type", .string("\(kind)_text_model")), ("hidden_size", number(tower.hidden)),
      ("intermediate_size", number(tower.ffn)), ("num_hidden_layers", number(tower.blocks)),
      ("num_attention_heads", number(tower.heads)), ("vocab_size", number(tower.vocab)),
      ("max_position_embeddings", number(tower.context)),
      ("hidden_act", Self.activation(tower.activation)),
      ("layer_norm_eps", .number(JSONNumber(tower.epsilon))),
      ("bos_token_id", number(tower.startID ?? tower.endID)),
      ("eos_token_id", number(tower.endID)), ("pad_token_id", number(tower.padID)),
    ]
    var vision: [(key: String, value: JSONValue)] = [
      ("model_type", .string("\(kind)_vision_model")), ("hidden_size", number(encoder.hidden)),
      ("intermediate_size", number(encoder.ffn)), ("num_hidden_layers", number(encoder.blocks)),
      ("num_attention_heads", number(encoder.heads)), ("num_channels", 3),
      ("image_size", number(encoder.imageSide)), ("patch_size", number(encoder.patchSide)),
      ("hidden_act", Self.activation(encoder.activation)),
      ("layer_norm_eps", .number(JSONNumber(encoder.epsilon))),
    ]
    var fields: [(key: String, value: JSONValue)] = [
      ("architectures", .array([.string(isCLIP ? "CLIPModel" : "SiglipModel")])),
      ("model_type", .string(kind)),
    ]
    if isCLIP {
      let width = number(tower.jointWidth)
      text.append(("projection_dim", width))
      vision.append(("projection_dim", width))
      fields.append(("projection_dim", width))
    } else {
      text.append(("projection_size", number(tower.jointWidth)))
    }
    fields += [
      ("text_config", .object(JSONObject(text))), ("vision_config", .object(JSONObject(vision))),
      ("torch_dtype", "float32"),
    ]
    return .object(JSONObject(fields))
  }

  private var preprocessor: JSONValue {
    guard let recipe = model.recipe else { return [:] }
    func size(_ size: ImageSize) -> JSONValue {
      ["height": Self.number(size.height), "width": Self.number(size.width)]
    }
    var fields: [(key: String, value: JSONValue)] = [
      (
        "image_processor_type",
        .string(encoder.projection != nil ? "CLIPImageProcessor" : "SiglipImageProcessor")
      ), ("do_convert_rgb", true), ("do_resize", .bool(recipe.resize != nil)),
    ]
    switch recipe.resize {
    case .shortestEdge(let side): fields.append(("size", ["shortest_edge": Self.number(side)]))
    case .exact(let exact): fields.append(("size", size(exact)))
    case nil: break
    }
    fields.append(("do_center_crop", .bool(recipe.crop != nil)))
    if let crop = recipe.crop { fields.append(("crop_size", size(crop))) }
    fields += [
      ("resample", recipe.filter == .bilinear ? 2 : 3), ("do_rescale", true),
      ("rescale_factor", .number(JSONNumber(recipe.rescale))), ("do_normalize", true),
      ("image_mean", .array(recipe.mean.map { .number(JSONNumber($0)) })),
      ("image_std", .array(recipe.std.map { .number(JSONNumber($0)) })),
    ]
    return .object(JSONObject(fields))
  }
}
