// SPDX-License-Identifier: Apache-2.0
// An encoder's sizes from its tensors, for files that come without a configuration.

internal import SEAFormat

/// Reads an encoder's configuration from the shapes of its tensors.
///
/// - Source: OpenAI CLIP `build_model`, which does the same.
enum EncoderShapes {
  /// The configuration in the words of transformers.
  ///
  /// - Throws: `CheckpointError.missing` when the shapes do not tell.
  static func config(_ set: WeightSet, path: String) throws(CheckpointError) -> JSONValue {
    let config: JSONValue? =
      switch set.dialect {
      case .openAI: openAI(set)
      case .timm: timm(set)
      case nil: nil
      }
    guard let config else {
      throw .missing(
        path: path,
        advice: "no config.json or \(OpenCLIPConfig.fileName) here, and the tensors do not tell "
          + "the encoder's sizes",
      )
    }
    return config
  }

  private static func openAI(_ set: WeightSet) -> JSONValue? {
    guard let patch = shape("visual.conv1.weight", set, rank: 4),
      let position = shape("visual.positional_embedding", set, rank: 2),
      let ffn = shape("visual.transformer.resblocks.0.mlp.c_fc.weight", set, rank: 2),
      let grid = side(position[0] - 1), patch[0].isMultiple(of: 64), patch[0] > 0
    else { return nil }
    let prefix = "visual.transformer.resblocks."
    let blocks = set.tensors.count {
      $0.name.hasPrefix(prefix) && $0.name.hasSuffix(".ln_1.weight")
    }
    return [
      "model_type": "clip_vision_model", "hidden_size": OpenCLIPConfig.number(patch[0]),
      "num_attention_heads": OpenCLIPConfig.number(patch[0] / 64),
      "num_hidden_layers": OpenCLIPConfig.number(blocks),
      "intermediate_size": OpenCLIPConfig.number(ffn[0]),
      "patch_size": OpenCLIPConfig.number(patch[2]),
      "image_size": OpenCLIPConfig.number(patch[2] * grid), "hidden_act": "quick_gelu",
    ]
  }

  private static func timm(_ set: WeightSet) -> JSONValue? {
    for prefix in ["visual.trunk.", ""] {
      guard let patch = shape(prefix + "patch_embed.proj.weight", set, rank: 4),
        let position = shape(prefix + "pos_embed", set, rank: 3), let grid = side(position[1])
      else { continue }
      return TimmConfig.encoder(hidden: patch[0], patch: patch[2], grid: grid)
    }
    return nil
  }

  private static func shape(_ name: String, _ set: WeightSet, rank: Int) -> [Int]? {
    guard let shape = set[name]?.shape, shape.count == rank,
      shape.allSatisfy({ (1...65_536).contains($0) })
    else { return nil }
    return shape
  }

  /// The side of a square of so many cells, nil when there is none.
  private static func side(_ cells: Int) -> Int? {
    (1...256).first { $0 * $0 == cells }
  }
}
