// SPDX-License-Identifier: Apache-2.0
// Both towers of a CLIP or SigLIP fixture in the hub's layout, under canonical names.

import Foundation
import SEALayers
import SEAModel
import SEATensor
import TestSupport
import Testing

/// A fixture of `SEARuntimeTests`.
struct HubTowers: WeightSource {
  let model: ModelDescription
  let reference: Reference
  let isCLIP: Bool
  private var tensors: [String: [Float]] = [:]

  init(_ folder: String) throws {
    reference = try Reference(folder + "/reference.safetensors")
    let weights = try Reference(folder + "/model.safetensors")
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
    let config = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let text = try #require(config["text_config"] as? [String: Any])
    let vision = try #require(config["vision_config"] as? [String: Any])
    let isCLIP = weights.values["visual_projection.weight"] != nil
    func int(_ part: [String: Any], _ key: String) throws -> Int {
      try #require(part[key] as? Int, "\(key)")
    }
    let blocks = try int(vision, "num_hidden_layers")
    let projection = weights.shapes["visual_projection.weight"]?.first
    let vocab = try int(text, "vocab_size")
    let joint = try projection ?? int(vision, "hidden_size")
    model = ModelDescription(
      name: folder,
      encoder: EncoderDescription(
        family: "hub",
        imageSide: try int(vision, "image_size"),
        patchSide: try int(vision, "patch_size"),
        hidden: try int(vision, "hidden_size"),
        blocks: blocks,
        heads: try int(vision, "num_attention_heads"),
        ffn: try int(vision, "intermediate_size"),
        activation: isCLIP ? .quickGelu : .geluTanh,
        epsilon: isCLIP ? 1e-5 : 1e-6,
        hasClassToken: isCLIP,
        hasPatchBias: !isCLIP,
        hasPreNorm: isCLIP,
        hasFinalNorm: true,
        selection: FeatureSelection(
          layer: blocks - 1,
          appliesFinalNorm: false,
          dropsFirst: isCLIP
        ),
        projection: projection,
        hasPoolingHead: !isCLIP
      ),
      textTower: TextTowerDescription(
        family: "hub",
        vocab: vocab,
        context: try int(text, "max_position_embeddings"),
        hidden: try int(text, "hidden_size"),
        blocks: try int(text, "num_hidden_layers"),
        heads: try int(text, "num_attention_heads"),
        ffn: try int(text, "intermediate_size"),
        activation: isCLIP ? .quickGelu : .geluTanh,
        epsilon: isCLIP ? 1e-5 : 1e-6,
        isCausal: isCLIP,
        pooling: isCLIP ? .endOfText : .last,
        projection: .init(width: joint, hasBias: !isCLIP),
        startID: isCLIP ? vocab - 2 : nil,
        endID: isCLIP ? vocab - 1 : 1,
        padID: isCLIP ? vocab - 1 : 1
      )
    )
    self.isCLIP = isCLIP
    for (name, values) in weights.values {
      if name.hasSuffix("in_proj_weight") || name.hasSuffix("in_proj_bias") {
        let part = name.hasSuffix("bias") ? "bias" : "weight"
        for (index, letter) in ["q", "k", "v"].enumerated() {
          let count = values.count / 3
          tensors["vision.head.attn.\(letter).\(part)"] = Array(
            values[index * count..<(index + 1) * count]
          )
        }
        continue
      }
      tensors[Self.canonical(name)] = values
    }
  }

  private static func canonical(_ name: String) -> String {
    var result = name
    for (from, to) in [
      ("vision_model.head.probe", "vision.head.probe"),
      ("vision_model.head.attention.out_proj", "vision.head.attn.o"),
      ("vision_model.head.layernorm", "vision.head.norm"), ("vision_model.head", "vision.head"),
      ("text_model.head", "vtext.proj"), ("text_projection", "vtext.proj"),
      ("visual_projection", "vision.proj"), ("vision_model.", "vision."), ("text_model.", "vtext."),
      ("embeddings.class_embedding", "class"), ("embeddings.patch_embedding", "patch"),
      ("embeddings.position_embedding.weight", "position"),
      ("embeddings.token_embedding", "embed"), ("pre_layrnorm", "prenorm"),
      ("post_layernorm", "norm"), ("final_layer_norm", "norm"), ("encoder.layers.", "blk."),
      ("layer_norm", "norm"), ("self_attn.out_proj", "attn.o"), ("self_attn.", "attn."),
      ("_proj.", "."),
    ] {
      result = result.replacingOccurrences(of: from, with: to)
    }
    return result
  }

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    let values = try #require(tensors[name], "no tensor \(name)")
    out.copy(
      from: Array(values[rows.lowerBound * out.columns..<rows.upperBound * out.columns])
    )
  }

  func release(_ name: String) {}
}
