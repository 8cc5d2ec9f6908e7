// SPDX-License-Identifier: Apache-2.0
// The vocabulary of `tokenizer.json` and what the files beside it add.

import SEAFormat
import SEAText

/// Reads the vocabulary of a tokenizer file.
struct VocabularyReader {
  private let files: TokenizerFiles
  private let json: JSONValue
  private var vocabulary: Vocabulary
  private var path: String { vocabulary.path }

  /// The tokens of `tokenizer.json` and of the files beside it.
  ///
  /// - Throws: `CheckpointError.badField` naming the token that cannot be.
  static func read(
    _ files: TokenizerFiles,
    _ tokenizer: TokenizerFiles.File
  ) throws(CheckpointError) -> Vocabulary {
    var reader = VocabularyReader(files, tokenizer)
    try reader.readPieces()
    try reader.readAddedTokens()
    try reader.readConfiguredTokens()
    return reader.vocabulary
  }

  private init(_ files: TokenizerFiles, _ tokenizer: TokenizerFiles.File) {
    self.files = files
    json = tokenizer.json
    vocabulary = Vocabulary(path: tokenizer.path)
  }

  // MARK: - Pieces

  private mutating func readPieces() throws(CheckpointError) {
    let field = "model.vocab"
    let value = json["model"]?["vocab"]
    if let pieces = value?.object {
      for (text, id) in pieces.entries {
        let entry = VocabularyEntry(text: Array(text.utf8), flags: .isPiece)
        try vocabulary.add(entry, id: id, field: field)
      }
    } else if let pieces = value?.array {
      for (id, piece) in pieces.enumerated() { try addScored(piece, id: id) }
    } else {
      throw .badField(path: path, field: field, problem: "expected the pieces and their ids")
    }
    guard vocabulary.count > 0 else {
      throw .badField(path: path, field: field, problem: "the vocabulary is empty")
    }
  }

  private mutating func addScored(_ piece: JSONValue, id: Int) throws(CheckpointError) {
    let field = "model.vocab[\(id)]"
    guard let pair = piece.array, pair.count == 2, let text = pair[0].string,
      let score = pair[1].double, score.magnitude < 1e30
    else {
      throw .badField(path: path, field: field, problem: "expected a piece and its score")
    }
    let entry = VocabularyEntry(text: Array(text.utf8), flags: .isPiece, score: Float(score))
    try vocabulary.add(entry, id: .number(JSONNumber(id)), field: field)
  }

  // MARK: - Added tokens

  private mutating func readAddedTokens() throws(CheckpointError) {
    guard let tokens = json["added_tokens"], !tokens.isNull else { return }
    guard let tokens = tokens.array else {
      throw .badField(path: path, field: "added_tokens", problem: "expected an array")
    }
    for (index, token) in tokens.enumerated() {
      let field = "added_tokens[\(index)]"
      guard let content = token["content"]?.string, let id = token["id"] else {
        throw .badField(path: path, field: field, problem: "expected content and id")
      }
      try vocabulary.addToken(content, id: id, AddedTokenFields(token), field: field)
    }
  }

  private mutating func readConfiguredTokens() throws(CheckpointError) {
    for token in try files.configuredTokens() {
      try vocabulary.addToken(token.content, id: token.id, token.fields, field: token.field)
    }
    if let tokens = files.addedTokens?.json.object {
      for (content, id) in tokens.entries where vocabulary.id(of: content) == nil {
        try vocabulary.addToken(content, id: id, AddedTokenFields(), field: "added_tokens.json")
      }
    }
    for role in ["bos_token", "eos_token", "unk_token", "pad_token"] {
      guard let name = files.tokenName(role), let id = vocabulary.id(of: name) else { continue }
      // A token with a role is special even where the list of added tokens forgets it.
      guard vocabulary.entries[id]?.added == nil else { continue }
      vocabulary.markAdded(id, .special)
    }
  }
}

extension TokenizerFiles {
  /// The text of the token with a role such as `bos_token`, or nil.
  func tokenName(_ role: String) -> String? {
    for file in [configuration, specialTokens] {
      guard let value = file?.json[role] else { continue }
      if let name = value.string ?? value["content"]?.string, !name.isEmpty { return name }
    }
    return nil
  }

  /// The tokens of `added_tokens_decoder`, by rising id.
  ///
  /// - Throws: `CheckpointError.badField` naming the entry.
  func configuredTokens() throws(CheckpointError) -> [(
    content: String, id: JSONValue, fields: AddedTokenFields, field: String
  )] {
    guard let configuration, let decoder = configuration.json["added_tokens_decoder"]?.object else {
      return []
    }
    var tokens: [(content: String, id: JSONValue, fields: AddedTokenFields, field: String)] = []
    for (key, token) in decoder.entries.sorted(by: { Int($0.key) ?? 0 < Int($1.key) ?? 0 }) {
      let field = "added_tokens_decoder.\(key.printable(limit: 20))"
      guard let content = token["content"]?.string, let id = Int(key) else {
        throw .badField(
          path: configuration.path,
          field: field,
          problem: "expected an id with the token's content",
        )
      }
      tokens.append((content, .number(JSONNumber(id)), AddedTokenFields(token), field))
    }
    return tokens
  }
}
