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
  /// Nothing is known about it: it may be trained data that must not be lost.
  case unknown
}

/// Translates foreign tensor names.
///
/// Each project wraps the same three models in prefixes of its own. The wrappings are tried in turn;
/// what is left decides. `NameMap+*.swift` hold one model each.
///
/// - Source: reference.md D.2.
package enum NameMap {
  /// Translates a name.
  package static func mapping(of name: String) -> NameMapping {
    if let reason = expendable(name) { return .ignored(reason) }
    for wrapping in languageWrappings {
      guard let rest = name.dropping(wrapping) else { continue }
      if let mapping = language(rest) { return mapping }
    }
    if let mapping = adapter(name) ?? labelParts(name) ?? vision(name) { return mapping }
    return .unknown
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
