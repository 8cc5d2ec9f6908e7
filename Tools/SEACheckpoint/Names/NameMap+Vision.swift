// SPDX-License-Identifier: Apache-2.0
// Names inside a CLIP or SigLIP vision encoder, and the parts of such a model that only labels use.

extension NameMap {
  /// Translates the name of an encoder tensor; nil when it is not one.
  ///
  /// Every prefix is optional, because projects and releases strip different ones on saving.
  static func vision(_ name: String) -> NameMapping? {
    var rest = Substring(name)
    for prefix in visionWrappings { rest = rest.dropping(prefix) ?? rest }
    if let mapping = timmVision(rest) ?? openAIVision(rest) { return mapping }
    if let canonical = visionTensors[String(rest)] { return .tensor("vision.\(canonical)") }
    if poolingHead.contains(String(rest)) { return .ignored("pooling head, used for labels only") }
    guard let (index, inner) = block(rest, "encoder.layers."),
      let dot = inner.lastIndex(of: "."), isLinear(inner[inner.index(after: dot)...]),
      let module = visionBlock[String(inner[..<dot])]
    else { return nil }
    return .tensor("vision.blk.\(index).\(module)\(inner[dot...])")
  }

  private static let visionWrappings = [
    "model.", "vision_tower_aux_list.0.", "vision_tower.", "vision_tower.", "_vision_tower.",
    "visual.trunk.", "vision_model.",
  ]

  /// Recognises what a whole CLIP or SigLIP model has beside its encoder.
  static func labelParts(_ name: String) -> NameMapping? {
    if name.hasPrefix("text_model.") || name == "text_projection.weight" || isOpenCLIPText(name) {
      return .ignored("text tower, used for labels only")
    }
    switch name {
    case "visual_projection.weight": return .ignored("joint-space projection, used for labels only")
    case "logit_scale", "logit_bias": return .ignored("temperature of contrastive training")
    default: return nil
    }
  }

  private static let visionTensors = [
    "embeddings.class_embedding": "class",
    "embeddings.patch_embedding.weight": "patch.weight",
    "embeddings.patch_embedding.bias": "patch.bias",
    "embeddings.position_embedding.weight": "position",
    "pre_layrnorm.weight": "prenorm.weight",
    "pre_layrnorm.bias": "prenorm.bias",
    "post_layernorm.weight": "norm.weight",
    "post_layernorm.bias": "norm.bias",
  ]

  private static let poolingHead: Set<String> = [
    "head.probe", "head.attention.in_proj_weight", "head.attention.in_proj_bias",
    "head.attention.out_proj.weight", "head.attention.out_proj.bias", "head.layernorm.weight",
    "head.layernorm.bias", "head.mlp.fc1.weight", "head.mlp.fc1.bias", "head.mlp.fc2.weight",
    "head.mlp.fc2.bias",
  ]

  static let visionBlock = [
    "layer_norm1": "norm1",
    "self_attn.q_proj": "attn.q",
    "self_attn.k_proj": "attn.k",
    "self_attn.v_proj": "attn.v",
    "self_attn.out_proj": "attn.o",
    "layer_norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
  ]
}
