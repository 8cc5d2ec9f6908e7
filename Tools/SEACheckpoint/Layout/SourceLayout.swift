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
  /// LLaVA's low-rank fine-tuning: factors for a language model, the adapter beside them.
  case llavaLoRA = "llava-lora"
  /// TinyLLaVA Factory's: nested configurations, all weights together or in a folder each.
  case tinyLLaVA = "tinyllava"
  /// Cambrian's with one encoder and a connector of linear layers, whole or the connector alone.
  case cambrian
  /// A causal language model.
  case languageModel = "llm"
  /// A CLIP or SigLIP model, or its vision part.
  case encoder
  /// An encoder that sees a picture at several scales: a configuration that names the encoder.
  case multiScaleEncoder = "s2-encoder"
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
  /// - Parameters:
  ///   - folder: the folder.
  ///   - isFineTuning: the folder holds a low-rank fine-tuning whose base is elsewhere.
  /// - Returns: the layout.
  /// - Throws: `CheckpointError.unsupported` naming a layout that is known and not converted, or the
  ///   reason why none fits.
  package static func layout(
    of folder: CheckpointFolder,
    isFineTuning: Bool = false,
  ) throws(CheckpointError) -> SourceLayout {
    guard let json = try folder.json("config.json") else {
      return try layoutWithoutConfig(folder)
    }
    let config = ConfigReader(json, path: folder.path(of: "config.json"))
    let type = try config.string("model_type") ?? ""
    if type.isEmpty, TimmConfig.isOne(config) { return .encoder }
    if type == "tinyllava" || config.value("connector_type") != nil { return .tinyLLaVA }
    if isCambrian(config, type: type) { return .cambrian }
    if isMultiScale(config, type: type), !folder.hasWeights { return .multiScaleEncoder }
    try refuseKnown(config, type: type)

    let isNested = config.value("vision_config") != nil || config.value("text_config") != nil
    if isNested, type == "llava" { return .huggingFaceLlava }
    if EncoderFamily(modelType: type) != nil { return .encoder }
    if isLLaVA(config) {
      guard LanguageFamily(modelType: type) != nil else { throw unknown(type, config) }
      return isFineTuning ? .llavaLoRA : try llavaStage(folder)
    }
    guard LanguageFamily(rawValue: type) != nil else { throw unknown(type, config) }
    return .languageModel
  }

  /// True when a configuration is that of a whole model with pictures, in LLaVA's words or those of
  /// the projects that grew from it.
  static func describesPictures(_ folder: CheckpointFolder) throws(CheckpointError) -> Bool {
    guard let json = try folder.json("config.json") else { return false }
    let config = ConfigReader(json, path: folder.path(of: "config.json"))
    let type = try config.string("model_type") ?? ""
    return isLLaVA(config) || isCambrian(config, type: type)
      || config.value("connector_type") != nil
  }

  /// Names under which stage 1 saves the adapter.
  static let adapterFiles = ["mm_projector.safetensors", "mm_projector.bin"]

  private static func isLLaVA(_ config: ConfigReader) -> Bool {
    config.value("mm_vision_tower") != nil || config.value("mm_projector_type") != nil
  }

  private static func isCambrian(_ config: ConfigReader, type: String) -> Bool {
    type.hasPrefix("cambrian")
      || ["mm_vision_tower_aux_list", "vision_tower_aux_list"].contains {
        config.value($0) != nil
      }
  }

  /// The key that names the encoder of a multi-scale configuration.
  static func multiScaleKey(_ config: ConfigReader) -> String {
    multiScaleKeys.first { config.value($0) != nil } ?? "vision_tower"
  }

  private static let multiScaleKeys = ["mm_vision_tower", "vision_tower"]

  /// True when a folder is an encoder of several scales.
  static func isMultiScale(_ folder: CheckpointFolder) throws(CheckpointError) -> Bool {
    guard let json = try folder.json("config.json") else { return false }
    let config = ConfigReader(json, path: folder.path(of: "config.json"))
    return isMultiScale(config, type: try config.string("model_type") ?? "")
      && !folder.hasWeights
  }

  private static func isMultiScale(_ config: ConfigReader, type: String) -> Bool {
    type.isEmpty && config.value("s2_scales") != nil
      && multiScaleKeys.contains { config.value($0) != nil }
  }

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

  /// Folders without a config.json: a tokenizer, or an encoder in another project's names.
  private static func layoutWithoutConfig(
    _ folder: CheckpointFolder
  ) throws(CheckpointError) -> SourceLayout {
    if folder.contains(OpenCLIPConfig.fileName) { return .encoder }
    if folder.hasAnyWeights {
      if try folder.weights().dialect != nil { return .encoder }
    } else if tokenizerFiles.contains(where: { folder.contains($0) }) {
      return .tokenizer
    }
    throw .missing(
      path: folder.path,
      advice: "no config.json here; a checkpoint's folder has one beside its weights",
    )
  }

  private static func unknown(_ type: String, _ config: ConfigReader) -> CheckpointError {
    let known = ["llama", "gemma", "phi3", "llava", "clip", "siglip"].joined(separator: ", ")
    let found = type.isEmpty ? "missing" : "\"\(type.printable())\""
    return config.fault("model_type", "\(found), expected one of \(known)")
  }

  /// Layouts that the configuration gives away.
  private static func refuseKnown(
    _ config: ConfigReader,
    type: String,
  ) throws(CheckpointError) {
    let layouts: [(keys: [String], types: [String], what: String)] = [
      (
        ["mm_vision_tower_aux", "image_size_aux"], ["mini_gemini", "mgm", "mgm_gemma"],
        "Mini-Gemini's second encoder"
      )
    ]
    for layout in layouts {
      guard layout.types.contains(type) || layout.keys.contains(where: { config.value($0) != nil })
      else { continue }
      throw .unsupported(path: config.path, what: layout.what)
    }
    if config.value("vision_config") != nil, type != "llava", EncoderFamily(modelType: type) == nil
    {
      throw .unsupported(path: config.path, what: "model_type \"\(type.printable())\"")
    }
  }
}
