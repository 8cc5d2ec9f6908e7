// SPDX-License-Identifier: Apache-2.0
// The configuration files of a whole checkpoint in either layout.

internal import SEAFormat
internal import SEAImage
internal import SEAModel
internal import SEATensor

/// Makes the JSON files that stand beside the weights.
struct ExportConfig {
  let model: ModelDescription
  let parts: ExportParts
  let layout: ExportLayout
  /// Type of the weights, in the library's words.
  let type: String
  let ids: ExportIDs
  /// Id that stands for a picture in the Hugging Face layout.
  let imageID: Int

  /// A release whose key names the files follow; Gemma's visual tokens are scaled in releases below 5.
  private var release: String {
    parts.family == .gemma && model.visualScale == 1 ? "5.0.0" : "4.51.3"
  }

  /// config.json of the whole.
  ///
  /// - Throws: `CheckpointError.unsupported` for what the layout cannot say.
  func main(path: String) throws(CheckpointError) -> JSONValue {
    switch layout {
    case .llava: object(try llava(path: path))
    case .huggingFace: object(try huggingFace(path: path))
    }
  }

  /// config.json of the encoder's folder.
  var tower: JSONValue {
    let isCLIP = parts.encoderFamily == .clip
    let name = isCLIP ? "CLIPVisionModel" : "SiglipVisionModel"
    return object([("architectures", [.string(name)])] + parts.visionFields(type: type))
  }

  /// generation_config.json.
  var generation: JSONValue {
    object(ids.fields + [("do_sample", false), ("transformers_version", .string(release))])
  }

  // MARK: - LLaVA

  private func llava(path: String) throws(CheckpointError) -> ExportFields {
    func refuse(_ what: String) -> CheckpointError {
      .unsupported(path: path, what: "the llava layout with \(what); --layout hf has it")
    }
    guard parts.adapter.layers == 1 || parts.adapter.activation == .geluErf else {
      throw refuse("an adapter of \(ExportParts.name(parts.adapter.activation))")
    }
    let encoder = parts.encoder
    guard encoder.hasClassToken || !encoder.selection.dropsFirst else {
      throw refuse("features that lack the first patch")
    }
    let names: (architecture: String, type: String) =
      switch parts.family {
      case .llama: ("LlavaLlamaForCausalLM", "llava_llama")
      case .gemma: ("LlavaGemmaForCausalLM", "llava_gemma")
      case .phi3: ("LlavaPhiForCausalLM", "llava_phi3")
      }
    let language = parts.languageFields(type: type, ids: ids).map {
      $0.key == "model_type" ? (key: $0.key, value: JSONValue.string(names.type)) : $0
    }
    let hasClass = encoder.hasClassToken && !encoder.selection.dropsFirst
    return [("architectures", [.string(names.architecture)])] + language + [
      ("transformers_version", .string(release)), ("freeze_mm_mlp_adapter", false),
      ("image_aspect_ratio", .string(model.recipe?.padFill == nil ? "square" : "pad")),
      ("mm_hidden_size", .number(JSONNumber(parts.adapter.inputWidth))),
      ("mm_patch_merge_type", "flat"), ("mm_projector_type", .string(parts.adapter.name)),
      ("mm_use_im_patch_token", false), ("mm_use_im_start_end", false),
      ("mm_vision_select_feature", .string(hasClass ? "cls_patch" : "patch")),
      ("mm_vision_select_layer", .number(JSONNumber(parts.selectLayer))),
      ("mm_vision_tower", .string("./" + ExportPlan.towerFolder)),
      ("tokenizer_model_max_length", contextValue), ("tokenizer_padding_side", "right"),
      ("tune_mm_mlp_adapter", false), ("unfreeze_mm_vision_tower", false), ("use_mm_proj", true),
    ]
  }

  // MARK: - Hugging Face

  private func huggingFace(path: String) throws(CheckpointError) -> ExportFields {
    guard parts.adapter.layers == 2 else {
      throw .unsupported(
        path: path,
        what: "the hf layout with an adapter of \(parts.adapter.layers) layers, it has two; "
          + "--layout llava has others",
      )
    }
    // The hidden layer is as wide as the language model by construction.
    guard parts.adapter.widths[1] == parts.adapter.outputWidth else {
      throw .unsupported(path: path, what: "the hf layout with widths \(parts.adapter.widths)")
    }
    let text: JSONValue = object(parts.languageFields(type: type, ids: ids))
    let vision: JSONValue = object(parts.visionFields(type: type))
    return [
      ("architectures", ["LlavaForConditionalGeneration"]), ("model_type", "llava"),
      ("ignore_index", -100), ("image_token_index", .number(JSONNumber(imageID))),
      ("image_seq_length", .number(JSONNumber(parts.encoder.features))),
      ("projector_hidden_act", .string(ExportParts.name(parts.adapter.activation))),
      ("multimodal_projector_bias", true),
      ("vision_feature_layer", .number(JSONNumber(parts.selectLayer))),
      ("vision_feature_select_strategy", .string(strategy)),
      ("tie_word_embeddings", .bool(parts.language.isHeadTied)),
      ("tokenizer_model_max_length", contextValue), ("text_config", text),
      ("vision_config", vision), ("torch_dtype", .string(type)),
      ("transformers_version", .string(release)),
    ]
  }

  private var strategy: String { parts.encoder.selection.dropsFirst ? "default" : "full" }

  /// processor_config.json: how many places a picture takes in a prompt.
  var processor: JSONValue {
    [
      "processor_class": "LlavaProcessor", "image_token": "<image>",
      "patch_size": .number(JSONNumber(parts.encoder.patchSide)),
      "vision_feature_select_strategy": .string(strategy),
      "num_additional_image_tokens": .number(JSONNumber(parts.encoder.hasClassToken ? 1 : 0)),
    ]
  }

  // MARK: - Pictures

  /// preprocessor_config.json, or nil where nothing is known about pictures.
  ///
  /// - Throws: `CheckpointError.unsupported` for bars of a colour that no processor has.
  func preprocessor(path: String) throws(CheckpointError) -> JSONValue? {
    guard let recipe = model.recipe else { return nil }
    if let fill = recipe.padFill {
      guard fill == RGBColor(truncatedMean: recipe.mean) else {
        throw .unsupported(
          path: path,
          what: "bars of another colour than the mean (\(recipe.name))"
        )
      }
    }
    var kind = recipe.crop == nil ? "SiglipImageProcessor" : "CLIPImageProcessor"
    // In LLaVA's layout the model's own configuration asks for the bars.
    let pads = recipe.padFill != nil && layout == .huggingFace
    if pads { kind = "LlavaImageProcessor" }
    var fields: ExportFields = [
      ("image_processor_type", .string(kind)), ("do_convert_rgb", true),
      ("do_resize", .bool(recipe.resize != nil)), ("size", Self.size(recipe.resize)),
      ("do_center_crop", .bool(recipe.crop != nil)),
    ]
    if let crop = recipe.crop { fields.append(("crop_size", Self.size(.exact(crop)))) }
    if pads { fields.append(("do_pad", true)) }
    fields += [
      ("resample", recipe.filter == .bilinear ? 2 : 3), ("do_rescale", true),
      ("rescale_factor", .number(JSONNumber(recipe.rescale))), ("do_normalize", true),
      ("image_mean", .array(recipe.mean.map { .number(JSONNumber($0)) })),
      ("image_std", .array(recipe.std.map { .number(JSONNumber($0)) })),
    ]
    return object(fields)
  }

  private static func size(_ resize: ImageResize?) -> JSONValue {
    switch resize {
    case .shortestEdge(let side): ["shortest_edge": .number(JSONNumber(side))]
    case .exact(let size):
      ["height": .number(JSONNumber(size.height)), "width": .number(JSONNumber(size.width))]
    case nil: .null
    }
  }

  private var contextValue: JSONValue {
    model.generation.map { .number(JSONNumber($0.context)) } ?? .null
  }

  private func object(_ fields: ExportFields) -> JSONValue { .object(JSONObject(fields)) }
}
