// SPDX-License-Identifier: Apache-2.0
// From the names that other projects give tensors to the canonical ones.

/// What becomes of a foreign tensor.
package enum NameMapping: Sendable, Equatable {
  /// It is one tensor of the model.
  case tensor(String)
  /// Its rows are several tensors of the model, one after another.
  case rows([String])
  /// It is expendable; the text says why.
  case ignored(String)
  /// It is a factor of what is added to these tensors of the model.
  case merged([String])
  /// Nothing is known about it: it may be trained data that must not be lost.
  case unknown

  /// The canonical names.
  var names: [String] {
    switch self {
    case .tensor(let name): [name]
    case .rows(let names), .merged(let names): names
    case .ignored, .unknown: []
    }
  }

  /// The part of the model that the names belong to; nil without names.
  var part: ModelPart? { names.first.flatMap { ModelPart(canonical: $0) } }
}

/// Translates foreign tensor names.
///
/// Each project wraps the same three models in prefixes of its own. The wrappings are tried in turn;
/// what is left decides. `NameMap+*.swift` hold one model each.
///
/// - Source: reference.md D.2.
package enum NameMap {
  /// Translates a name.
  ///
  /// - Parameters:
  ///   - name: the name in the file.
  ///   - wanted: parts that the file can hold: a lone encoder's names may read like a language model's.
  /// - Returns: what the tensor is.
  package static func mapping(
    of name: String,
    wanted: Set<ModelPart> = ModelPart.answering,
  ) -> NameMapping {
    let name = withoutBaseLayer(name)
    if let reason = expendable(name) { return .ignored(reason) }
    if wanted.contains(.text), let mapping = joint(name) { return mapping }
    if wanted.contains(.language) {
      for wrapping in languageWrappings {
        guard let rest = name.dropping(wrapping) else { continue }
        if let mapping = language(rest) { return mapping }
      }
    }
    if let mapping = adapter(name) ?? labelParts(name) ?? vision(name) { return mapping }
    return .unknown
  }

  /// What kind of model a name gives away that is known and not converted; nil for other names.
  static func unsupported(_ name: String) -> String? {
    let marks: [(mark: String, what: String)] = [
      ("vision_sampler_", "Cambrian's spatial vision aggregator (SVA)"),
      ("vision_query", "Cambrian's spatial vision aggregator (SVA)"),
      ("mm_projector_aux_", "Cambrian's spatial vision aggregator (SVA)"),
      ("vision_tower_aux_list.", "a second encoder"),
      ("vlm_uni_", "Mini-Gemini's second encoder"), ("vision_tower_aux.", "a second encoder"),
      (".lora_A", "low-rank factors without an adapter_config.json"),
      (".lora_B", "low-rank factors without an adapter_config.json"),
    ]
    return marks.first { name.contains($0.mark) }?.what
  }

  /// The name of a module's own weight where a fine-tuning wraps it.
  private static func withoutBaseLayer(_ name: String) -> String {
    name.contains(".base_layer.") ? name.replacing(".base_layer.", with: ".") : name
  }

  /// Prefixes around a causal language model, longest first; the empty one is the model itself.
  private static let languageWrappings = ["model.language_model.", "language_model.", ""]

  /// Buffers that code recomputes; they were never trained.
  private static func expendable(_ name: String) -> String? {
    if name.hasSuffix(".rotary_emb.inv_freq") || name.hasSuffix(".rotary_emb.cos_cached")
      || name.hasSuffix(".rotary_emb.sin_cached")
    {
      return "rotary angles are computed"
    }
    if name.hasSuffix("embeddings.position_ids") { return "position numbers are counted" }
    if ["input_resolution", "context_length", "vocab_size"].contains(name) {
      return "sizes are taken from the configuration"
    }
    return nil
  }

  /// Splits `layers.7.rest` into block number and rest.
  static func block(_ name: Substring, _ prefix: String) -> (index: Int, rest: Substring)? {
    guard let tail = name.dropping(prefix), let dot = tail.firstIndex(of: ".") else { return nil }
    let digits = tail[..<dot]
    // One spelling only: "07" and "+7" would let two names mean one tensor.
    guard let index = Int(digits), index >= 0, String(index) == digits else { return nil }
    return (index, tail[tail.index(after: dot)...])
  }
}

extension StringProtocol {
  /// What follows `prefix`, or nil when the text does not begin with it.
  func dropping(_ prefix: String) -> SubSequence? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}
