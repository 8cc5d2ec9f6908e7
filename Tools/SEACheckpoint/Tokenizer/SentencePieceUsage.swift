// SPDX-License-Identifier: Apache-2.0
// How a checkpoint uses its SentencePiece model: by which class, with which tokens beside it.

import SEAFormat
import SEAText

/// What the configuration files say about the use of a SentencePiece model.
///
/// The defaults and the order of precedence are those of the library that such checkpoints are made
/// for: `added_tokens_decoder` where there is one, else `special_tokens_map.json` before
/// `tokenizer_config.json`, with `added_tokens.json`.
/// - Source: transformers `tokenization_utils_base.py`, `_from_pretrained`; `tokenization_utils.py`.
struct SentencePieceUsage {
  /// The classes that are known.
  enum Family {
    case llama
    case gemma
    case siglip
  }

  /// A token with a role.
  struct RoleToken {
    var role: String
    var content: String
    var fields: AddedTokenFields
  }

  let family: Family
  /// Tokens with a role, in the order in which new ones are added.
  private(set) var roles: [RoleToken] = []
  private let files: TokenizerFiles
  private var configuration: JSONValue { files.configuration?.json ?? .null }

  /// Reads the configuration.
  ///
  /// - Throws: `CheckpointError.unsupported` naming a class that is not known.
  init(_ files: TokenizerFiles) throws(CheckpointError) {
    self.files = files
    family = try Self.family(files)
    for role in ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token"] {
      if let token = token(role, value(role) ?? Self.standard(role, family)) { roles.append(token) }
    }
    if let token = token("mask_token", value("mask_token")) { roles.append(token) }
    for value in value("additional_special_tokens")?.array ?? [] {
      if let token = token("additional_special_tokens", value) { roles.append(token) }
    }
  }

  private static func family(_ files: TokenizerFiles) throws(CheckpointError) -> Family {
    let name = files.tokenizerClass ?? ""
    switch name {
    case "", "LlamaTokenizer", "LlamaTokenizerFast": return .llama
    case "GemmaTokenizer", "GemmaTokenizerFast": return .gemma
    case "SiglipTokenizer": return .siglip
    default:
      throw .unsupported(
        path: files.configuration?.path ?? "",
        what: "tokenizer_class '\(name.printable(limit: 40))' with a SentencePiece model; "
          + "LlamaTokenizer, GemmaTokenizer and SiglipTokenizer are",
      )
    }
  }

  // MARK: - Roles

  /// What the files say about a role; null where they say that there is none.
  private func value(_ role: String) -> JSONValue? {
    if configuration["added_tokens_decoder"] == nil, let value = files.specialTokens?.json[role] {
      return value
    }
    return configuration[role]
  }

  private static func standard(_ role: String, _ family: Family) -> JSONValue? {
    switch (role, family) {
    case ("bos_token", .llama): "<s>"
    case ("bos_token", .gemma): "<bos>"
    case ("eos_token", .gemma): "<eos>"
    case ("eos_token", _): "</s>"
    case ("unk_token", _): "<unk>"
    case ("pad_token", .gemma): "<pad>"
    case ("pad_token", .siglip): "</s>"
    default: nil
    }
  }

  private func token(_ role: String, _ value: JSONValue?) -> RoleToken? {
    guard let value, let content = value.string ?? value["content"]?.string, !content.isEmpty else {
      return nil
    }
    var fields = AddedTokenFields.special
    if value.object != nil {
      fields = AddedTokenFields(value)
      fields.isSpecial = true
    } else if family == .siglip, role != "additional_special_tokens" {
      fields.stripsLeft = true
      fields.stripsRight = true
    }
    return RoleToken(role: role, content: content, fields: fields)
  }

  /// The text of the token with a role, or nil.
  func name(_ role: String) -> String? {
    roles.first { $0.role == role }?.content
  }

  // MARK: - Tokens

  /// Adds the tokens of the configuration to those of the model.
  ///
  /// - Throws: `CheckpointError.badField` naming the token that cannot be.
  func addTokens(to vocabulary: inout Vocabulary) throws(CheckpointError) {
    if configuration["added_tokens_decoder"] != nil {
      for token in try files.configuredTokens() {
        try vocabulary.addToken(token.content, id: token.id, token.fields, field: token.field)
      }
    } else if let tokens = files.addedTokens?.json.object {
      for (content, id) in tokens.entries {
        let isSpecial = roles.contains { $0.content.utf8.elementsEqual(content.utf8) }
        let fields = AddedTokenFields(isNormalized: !isSpecial, isSpecial: isSpecial)
        try vocabulary.addToken(content, id: id, fields, field: "added_tokens.json")
      }
    }
    for token in roles {
      let id = vocabulary.id(of: token.content) ?? vocabulary.count
      // What the list of added tokens says about a token comes first.
      if vocabulary.id(of: token.content).flatMap({ vocabulary.entries[$0]?.added }) == nil {
        try vocabulary.addToken(
          token.content,
          id: .number(JSONNumber(id)),
          token.fields,
          field: token.role,
        )
      }
      vocabulary.markRole(id)
    }
  }

  // MARK: - Rules

  /// The rules around the model, without the number of the shield's tokens.
  ///
  /// - Throws: `CheckpointError.badField` for a flag that is none.
  func rules(_ model: SentencePieceModel) throws(CheckpointError) -> SentencePieceRules {
    var rules = SentencePieceRules()
    rules.addsDummyPrefix = model.normalizer.addsDummyPrefix
    rules.removesExtraSpaces = model.normalizer.removesExtraSpaces
    rules.escapesSpaces = model.normalizer.escapesSpaces
    rules.marksWordEnds = model.marksWordEnds
    switch family {
    case .gemma: break
    case .llama:
      // A configuration without the flag means the older behaviour.
      guard try !flag("legacy", default: true) else { break }
      rules.addsDummyPrefix = false
      rules.replacesMarks = true
      rules.startsWithMark = try flag("add_prefix_space", default: true)
      rules.dropsLoneMark = true
      rules.shield = name("unk_token") ?? ""
      rules.shieldsSpacesOnly = true
    case .siglip:
      rules.addsDummyPrefix = false
      rules.replacesMarks = true
      rules.startsWithMark = true
      rules.lowercases = try flag("do_lower_case", default: true)
      rules.dropsLoneMark = true
      rules.canonicalizes = true
      rules.shield = name("unk_token") ?? ""
      rules.addsSuffixOnce = true
    }
    return rules
  }

  /// Which tokens frame a text.
  ///
  /// - Throws: `CheckpointError.badField` for a flag that is none.
  func frame() throws(CheckpointError) -> (addsBeginning: Bool, addsEnd: Bool) {
    guard family != .siglip else { return (false, true) }
    return (
      try flag("add_bos_token", default: true),
      try flag("add_eos_token", default: false)
    )
  }

  private func flag(_ key: String, default missing: Bool) throws(CheckpointError) -> Bool {
    guard let value = configuration[key], !value.isNull else { return missing }
    guard let flag = value.bool else {
      throw .badField(
        path: files.configuration?.path ?? "",
        field: key,
        problem: "\(value.kind), expected a boolean",
      )
    }
    return flag
  }
}
