// SPDX-License-Identifier: Apache-2.0
// A vision encoder's configuration keys, with each family's defaults.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

/// The encoder families that are read.
enum EncoderFamily: String, CaseIterable, Sendable {
  case clip
  case siglip

  /// The family behind a configuration's `model_type`, of the whole model or its vision part.
  init?(modelType: String) {
    switch modelType {
    case "clip", "clip_vision_model": self = .clip
    case "siglip", "siglip_vision_model": self = .siglip
    default: return nil
    }
  }
}

/// Which hidden state and rows feed the adapter, as a configuration states it.
struct FeatureChoice: Sendable, Equatable {
  /// Index into the hidden states; negative counts from the last block's output.
  var layer = -2
  /// Leave out the first row.
  var dropsFirst: Bool
  /// Apply the final norm.
  var appliesFinalNorm = false
}

/// What the keys of an encoder's configuration say.
///
/// - Source: reference.md A.1, B.1, B.2; the defaults are those of the transformers classes.
struct EncoderConfig {
  let family: EncoderFamily
  /// The encoder with every block evaluated; `select(_:)` chooses the features.
  private(set) var description: EncoderDescription

  /// Reads the keys of the vision part.
  ///
  /// - Parameters:
  ///   - config: the vision part.
  ///   - family: decides what absent keys mean.
  ///   - standardActivation: for files that name none; nil: the family's.
  /// - Throws: `CheckpointError` naming file and key.
  init(
    _ config: ConfigReader,
    family: EncoderFamily,
    standardActivation: String? = nil,
  ) throws(CheckpointError) {
    let isCLIP = family == .clip
    let side = try config.int("image_size", default: 224, in: 1...8192)
    let patch = try config.int("patch_size", default: isCLIP ? 32 : 16, in: 1...1024)
    guard patch <= side else {
      throw config.fault("patch_size", "\(patch), larger than image_size \(side)")
    }
    guard side / patch <= 256 else {
      throw config.fault("patch_size", "\(patch) makes a grid of \(side / patch), at most 256")
    }
    let hidden = try config.int("hidden_size", default: 768, in: 1...65_536)
    let heads = try config.int("num_attention_heads", default: 12, in: 1...1024)
    guard hidden.isMultiple(of: heads), hidden / heads <= 256 else {
      throw config.fault(
        "num_attention_heads",
        "\(heads) heads do not divide hidden_size \(hidden) into dims of at most 256",
      )
    }
    let channels = try config.int("num_channels", default: 3, in: 1...1024)
    guard channels == 3 else { throw config.fault("num_channels", "\(channels), expected 3") }
    let blocks = try config.int("num_hidden_layers", default: 12, in: 1...1024)
    self.family = family
    description = EncoderDescription(
      family: family.rawValue,
      imageSide: side,
      patchSide: patch,
      hidden: hidden,
      blocks: blocks,
      heads: heads,
      ffn: try config.int("intermediate_size", default: 3072, in: 1...262_144),
      activation: try Self.activation(config, family: family, standard: standardActivation),
      epsilon: try config.positive("layer_norm_eps", default: isCLIP ? 1e-5 : 1e-6, atMost: 1),
      hasClassToken: isCLIP,
      hasPatchBias: !isCLIP,
      hasPreNorm: isCLIP,
      hasFinalNorm: true,
      selection: FeatureSelection(layer: blocks, appliesFinalNorm: false, dropsFirst: isCLIP)
    )
  }

  /// Chooses the features for the adapter.
  ///
  /// - Throws: `CheckpointError.badField` when the encoder has no such layer.
  mutating func select(
    _ choice: FeatureChoice,
    path: String,
    field: String,
  ) throws(CheckpointError) {
    let blocks = description.blocks
    let layer = choice.layer < 0 ? blocks + 1 + choice.layer : choice.layer
    guard (0...blocks).contains(layer) else {
      throw .badField(
        path: path,
        field: field,
        problem: "\(choice.layer), expected -\(blocks + 1) to \(blocks)",
      )
    }
    description.selection = FeatureSelection(
      layer: layer,
      appliesFinalNorm: choice.appliesFinalNorm,
      dropsFirst: choice.dropsFirst
    )
  }

  /// A picture is seen at several scales, features of all side by side.
  mutating func see(at scales: [Int]) { description.scales = scales }

  /// Rows lead to a joint space by a projection of this width.
  mutating func lead(toProjection width: Int) { description.projection = width }

  /// A pooling head makes pictures points of the joint space.
  mutating func leadToPoolingHead() { description.hasPoolingHead = true }

  static func activation(
    _ config: ConfigReader,
    family: EncoderFamily,
    standard: String?,
  ) throws(CheckpointError) -> Activation {
    let name = try config.string("hidden_act") ?? standard
    switch name ?? (family == .clip ? "quick_gelu" : "gelu_pytorch_tanh") {
    case "quick_gelu": return .quickGelu
    case "gelu_pytorch_tanh": return .geluTanh
    case "gelu": return .geluErf
    default:
      throw config.fault("hidden_act", "\"\((name ?? "").printable())\" is no known activation")
    }
  }
}
