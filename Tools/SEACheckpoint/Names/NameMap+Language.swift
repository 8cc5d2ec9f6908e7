// SPDX-License-Identifier: Apache-2.0
// Names inside a causal language model: Llama, Gemma, Phi-3.

extension NameMap {
  /// Translates a name inside the language model; nil when it is not one.
  static func language(_ name: Substring) -> NameMapping? {
    switch name {
    case "model.embed_tokens.weight", "embed_tokens.weight": return .tensor("llm.embed.weight")
    case "model.norm.weight", "norm.weight": return .tensor("llm.norm.weight")
    case "lm_head.weight": return .tensor("llm.head.weight")
    default: break
    }
    // Some wrappings leave out the inner "model.".
    let inner = name.dropping("model.") ?? name
    guard let (index, rest) = block(inner, "layers.") else { return nil }
    let blockName = "llm.blk.\(index)"
    if let canonical = languageBlock[String(rest)] { return .tensor("\(blockName).\(canonical)") }
    if let parts = fusedRows[String(rest)] { return .rows(parts.map { "\(blockName).\($0)" }) }
    return nil
  }

  private static let languageBlock = [
    "input_layernorm.weight": "norm1.weight",
    "self_attn.q_proj.weight": "attn.q.weight",
    "self_attn.k_proj.weight": "attn.k.weight",
    "self_attn.v_proj.weight": "attn.v.weight",
    "self_attn.o_proj.weight": "attn.o.weight",
    "post_attention_layernorm.weight": "norm2.weight",
    "mlp.gate_proj.weight": "mlp.gate.weight",
    "mlp.up_proj.weight": "mlp.up.weight",
    "mlp.down_proj.weight": "mlp.down.weight",
  ]

  /// Phi-3 stacks matrices that share an input.
  private static let fusedRows = [
    "self_attn.qkv_proj.weight": ["attn.q.weight", "attn.k.weight", "attn.v.weight"],
    "mlp.gate_up_proj.weight": ["mlp.gate.weight", "mlp.up.weight"],
  ]
}
