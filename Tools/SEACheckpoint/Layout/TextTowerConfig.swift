// SPDX-License-Identifier: Apache-2.0
// A text tower's configuration keys, with each family's defaults.

internal import SEAFormat
internal import SEAModel

/// What the keys of a whole CLIP or SigLIP model say about its text tower and joint space.
///
/// - Source: reference.md A.1, B.1.6, B.2.5; the defaults are those of the transformers classes.
enum TextTowerConfig {
  /// The width of CLIP's joint space.
  static func projection(_ config: ConfigReader) throws(CheckpointError) -> Int {
    try config.int("projection_dim", default: 512, in: 1...65_536)
  }

  /// Reads the tower.
  ///
  /// - Parameters:
  ///   - config: the whole model's configuration.
  ///   - family: decides what absent keys mean.
  /// - Returns: the tower.
  /// - Throws: `CheckpointError` naming file and key.
  static func description(
    _ config: ConfigReader,
    family: EncoderFamily,
  ) throws(CheckpointError) -> TextTowerDescription {
    let isCLIP = family == .clip
    let text = try config.object("text_config") ?? ConfigReader([:], path: config.path)
    let hidden = try text.int("hidden_size", default: isCLIP ? 512 : 768, in: 1...65_536)
    let heads = try text.int("num_attention_heads", default: isCLIP ? 8 : 12, in: 1...1024)
    guard hidden.isMultiple(of: heads), hidden / heads <= 256 else {
      throw text.fault(
        "num_attention_heads",
        "\(heads) heads do not divide hidden_size \(hidden) into dims of at most 256",
      )
    }
    let vocab = try text.int("vocab_size", default: isCLIP ? 49_408 : 32_000, in: 3...(1 << 24))
    let ids = try ids(text, isCLIP: isCLIP, vocab: vocab)
    let width =
      isCLIP
      ? try projection(config)
      : try text.int("projection_size", default: hidden, in: 1...65_536)
    return TextTowerDescription(
      family: family.rawValue,
      vocab: vocab,
      context: try text.int(
        "max_position_embeddings",
        default: isCLIP ? 77 : 64,
        in: 3...8192
      ),
      hidden: hidden,
      blocks: try text.int("num_hidden_layers", default: 12, in: 1...1024),
      heads: heads,
      ffn: try text.int("intermediate_size", default: isCLIP ? 2048 : 3072, in: 1...262_144),
      activation: try EncoderConfig.activation(text, family: family, standard: nil),
      epsilon: try text.positive("layer_norm_eps", default: isCLIP ? 1e-5 : 1e-6, atMost: 1),
      isCausal: isCLIP,
      pooling: isCLIP ? .endOfText : .last,
      projection: TextTowerDescription.Projection(width: width, hasBias: !isCLIP),
      startID: ids.start,
      endID: ids.end,
      padID: ids.pad
    )
  }

  /// The ids around a text.
  ///
  /// CLIP's are the last two of its vocabulary: files from before say 0 and 2 and mean these.
  /// SigLIP's end is its padding; the other ids of its configuration class are CLIP's by mistake.
  private static func ids(
    _ text: ConfigReader,
    isCLIP: Bool,
    vocab: Int,
  ) throws(CheckpointError) -> (start: Int?, end: Int, pad: Int) {
    guard isCLIP else {
      let pad = try text.int("pad_token_id", default: 1, in: 0...vocab - 1)
      return (nil, pad, pad)
    }
    let end = try text.int("eos_token_id", default: vocab - 1, in: 0...1 << 24)
    let start = try text.int("bos_token_id", default: vocab - 2, in: 0...1 << 24)
    guard end != 2, end < vocab, start < vocab else { return (vocab - 2, vocab - 1, vocab - 1) }
    return (start, end, end)
  }
}
