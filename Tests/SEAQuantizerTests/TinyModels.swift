// SPDX-License-Identifier: Apache-2.0
// Small descriptions with the shapes that make the families awkward.

import SEAImage
import SEAModel

/// Descriptions of every family shape: widths that no group divides, ragged rows, one KV head.
enum TinyModels {
  /// Llama: untied head, grouped KV heads.
  static let llama = ModelDescription(name: "tiny-llama", language: language())

  /// Gemma: hidden 72, one KV head wider than hidden / heads, tied head, scaled embeddings.
  static let gemma: ModelDescription = {
    var part = language(hidden: 72, heads: 4, kvHeads: 1, headDim: 32, ffn: 200, vocab: 260)
    part.family = "gemma"
    part.activation = .geluTanh
    part.isHeadTied = true
    part.embeddingScale = 72.0.squareRoot()
    return ModelDescription(name: "tiny-gemma", language: part)
  }()

  /// Phi-3: a sliding window, head dim 24.
  static let phi: ModelDescription = {
    var part = language(hidden: 96, heads: 4, kvHeads: 4, headDim: 24, ffn: 208)
    part.family = "phi3"
    part.slidingWindow = 11
    return ModelDescription(name: "tiny-phi", language: part)
  }()

  /// CLIP: class token, first norm, no patch bias; the last block is stored and not used.
  static let clip = ModelDescription(
    name: "tiny-clip",
    encoder: EncoderDescription(
      family: "clip",
      imageSide: 56,
      patchSide: 14,
      hidden: 64,
      blocks: 3,
      heads: 4,
      ffn: 160,
      activation: .quickGelu,
      epsilon: 1e-5,
      hasClassToken: true,
      hasPatchBias: false,
      hasPreNorm: true,
      hasFinalNorm: false,
      selection: FeatureSelection(layer: 2, appliesFinalNorm: false, dropsFirst: true)
    ),
    recipe: .clipPad(side: 56)
  )

  /// SigLIP: head dim 18, an ffn that 32 does not divide, final norm applied.
  static let siglip = ModelDescription(
    name: "tiny-siglip",
    encoder: EncoderDescription(
      family: "siglip",
      imageSide: 60,
      patchSide: 14,
      hidden: 72,
      blocks: 2,
      heads: 4,
      ffn: 269,
      activation: .geluTanh,
      epsilon: 1e-6,
      hasClassToken: false,
      hasPatchBias: true,
      hasPreNorm: false,
      hasFinalNorm: true,
      selection: FeatureSelection(layer: 2, appliesFinalNorm: true, dropsFirst: false)
    ),
    recipe: .siglip(side: 60)
  )

  /// SigLIP, a two-layer adapter and Gemma.
  static let seaGemma: ModelDescription = {
    var model = siglip
    model.name = "tiny-sea-gemma"
    model.adapter = AdapterDescription(widths: [72, 72, 72], activation: .geluErf)
    model.language = gemma.language
    model.visualScale = 72.0.squareRoot()
    return model
  }()

  /// CLIP, a linear adapter and Llama.
  static let llava: ModelDescription = {
    var model = clip
    model.name = "tiny-llava"
    model.adapter = AdapterDescription(widths: [64, 64], activation: .geluErf)
    model.language = llama.language
    return model
  }()

  /// All of them.
  static let all = [llama, gemma, phi, clip, siglip, seaGemma, llava]

  static func language(
    blocks: Int = 2,
    hidden: Int = 64,
    heads: Int = 4,
    kvHeads: Int = 2,
    headDim: Int = 16,
    ffn: Int = 176,
    vocab: Int = 300
  ) -> LanguageModelDescription {
    LanguageModelDescription(
      family: "llama",
      blocks: blocks,
      hidden: hidden,
      heads: heads,
      kvHeads: kvHeads,
      headDim: headDim,
      ffn: ffn,
      vocab: vocab,
      activation: .silu,
      epsilon: 1e-5,
      ropeTheta: 10_000,
      slidingWindow: 0,
      isHeadTied: false,
      embeddingScale: 1,
      maxPositions: 512
    )
  }
}
