// SPDX-License-Identifier: Apache-2.0
// Configurations of the published encoders, for checkpoints that hold such a tower without its
// configuration file.

internal import SEAFormat

/// Encoders known by the name that checkpoints give them.
///
/// - Source: reference.md A.1.
enum KnownEncoders {
  /// The configuration of a published encoder, or nil for other names.
  static func config(_ name: String) -> JSONValue? {
    switch name {
    case "openai/clip-vit-large-patch14-336": clipLarge(side: 336)
    case "openai/clip-vit-large-patch14": clipLarge(side: 224)
    case "google/siglip-so400m-patch14-384": siglip
    // open_clip builds the same encoder on timm.
    case "siglip/CLIP-ViT-SO400M-14-384", "timm/ViT-SO400M-14-SigLIP-384":
      TimmConfig.encoder(hidden: 1152, patch: 14, grid: 27)
    default: nil
    }
  }

  /// What `LlavaForConditionalGeneration` takes where its file names no encoder.
  static let huggingFaceStandard = clipLarge(side: 336)

  private static func clipLarge(side: Int) -> JSONValue {
    [
      "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096,
      "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14,
      "image_size": .number(JSONNumber(side)),
    ]
  }

  private static let siglip: JSONValue = [
    "model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304,
    "num_hidden_layers": 27, "num_attention_heads": 16, "patch_size": 14, "image_size": 384,
  ]
}
