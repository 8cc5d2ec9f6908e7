// SPDX-License-Identifier: Apache-2.0
// A language model's configuration keys, with each family's defaults.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

/// The language model families that are read.
enum LanguageFamily: String, CaseIterable, Sendable {
  case llama
  case gemma
  case phi3

  /// The family behind a configuration's `model_type`, wrapped by LLaVA code or not; nil if unknown.
  ///
  /// `llava` alone stands for the first release, whose language model is Llama; sibling projects add
  /// the name of theirs.
  init?(modelType: String) {
    switch modelType {
    case "llama", "llava", "llava_llama", "cambrian_llama": self = .llama
    case "gemma", "llava_gemma", "cambrian_gemma": self = .gemma
    case "phi3", "llava_phi", "llava_phi3", "cambrian_phi3": self = .phi3
    default: return nil
    }
  }
}

/// What the keys of a language model's configuration say.
///
/// - Source: reference.md A.2, D.3; the defaults are those of the transformers configuration classes.
struct LanguageModelConfig {
  let family: LanguageFamily
  let description: LanguageModelDescription
  /// True when the file states the rows of the embedding table.
  let statesVocabulary: Bool
  /// Ids that end an answer, as the configuration states them.
  let stopIDs: [Int]

  /// Values that the family's configuration class has when a key is absent.
  private struct Defaults {
    var vocab: Int
    var hidden: Int
    var ffn: Int
    var blocks: Int
    var heads: Int
    var kvHeads: Int?
    var headDim: Int?
    var epsilon: Double
    var maxPositions: Int
    var isTied: Bool
    var stopID: Int
  }

  private static func defaults(_ family: LanguageFamily) -> Defaults {
    switch family {
    case .llama:
      Defaults(
        vocab: 32_000,
        hidden: 4096,
        ffn: 11_008,
        blocks: 32,
        heads: 32,
        kvHeads: nil,
        headDim: nil,
        epsilon: 1e-6,
        maxPositions: 2048,
        isTied: false,
        stopID: 2
      )
    case .gemma:
      Defaults(
        vocab: 256_000,
        hidden: 3072,
        ffn: 24_576,
        blocks: 28,
        heads: 16,
        kvHeads: 16,
        headDim: 256,
        epsilon: 1e-6,
        maxPositions: 8192,
        isTied: true,
        stopID: 1
      )
    case .phi3:
      Defaults(
        vocab: 32_064,
        hidden: 3072,
        ffn: 8192,
        blocks: 32,
        heads: 32,
        kvHeads: nil,
        headDim: nil,
        epsilon: 1e-5,
        maxPositions: 4096,
        isTied: false,
        stopID: 32_000
      )
    }
  }

  /// Reads the keys.
  ///
  /// - Throws: `CheckpointError` naming file and key.
  init(_ config: ConfigReader, family: LanguageFamily) throws(CheckpointError) {
    let standard = Self.defaults(family)
    try Self.refuseVariants(config)
    let hidden = try config.int("hidden_size", default: standard.hidden, in: 1...65_536)
    let heads = try config.int("num_attention_heads", default: standard.heads, in: 1...1024)
    let kvHeads = try config.int(
      "num_key_value_heads",
      default: standard.kvHeads ?? heads,
      in: 1...1024,
    )
    var headDim = standard.headDim ?? 0
    if let stated = try config.optionalInt("head_dim", in: 2...256) {
      headDim = stated
    } else if standard.headDim == nil {
      guard hidden.isMultiple(of: heads), hidden / heads <= 256 else {
        throw config.fault(
          "num_attention_heads",
          "\(heads) heads do not divide hidden_size \(hidden) into dims of at most 256",
        )
      }
      headDim = hidden / heads
    }
    guard heads.isMultiple(of: kvHeads) else {
      throw config.fault("num_key_value_heads", "\(kvHeads) does not divide \(heads) heads")
    }
    guard headDim.isMultiple(of: 2) else {
      throw config.fault("head_dim", "\(headDim) is odd; rotary positions pair the dimensions")
    }
    self.family = family
    description = LanguageModelDescription(
      family: family.rawValue,
      blocks: try config.int("num_hidden_layers", default: standard.blocks, in: 1...1024),
      hidden: hidden,
      heads: heads,
      kvHeads: kvHeads,
      headDim: headDim,
      ffn: try config.int("intermediate_size", default: standard.ffn, in: 1...262_144),
      vocab: try config.int("vocab_size", default: standard.vocab, in: 1...(1 << 24)),
      activation: try Self.activation(config, family: family),
      epsilon: try config.positive("rms_norm_eps", default: standard.epsilon, atMost: 1),
      ropeTheta: try Self.ropeTheta(config),
      slidingWindow: try Self.slidingWindow(config, family: family),
      isHeadTied: try config.bool("tie_word_embeddings", default: standard.isTied),
      embeddingScale: family == .gemma ? Double(hidden).squareRoot() : 1,
      maxPositions: try config.int(
        "max_position_embeddings",
        default: standard.maxPositions,
        in: 1...(1 << 24),
      )
    )
    statesVocabulary = config.value("vocab_size") != nil
    let stated = try config.ids("eos_token_id")
    stopIDs = stated.isEmpty ? [standard.stopID] : stated
  }

  /// Refuses what the keys can ask for and no part of this model can do.
  private static func refuseVariants(_ config: ConfigReader) throws(CheckpointError) {
    for key in ["attention_bias", "mlp_bias"] where try config.bool(key, default: false) {
      throw .unsupported(path: config.path, what: "\(config.field(key)): biases in the blocks")
    }
    let part = try config.positive("partial_rotary_factor", default: 1, atMost: 1)
    guard part == 1 else {
      throw .unsupported(
        path: config.path,
        what: "\(config.field("partial_rotary_factor")) \(part)"
      )
    }
  }

  /// The gate's activation.
  ///
  /// Gemma's is the tanh form whatever the file says: early files say "gelu" and mean it.
  private static func activation(
    _ config: ConfigReader,
    family: LanguageFamily,
  ) throws(CheckpointError) -> Activation {
    var key = "hidden_act"
    if family == .gemma, config.value("hidden_activation") != nil { key = "hidden_activation" }
    let name = try config.string(key) ?? (family == .gemma ? "gelu_pytorch_tanh" : "silu")
    switch (family, name) {
    case (.gemma, "gelu"), (.gemma, "gelu_pytorch_tanh"): return .geluTanh
    case (.llama, "silu"), (.phi3, "silu"): return .silu
    default:
      throw .unsupported(
        path: config.path,
        what: "\(config.field(key)) \"\(name.printable())\" for \(family.rawValue)",
      )
    }
  }

  /// The rotary base in either dialect; scaled variants are refused.
  private static func ropeTheta(_ config: ConfigReader) throws(CheckpointError) -> Double {
    for key in ["rope_scaling", "rope_parameters"] {
      guard let scaling = try config.object(key) else { continue }
      let kindKey = scaling.value("rope_type") == nil ? "type" : "rope_type"
      let kind = try scaling.string(kindKey) ?? "default"
      guard kind == "default" else {
        throw .unsupported(
          path: config.path,
          what: "\(config.field(key)) of type \"\(kind.printable())\"",
        )
      }
    }
    var parameters = config
    if let nested = try config.object("rope_parameters") { parameters = nested }
    return try parameters.positive("rope_theta", default: 10_000, atMost: 1e9)
  }

  /// Keys a query sees, itself included; 0 for all.
  ///
  /// Of the families only Phi-3 has a window.
  private static func slidingWindow(
    _ config: ConfigReader,
    family: LanguageFamily,
  ) throws(CheckpointError) -> Int {
    guard family == .phi3 else { return 0 }
    return try config.optionalInt("sliding_window", in: 1...(1 << 24)) ?? 0
  }
}
