// SPDX-License-Identifier: Apache-2.0
// A fixture's text tower and joint space, mapped by hand from the Hugging Face layout.

import SEAFormat
import SEAModel

extension FixtureModel {
  /// A whole CLIP or SigLIP model: encoder, joint space and text tower.
  static func towers(_ name: String) throws -> FixtureModel {
    let folder = try fixture(name)
    var model = try encoder(folder)
    try model.addTextTower(config(folder), try tensors(folder + "/model.safetensors"))
    return model
  }

  private mutating func addTextTower(
    _ json: JSONValue,
    _ source: [String: ReferenceTensor]
  ) throws {
    let text = json["text_config"] ?? json
    func int(_ key: String) -> Int { text[key]?.int ?? 0 }
    let isCLIP = source["visual_projection.weight"] != nil
    let vocab = int("vocab_size")
    let projected = source[isCLIP ? "text_projection.weight" : "text_model.head.weight"]
    let tower = TextTowerDescription(
      family: isCLIP ? "clip" : "siglip",
      vocab: vocab,
      context: int("max_position_embeddings"),
      hidden: int("hidden_size"),
      blocks: int("num_hidden_layers"),
      heads: int("num_attention_heads"),
      ffn: int("intermediate_size"),
      activation: isCLIP ? .quickGelu : .geluTanh,
      epsilon: text["layer_norm_eps"]?.double ?? 1e-5,
      isCausal: isCLIP,
      pooling: isCLIP ? .endOfText : .last,
      projection: TextTowerDescription.Projection(
        width: projected?.shape[0] ?? 0,
        hasBias: !isCLIP
      ),
      startID: isCLIP ? vocab - 2 : nil,
      endID: isCLIP ? vocab - 1 : 1,
      padID: isCLIP ? vocab - 1 : 1
    )
    model.textTower = tower
    let embeddings = "text_model.embeddings."
    try take(embeddings + "token_embedding.weight", source, as: "vtext.embed.weight")
    try take(embeddings + "position_embedding.weight", source, as: "vtext.position")
    for part in ["weight", "bias"] {
      for block in 0..<tower.blocks {
        try takeBlock("text_model.encoder.layers.\(block).", "vtext.blk.\(block).", part, source)
      }
      try take("text_model.final_layer_norm.\(part)", source, as: "vtext.norm.\(part)")
    }
    if isCLIP {
      try take("text_projection.weight", source, as: "vtext.proj.weight")
      try take("visual_projection.weight", source, as: "vision.proj.weight")
      model.encoder?.projection = tower.jointWidth
    } else {
      try take("text_model.head.weight", source, as: "vtext.proj.weight")
      try take("text_model.head.bias", source, as: "vtext.proj.bias")
      try addPoolingHead(source)
    }
  }

  private mutating func takeBlock(
    _ from: String,
    _ to: String,
    _ part: String,
    _ source: [String: ReferenceTensor]
  ) throws {
    for norm in [1, 2] {
      try take(from + "layer_norm\(norm).\(part)", source, as: to + "norm\(norm).\(part)")
      try take(from + "mlp.fc\(norm).\(part)", source, as: to + "mlp.fc\(norm).\(part)")
    }
    for (name, short) in [("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("out_proj", "o")] {
      try take(from + "self_attn.\(name).\(part)", source, as: to + "attn.\(short).\(part)")
    }
  }

  private mutating func addPoolingHead(_ source: [String: ReferenceTensor]) throws {
    let from = "vision_model.head."
    let to = "vision.head."
    model.encoder?.hasPoolingHead = true
    try take(from + "probe", source, as: to + "probe")
    for part in ["weight", "bias"] {
      let name = from + "attention.in_proj_\(part)"
      guard let packed = source[name] else { throw Missing(name: name) }
      let rows = ReferenceTensor(
        shape: [packed.shape[0], packed.values.count / packed.shape[0]],
        values: packed.values
      )
      split(rows, into: ["q", "k", "v"].map { to + "attn.\($0).\(part)" })
      try take(from + "attention.out_proj.\(part)", source, as: to + "attn.o.\(part)")
      try take(from + "layernorm.\(part)", source, as: to + "norm.\(part)")
      for layer in ["fc1", "fc2"] {
        try take(from + "mlp.\(layer).\(part)", source, as: to + "mlp.\(layer).\(part)")
      }
    }
  }
}
