// SPDX-License-Identifier: Apache-2.0
// Tells by content which project's layout a folder has.

internal import SEAFormat

/// The layouts that are converted.
package enum SourceLayout: String, Sendable, CaseIterable {
  /// LLaVA's own: language model and adapter in one checkpoint, the tower inside or in a folder.
  case llava
  /// LLaVA's alignment stage: the adapter alone, the models it was trained on in folders.
  case llavaStage1 = "llava-stage1"
  /// `LlavaForConditionalGeneration` of transformers, in any of its releases' names.
  case huggingFaceLlava = "hf-llava"
  /// A causal language model.
  case languageModel = "llm"
  /// A CLIP or SigLIP model, or its vision part.
  case encoder
  /// Tokenizer files alone.
  case tokenizer
}

/// Decides the layout of a folder from what is in it, never from its name.
///
/// `model_type` alone cannot decide: "llava" is used by two incompatible layouts.
///
/// - Source: reference.md D.1.
package enum LayoutDetector {
  /// The files that make a folder a tokenizer's.
  static let tokenizerFiles = ["tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json"]

  /// Recognises the layout of `folder`.
  ///
  /// - Throws: `CheckpointError.unsupported` naming a layout that is known and not converted, or the
  ///   reason why none fits.
  package static func layout(of folder: CheckpointFolder) throws(CheckpointError) -> SourceLayout {
    try refuseKnown(folder)
    guard let json = try folder.json("config.json") else {
      guard !folder.hasWeights, tokenizerFiles.contains(where: { folder.contains($0) }) else {
        throw .missing(
          path: folder.path,
          advice: "no config.json here; a checkpoint's folder has one beside its weights",
        )
      }
      return .tokenizer
    }
    let config = ConfigReader(json, path: folder.path(of: "config.json"))
    let type = try config.string("model_type") ?? ""
    try refuseKnown(config, type: type)

    let isNested = config.value("vision_config") != nil || config.value("text_config") != nil
    if isNested, type == "llava" { return .huggingFaceLlava }
    if EncoderFamily(modelType: type) != nil { return .encoder }
    if config.value("mm_vision_tower") != nil || config.value("mm_projector_type") != nil {
      guard LanguageFamily(modelType: type) != nil else { throw unknown(type, config) }
      return try llavaStage(folder)
    }
    guard LanguageFamily(rawValue: type) != nil else { throw unknown(type, config) }
    return .languageModel
  }

  /// Names under which stage 1 saves the adapter.
  static let adapterFiles = ["mm_projector.safetensors", "mm_projector.bin"]

  private static func llavaStage(_ folder: CheckpointFolder) throws(CheckpointError) -> SourceLayout
  {
    if folder.hasWeights { return .llava }
    guard adapterFiles.contains(where: { folder.contains($0) }) else {
      throw .missing(
        path: folder.path,
        advice: "neither weights nor mm_projector.bin here",
      )
    }
    return .llavaStage1
  }

  private static func unknown(_ type: String, _ config: ConfigReader) -> CheckpointError {
    let known = ["llama", "gemma", "phi3", "llava", "clip", "siglip"].joined(separator: ", ")
    let found = type.isEmpty ? "missing" : "\"\(type.printable())\""
    return config.fault("model_type", "\(found), expected one of \(known)")
  }

  /// Layouts that the files in the folder give away.
  private static func refuseKnown(_ folder: CheckpointFolder) throws(CheckpointError) {
    if folder.contains("adapter_config.json") || folder.contains("non_lora_trainables.bin") {
      throw .unsupported(path: folder.path, what: "LoRA weights; merge them into their base first")
    }
    let parts = ["language_model", "vision_tower", "connector"]
    if parts.allSatisfy({ CheckpointFolder.isFolder(folder.path(of: $0)) }) {
      throw .unsupported(path: folder.path, what: "the TinyLLaVA Factory layout")
    }
  }

  /// Layouts that the configuration gives away.
  private static func refuseKnown(
    _ config: ConfigReader,
    type: String,
  ) throws(CheckpointError) {
    let layouts: [(keys: [String], types: [String], what: String)] = [
      (["connector_type"], ["tinyllava"], "the TinyLLaVA Factory layout"),
      (
        ["mm_vision_tower_aux_list", "vision_tower_aux_list"],
        ["cambrian_llama", "cambrian_gemma", "cambrian_phi3"], "the Cambrian layout"
      ),
      (
        ["mm_vision_tower_aux", "image_size_aux"], ["mini_gemini", "mgm", "mgm_gemma"],
        "Mini-Gemini's second encoder"
      ),
      (["s2_scales"], [], "multi-scale (S2) encoders"),
    ]
    for layout in layouts {
      guard layout.types.contains(type) || layout.keys.contains(where: { config.value($0) != nil })
      else { continue }
      throw .unsupported(path: config.path, what: layout.what)
    }
    if try config.bool("s2", default: false) {
      throw .unsupported(path: config.path, what: "multi-scale (S2) encoders")
    }
    if config.value("vision_config") != nil, type != "llava", EncoderFamily(modelType: type) == nil
    {
      throw .unsupported(path: config.path, what: "model_type \"\(type.printable())\"")
    }
  }
}
