// SPDX-License-Identifier: Apache-2.0
// Names inside encoders as OpenAI's CLIP, open_clip and timm write them.

extension NameMap {
  /// Translates a name inside a vision transformer of timm; nil when it is not one.
  ///
  /// Queries, keys and values are one matrix of stacked rows.
  static func timmVision(_ name: Substring) -> NameMapping? {
    if let canonical = timmTensors[String(name)] { return .tensor("vision.\(canonical)") }
    if name.hasPrefix("attn_pool.") { return .ignored("pooling head, used for labels only") }
    guard let (index, inner) = block(name, "blocks."), let (module, part) = linear(inner) else {
      return nil
    }
    if module == "attn.qkv" { return stacked(index, part) }
    guard let canonical = timmBlock[module] else { return nil }
    return .tensor("vision.blk.\(index).\(canonical).\(part)")
  }

  /// Translates a name of the vision part of OpenAI's CLIP; nil when it is not one.
  static func openAIVision(_ name: Substring) -> NameMapping? {
    guard let rest = name.dropping("visual.") else { return nil }
    if rest == "proj" { return .ignored("joint-space projection, used for labels only") }
    if let canonical = openAITensors[String(rest)] { return .tensor("vision.\(canonical)") }
    guard let (index, inner) = block(rest, "transformer.resblocks.") else { return nil }
    switch inner {
    case "attn.in_proj_weight": return stacked(index, "weight")
    case "attn.in_proj_bias": return stacked(index, "bias")
    default: break
    }
    guard let (module, part) = linear(inner), let canonical = openAIBlock[module] else {
      return nil
    }
    return .tensor("vision.blk.\(index).\(canonical).\(part)")
  }

  /// True for the names of a text tower beside either encoder.
  static func isOpenCLIPText(_ name: String) -> Bool {
    ["positional_embedding", "text_projection", "token_embedding.weight"].contains(name)
      || ["transformer.resblocks.", "ln_final.", "text."].contains { name.hasPrefix($0) }
  }

  private static func stacked(_ index: Int, _ part: String) -> NameMapping {
    .rows(["q", "k", "v"].map { "vision.blk.\(index).attn.\($0).\(part)" })
  }

  /// Splits `attn.proj.weight` into module and part.
  private static func linear(_ name: Substring) -> (module: String, part: String)? {
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let part = name[name.index(after: dot)...]
    return isLinear(part) ? (String(name[..<dot]), String(part)) : nil
  }

  private static let timmTensors = [
    "patch_embed.proj.weight": "patch.weight",
    "patch_embed.proj.bias": "patch.bias",
    "pos_embed": "position",
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
  ]

  private static let timmBlock = [
    "norm1": "norm1",
    "attn.proj": "attn.o",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
  ]

  private static let openAITensors = [
    "class_embedding": "class",
    "conv1.weight": "patch.weight",
    "positional_embedding": "position",
    "ln_pre.weight": "prenorm.weight",
    "ln_pre.bias": "prenorm.bias",
    "ln_post.weight": "norm.weight",
    "ln_post.bias": "norm.bias",
  ]

  private static let openAIBlock = [
    "ln_1": "norm1",
    "attn.out_proj": "attn.o",
    "ln_2": "norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
  ]
}
