// SPDX-License-Identifier: Apache-2.0
// The parts of a model as the configuration objects of transformers.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

/// Fields of a JSON object in the order in which they are written.
typealias ExportFields = [(key: String, value: JSONValue)]

/// A whole model's parts, checked to be what a configuration can say.
///
/// - Source: reference.md A.1, A.2, D.3.
struct ExportParts {
  let language: LanguageModelDescription
  let family: LanguageFamily
  let encoder: EncoderDescription
  let encoderFamily: EncoderFamily
  let adapter: AdapterDescription

  /// Takes a model apart.
  ///
  /// - Throws: `CheckpointError.unsupported` naming a missing part, or what no configuration says.
  init(_ model: ModelDescription, path: String) throws(CheckpointError) {
    func refuse(_ what: String) -> CheckpointError { .unsupported(path: path, what: what) }
    guard let language = model.language else { throw refuse("export without a language model") }
    guard let encoder = model.encoder else { throw refuse("export without a vision encoder") }
    guard let adapter = model.adapter else { throw refuse("export without an adapter") }
    guard let family = LanguageFamily(rawValue: language.family) else {
      throw refuse("export of the language model family \"\(language.family.printable())\"")
    }
    guard let encoderFamily = EncoderFamily(rawValue: encoder.family) else {
      throw refuse("export of the encoder family \"\(encoder.family.printable())\"")
    }
    self.language = language
    self.family = family
    self.encoder = encoder
    self.encoderFamily = encoderFamily
    self.adapter = adapter
    try check(model, path: path)
  }

  /// Refuses what the families' configurations have no words for.
  private func check(_ model: ModelDescription, path: String) throws(CheckpointError) {
    let isGemma = family == .gemma
    let isCLIP = encoderFamily == .clip
    let scale = isGemma ? Double(language.hidden).squareRoot() : 1
    let faults: [(isFault: Bool, what: String)] = [
      (language.activation != (isGemma ? .geluTanh : .silu), "this activation in \(family)"),
      (language.embeddingScale != scale, "embedding scale \(language.embeddingScale)"),
      (model.visualScale != 1 && model.visualScale != scale, "visual scale \(model.visualScale)"),
      (language.slidingWindow != 0 && family != .phi3, "a sliding window in \(family)"),
      (
        [encoder.hasClassToken, encoder.hasPreNorm, !encoder.hasPatchBias] != [
          isCLIP, isCLIP, isCLIP,
        ] || !encoder.hasFinalNorm, "this form of \(encoderFamily)"
      ),
      (!encoder.scales.isEmpty, "several scales (S2)"),
      (encoder.selection.appliesFinalNorm, "features after the final norm"),
      (adapter.needsGrid, "an adapter on a grid (Cambrian)"),
      (
        adapter.activation == .quickGelu || adapter.activation == .silu, "this adapter's activation"
      ),
    ]
    if let fault = faults.first(where: { $0.isFault }) {
      throw .unsupported(path: path, what: "export of \(fault.what)")
    }
  }

  // MARK: - Objects

  /// The keys of the language model.
  func languageFields(type: String, ids: ExportIDs) -> ExportFields {
    Self.languageFields(language, family, type: type, ids: ids)
  }

  /// The keys of the language model.
  ///
  /// - Parameters:
  ///   - language: the model.
  ///   - family: its family.
  ///   - type: of the weights, in the library's words.
  ///   - ids: special ids.
  /// - Returns: every key that a reader would otherwise take from its own defaults.
  static func languageFields(
    _ language: LanguageModelDescription,
    _ family: LanguageFamily,
    type: String,
    ids: ExportIDs
  ) -> ExportFields {
    let activation: JSONValue = family == .gemma ? "gelu_pytorch_tanh" : "silu"
    var fields: ExportFields = [
      ("model_type", .string(family.rawValue)), ("vocab_size", number(language.vocab)),
      ("hidden_size", number(language.hidden)), ("intermediate_size", number(language.ffn)),
      ("num_hidden_layers", number(language.blocks)),
      ("num_attention_heads", number(language.heads)),
      ("num_key_value_heads", number(language.kvHeads)), ("head_dim", number(language.headDim)),
      ("hidden_act", activation),
    ]
    if family == .gemma { fields.append(("hidden_activation", activation)) }
    fields += [
      ("max_position_embeddings", number(language.maxPositions)),
      ("rms_norm_eps", real(language.epsilon)), ("rope_theta", real(language.ropeTheta)),
      ("rope_scaling", .null), ("attention_bias", false), ("attention_dropout", 0.0),
      ("initializer_range", 0.02), ("tie_word_embeddings", .bool(language.isHeadTied)),
      ("use_cache", true),
    ]
    if family == .phi3 {
      fields.append(
        ("sliding_window", language.slidingWindow == 0 ? .null : number(language.slidingWindow))
      )
      fields.append(("original_max_position_embeddings", number(language.maxPositions)))
    }
    return fields + ids.fields + [("torch_dtype", .string(type))]
  }

  /// The keys of the encoder.
  func visionFields(type: String) -> ExportFields {
    let isCLIP = encoderFamily == .clip
    var fields: ExportFields = [
      ("model_type", .string(isCLIP ? "clip_vision_model" : "siglip_vision_model")),
      ("hidden_size", number(encoder.hidden)), ("intermediate_size", number(encoder.ffn)),
      ("num_hidden_layers", number(encoder.blocks)),
      ("num_attention_heads", number(encoder.heads)), ("num_channels", 3),
      ("image_size", number(encoder.imageSide)), ("patch_size", number(encoder.patchSide)),
      ("hidden_act", .string(Self.name(encoder.activation))),
      ("layer_norm_eps", real(encoder.epsilon)), ("attention_dropout", 0.0),
    ]
    if isCLIP {
      fields.append(("projection_dim", number(encoder.projection ?? 768)))
    } else {
      // The head that pools a picture into one vector is not among the weights.
      fields.append(("vision_use_head", false))
    }
    return fields + [("torch_dtype", .string(type))]
  }

  /// Index of the selected hidden state, counted from the last.
  var selectLayer: Int { encoder.selection.layer - encoder.blocks - 1 }

  /// The library's name of an activation.
  static func name(_ activation: Activation) -> String {
    switch activation {
    case .quickGelu: "quick_gelu"
    case .geluTanh: "gelu_pytorch_tanh"
    case .geluErf: "gelu"
    case .silu: "silu"
    }
  }

  private func number(_ value: Int) -> JSONValue { Self.number(value) }
  private func real(_ value: Double) -> JSONValue { Self.real(value) }
  private static func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
  private static func real(_ value: Double) -> JSONValue { .number(JSONNumber(value)) }
}

/// Ids that configurations state.
struct ExportIDs {
  /// Begins a text; nil where it is not known.
  let beginning: Int?
  /// Ends an answer.
  let stops: [Int]
  /// Fills batches; nil where it is not known.
  let padding: Int?

  /// The three keys; ids that are not known are stated as such, so that no default steps in.
  var fields: ExportFields {
    [("bos_token_id", id(beginning)), ("eos_token_id", stopsValue), ("pad_token_id", id(padding))]
  }

  private var stopsValue: JSONValue {
    let ids = stops.map { JSONValue.number(JSONNumber($0)) }
    return ids.count == 1 ? ids[0] : ids.isEmpty ? .null : .array(ids)
  }

  private func id(_ value: Int?) -> JSONValue { value.map { .number(JSONNumber($0)) } ?? .null }
}
