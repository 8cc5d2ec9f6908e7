// SPDX-License-Identifier: Apache-2.0
// Names of what a whole CLIP or SigLIP model has beside its encoder's blocks: words and joint space.

extension NameMap {
  /// Translates the name of a text tower's or joint space's tensor in the layout of Hugging Face; nil
  /// when it is not one.
  static func joint(_ name: String) -> NameMapping? {
    if let canonical = jointTensors[name] { return .tensor(canonical) }
    if let rest = name.dropping("vision_model.head.") { return poolingHead(rest) }
    guard let (index, inner) = block(Substring(name), "text_model.encoder.layers."),
      let dot = inner.lastIndex(of: "."),
      let module = visionBlock[String(inner[..<dot])]
    else { return nil }
    let part = inner[inner.index(after: dot)...]
    guard part == "weight" || part == "bias" else { return nil }
    return .tensor("vtext.blk.\(index).\(module).\(part)")
  }

  /// Queries, keys and values of the pooling head are one matrix of stacked rows.
  private static func poolingHead(_ rest: Substring) -> NameMapping? {
    switch rest {
    case "attention.in_proj_weight": stacked("weight")
    case "attention.in_proj_bias": stacked("bias")
    default: headTensors[String(rest)].map { .tensor("vision.head.\($0)") }
    }
  }

  private static func stacked(_ part: String) -> NameMapping {
    .rows(["q", "k", "v"].map { "vision.head.attn.\($0).\(part)" })
  }

  private static let jointTensors = [
    "text_model.embeddings.token_embedding.weight": "vtext.embed.weight",
    "text_model.embeddings.position_embedding.weight": "vtext.position",
    "text_model.final_layer_norm.weight": "vtext.norm.weight",
    "text_model.final_layer_norm.bias": "vtext.norm.bias",
    "text_projection.weight": "vtext.proj.weight",
    "text_model.head.weight": "vtext.proj.weight",
    "text_model.head.bias": "vtext.proj.bias",
    "visual_projection.weight": "vision.proj.weight",
  ]

  private static let headTensors = [
    "probe": "probe",
    "attention.out_proj.weight": "attn.o.weight",
    "attention.out_proj.bias": "attn.o.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
    "mlp.fc1.weight": "mlp.fc1.weight",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.weight": "mlp.fc2.weight",
    "mlp.fc2.bias": "mlp.fc2.bias",
  ]
}
