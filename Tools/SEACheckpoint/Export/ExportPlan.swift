// SPDX-License-Identifier: Apache-2.0
// The tensors of another project's layout and the canonical tensors that each is made of.

internal import SEAModel
internal import SEATensor

/// The layouts that are written.
package enum ExportLayout: String, Sendable, CaseIterable {
  /// LLaVA's own: language model and adapter together, the encoder in a folder of its own.
  case llava
  /// `LlavaForConditionalGeneration` of transformers.
  case huggingFace = "hf"
}

/// A tensor to be written.
struct ExportTensor: Equatable {
  /// Its name in the layout.
  let name: String
  let shape: [Int]
  /// Canonical tensors whose rows stand in it, one after another.
  let parts: [TensorSpec]
  /// Subtracted from every value: what conversion added to Gemma's norms.
  var subtrahend: Float = 0

  /// Number of elements.
  var count: Int { shape.reduce(1, *) }
}

/// Every tensor of a layout, by the folder it is saved in.
struct ExportPlan {
  /// Sub-folder of the encoder in LLaVA's layout.
  static let towerFolder = "vision_tower"

  /// Tensors of the checkpoint's own folder.
  private(set) var main: [ExportTensor] = []
  /// Tensors of the encoder's folder; empty where the checkpoint holds them itself.
  private(set) var tower: [ExportTensor] = []
  /// Canonical tensors that the layout has no place for.
  private(set) var omitted: [String] = []

  /// Plans a model.
  ///
  /// - Parameters:
  ///   - model: what is exported, with all three parts.
  ///   - layout: how.
  ///   - family: of the language model.
  /// - Throws: `ModelError` for a description that has no plan.
  init(
    _ model: ModelDescription,
    _ layout: ExportLayout,
    family: LanguageFamily,
  ) throws(ModelError) {
    let specs = try TensorPlan(model, policy: PrecisionPolicy(all: .float32)).all
    let names = ExportNames(layout, model, family, specs)
    for spec in specs {
      switch names.place(of: spec) {
      case .main(let tensor): main.append(tensor)
      case .tower(let tensor): tower.append(tensor)
      case .inside: break
      case .nowhere: omitted.append(spec.name)
      }
    }
  }
}

/// Names of canonical tensors in a layout.
///
/// - Source: reference.md D.2.
struct ExportNames {
  private let layout: ExportLayout
  private let model: ModelDescription
  private let family: LanguageFamily
  private let specs: [String: TensorSpec]

  /// Where a canonical tensor goes.
  enum Place {
    case main(ExportTensor)
    case tower(ExportTensor)
    /// Into a tensor that another canonical one begins.
    case inside
    case nowhere
  }

  init(
    _ layout: ExportLayout,
    _ model: ModelDescription,
    _ family: LanguageFamily,
    _ specs: [TensorSpec],
  ) {
    self.layout = layout
    self.model = model
    self.family = family
    self.specs = Dictionary(specs.map { ($0.name, $0) }) { first, _ in first }
  }

  private var isHuggingFace: Bool { layout == .huggingFace }

  /// The place of a canonical tensor.
  func place(of spec: TensorSpec) -> Place {
    switch ModelPart(canonical: spec.name) {
    case .language: return language(spec)
    case .adapter: return adapter(spec)
    case .vision: return vision(spec)
    case .text, nil: return .nowhere
    }
  }

  private func plain(_ spec: TensorSpec, _ name: String, subtrahend: Float = 0) -> ExportTensor {
    let shape = spec.isVector && spec.rows == 1 ? [spec.columns] : [spec.rows, spec.columns]
    return ExportTensor(name: name, shape: shape, parts: [spec], subtrahend: subtrahend)
  }

  // MARK: - Language model

  private func language(_ spec: TensorSpec) -> Place {
    let prefix = isHuggingFace ? "language_model." : ""
    switch spec.name {
    case "llm.embed.weight": return .main(plain(spec, prefix + "model.embed_tokens.weight"))
    case "llm.head.weight": return .main(plain(spec, prefix + "lm_head.weight"))
    case "llm.norm.weight":
      return .main(plain(spec, prefix + "model.norm.weight", subtrahend: normOffset))
    default: break
    }
    guard let (index, rest) = NameMap.block(Substring(spec.name), "llm.blk.") else {
      return .nowhere
    }
    let block = "\(prefix)model.layers.\(index)."
    if let stack = Self.stacks.first(where: { $0.parts.contains(String(rest)) }), family == .phi3 {
      guard stack.parts.first == String(rest) else { return .inside }
      let parts = stack.parts.compactMap { specs["llm.blk.\(index).\($0)"] }
      let rows = parts.reduce(0) { $0 + $1.rows }
      return .main(
        ExportTensor(name: block + stack.name, shape: [rows, spec.columns], parts: parts)
      )
    }
    guard let name = Self.languageBlock[String(rest)] else { return .nowhere }
    return .main(plain(spec, block + name, subtrahend: spec.isVector ? normOffset : 0))
  }

  /// What conversion added to norms.
  private var normOffset: Float { family == .gemma ? 1 : 0 }

  private static let languageBlock = [
    "norm1.weight": "input_layernorm.weight",
    "attn.q.weight": "self_attn.q_proj.weight",
    "attn.k.weight": "self_attn.k_proj.weight",
    "attn.v.weight": "self_attn.v_proj.weight",
    "attn.o.weight": "self_attn.o_proj.weight",
    "norm2.weight": "post_attention_layernorm.weight",
    "mlp.gate.weight": "mlp.gate_proj.weight",
    "mlp.up.weight": "mlp.up_proj.weight",
    "mlp.down.weight": "mlp.down_proj.weight",
  ]

  /// Phi-3 stacks matrices that share an input.
  private static let stacks: [(name: String, parts: [String])] = [
    ("self_attn.qkv_proj.weight", ["attn.q.weight", "attn.k.weight", "attn.v.weight"]),
    ("mlp.gate_up_proj.weight", ["mlp.gate.weight", "mlp.up.weight"]),
  ]

  // MARK: - Adapter

  private func adapter(_ spec: TensorSpec) -> Place {
    guard let (index, part) = NameMap.block(Substring(spec.name), "adapter.") else {
      return .nowhere
    }
    if isHuggingFace {
      return .main(plain(spec, "multi_modal_projector.linear_\(index + 1).\(part)"))
    }
    let isAlone = model.adapter?.layers == 1
    return .main(plain(spec, "model.mm_projector.\(isAlone ? "" : "\(2 * index).")\(part)"))
  }

  // MARK: - Encoder

  private func vision(_ spec: TensorSpec) -> Place {
    guard let name = visionName(spec.name) else { return .nowhere }
    var tensor = plain(spec, (isHuggingFace ? "vision_tower." : "") + "vision_model." + name)
    if spec.name == "vision.patch.weight", let encoder = model.encoder {
      tensor = ExportTensor(
        name: tensor.name,
        shape: [encoder.hidden, 3, encoder.patchSide, encoder.patchSide],
        parts: tensor.parts
      )
    }
    return isHuggingFace ? .main(tensor) : .tower(tensor)
  }

  private func visionName(_ canonical: String) -> String? {
    guard let rest = canonical.dropping("vision.") else { return nil }
    if let name = Self.visionTensors[String(rest)] { return name }
    guard let (index, inner) = NameMap.block(rest, "blk."), let dot = inner.lastIndex(of: "."),
      let module = Self.visionBlock[String(inner[..<dot])]
    else { return nil }
    return "encoder.layers.\(index).\(module)\(inner[dot...])"
  }

  private static let visionTensors = [
    "class": "embeddings.class_embedding",
    "patch.weight": "embeddings.patch_embedding.weight",
    "patch.bias": "embeddings.patch_embedding.bias",
    "position": "embeddings.position_embedding.weight",
    "prenorm.weight": "pre_layrnorm.weight",
    "prenorm.bias": "pre_layrnorm.bias",
    "norm.weight": "post_layernorm.weight",
    "norm.bias": "post_layernorm.bias",
  ]

  private static let visionBlock = [
    "norm1": "layer_norm1",
    "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj",
    "attn.v": "self_attn.v_proj",
    "attn.o": "self_attn.out_proj",
    "norm2": "layer_norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
  ]
}
