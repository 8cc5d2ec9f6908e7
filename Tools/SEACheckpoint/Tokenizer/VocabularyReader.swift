// SPDX-License-Identifier: Apache-2.0
// Every token of a tokenizer file with its id: no id twice, none missing, none out of range.

import SEAFormat
import SEAText

/// A token of the file's vocabulary or of its added tokens.
struct VocabularyEntry {
  var text: [UInt8]
  var isPiece = false
  var score: Float = 0
  var added: AddedTokenFields?
}

/// The flags of an added token.
struct AddedTokenFields: Equatable {
  var singleWord = false
  var stripsLeft = false
  var stripsRight = false
  var isNormalized = true
  var isSpecial = false
}

/// Reads the vocabulary of `tokenizer.json` and what the files beside it add.
struct VocabularyReader {
  private let files: TokenizerFiles
  private var path: String { files.tokenizer.path }
  /// Entries by id; nil where no token has been seen yet.
  private(set) var entries: [VocabularyEntry?] = []
  /// Ids of added tokens in the order in which they are added.
  private(set) var addedOrder: [Int] = []
  /// Id of each text.
  private var ids = ByteDictionary()

  init(files: TokenizerFiles) throws(CheckpointError) {
    self.files = files
    try readPieces()
    try readAddedTokens()
    try readConfiguredTokens()
    try checkGaps()
  }

  /// The id of a token's text, or nil.
  func id(of text: String) -> Int? {
    ids[Array(text.utf8)]
  }

  // MARK: - Pieces

  private mutating func readPieces() throws(CheckpointError) {
    let vocabulary = files.tokenizer.json["model"]?["vocab"]
    if let pieces = vocabulary?.object {
      entries.reserveCapacity(pieces.count)
      for (text, id) in pieces.entries {
        try add(
          VocabularyEntry(text: Array(text.utf8), isPiece: true),
          id: id,
          field: "model.vocab"
        )
      }
    } else if let pieces = vocabulary?.array {
      for (id, piece) in pieces.enumerated() {
        try addScored(piece, id: id)
      }
    } else {
      throw .badField(
        path: path,
        field: "model.vocab",
        problem: "expected the pieces and their ids"
      )
    }
    guard !entries.isEmpty else {
      throw .badField(path: path, field: "model.vocab", problem: "the vocabulary is empty")
    }
  }

  private mutating func addScored(_ piece: JSONValue, id: Int) throws(CheckpointError) {
    let field = "model.vocab[\(id)]"
    guard let pair = piece.array, pair.count == 2, let text = pair[0].string,
      let score = pair[1].double, score.magnitude < 1e30
    else {
      throw .badField(path: path, field: field, problem: "expected a piece and its score")
    }
    let entry = VocabularyEntry(text: Array(text.utf8), isPiece: true, score: Float(score))
    try add(entry, id: .number(JSONNumber(id)), field: field)
  }

  private mutating func add(
    _ entry: VocabularyEntry,
    id value: JSONValue,
    field: String
  ) throws(CheckpointError) {
    let name = String(decoding: entry.text, as: UTF8.self).printable(limit: 40)
    guard let id = value.int, (0..<TokenizerSettings.maximumCount).contains(id) else {
      throw .badField(
        path: path,
        field: field,
        problem:
          "token '\(name)' has an id that is no integer in 0..<\(TokenizerSettings.maximumCount)",
      )
    }
    // Ids beyond twice the number of tokens can only leave a gap; do not make room for them.
    while entries.count <= id, entries.count < (ids.count + 1) * 2 + 1024 { entries.append(nil) }
    guard id < entries.count else {
      throw .badField(
        path: path,
        field: field,
        problem: "token '\(name)' has id \(id), far beyond the \(ids.count) tokens before it",
      )
    }
    if let other = entries[id] {
      let otherName = String(decoding: other.text, as: UTF8.self).printable(limit: 40)
      throw .badField(
        path: path,
        field: field,
        problem: "tokens '\(otherName)' and '\(name)' have the same id \(id)",
      )
    }
    guard ids.insert(entry.text, id) else {
      throw .badField(path: path, field: field, problem: "token '\(name)' appears twice")
    }
    entries[id] = entry
  }

  private func checkGaps() throws(CheckpointError) {
    let last = entries.lastIndex { $0 != nil } ?? 0
    if let gap = entries[...last].firstIndex(where: { $0 == nil }) {
      throw .badField(
        path: path,
        field: "model.vocab",
        problem: "no token has id \(gap), while ids go up to \(last)",
      )
    }
  }

  // MARK: - Added tokens

  private mutating func readAddedTokens() throws(CheckpointError) {
    guard let tokens = files.tokenizer.json["added_tokens"], !tokens.isNull else { return }
    guard let tokens = tokens.array else {
      throw .badField(path: path, field: "added_tokens", problem: "expected an array")
    }
    for (index, token) in tokens.enumerated() {
      let field = "added_tokens[\(index)]"
      guard let content = token["content"]?.string, let id = token["id"] else {
        throw .badField(path: path, field: field, problem: "expected content and id")
      }
      try addToken(content, id: id, Self.fields(token), field: field)
    }
  }

  /// The flags of an added token; absent ones are as in the reference library.
  private static func fields(_ token: JSONValue) -> AddedTokenFields {
    let isSpecial = token["special"]?.bool ?? false
    return AddedTokenFields(
      singleWord: token["single_word"]?.bool ?? false,
      stripsLeft: token["lstrip"]?.bool ?? false,
      stripsRight: token["rstrip"]?.bool ?? false,
      isNormalized: token["normalized"]?.bool ?? !isSpecial,
      isSpecial: isSpecial,
    )
  }

  private mutating func addToken(
    _ content: String,
    id value: JSONValue,
    _ fields: AddedTokenFields,
    field: String
  ) throws(CheckpointError) {
    let text = Array(content.utf8)
    guard !text.isEmpty, text.count <= AddedTokenTable.maximumPattern else {
      throw .badField(
        path: path,
        field: field,
        problem: "content has \(text.count) bytes, expected 1...\(AddedTokenTable.maximumPattern)",
      )
    }
    if let known = ids[text] {
      guard value.int == known else {
        throw .badField(
          path: path,
          field: field,
          problem: "'\(content.printable(limit: 40))' has another id here than before: \(known)",
        )
      }
      if entries[known]?.added == nil { addedOrder.append(known) }
      entries[known]?.added = fields
    } else {
      try add(VocabularyEntry(text: text, added: fields), id: value, field: field)
      if let id = value.int { addedOrder.append(id) }
    }
  }

  // MARK: - Tokens that other files name

  private mutating func readConfiguredTokens() throws(CheckpointError) {
    if let decoder = files.configuration?.json["added_tokens_decoder"]?.object {
      for (key, token) in decoder.entries.sorted(by: { Int($0.key) ?? 0 < Int($1.key) ?? 0 }) {
        let field = "added_tokens_decoder.\(key.printable(limit: 20))"
        guard let content = token["content"]?.string, let id = Int(key) else {
          throw .badField(
            path: files.configuration?.path ?? path,
            field: field,
            problem: "expected an id with the token's content",
          )
        }
        try addToken(content, id: .number(JSONNumber(id)), Self.fields(token), field: field)
      }
    }
    if let tokens = files.addedTokens?.json.object {
      for (content, id) in tokens.entries where ids[Array(content.utf8)] == nil {
        try addToken(content, id: id, AddedTokenFields(), field: "added_tokens.json")
      }
    }
    for role in ["bos_token", "eos_token", "unk_token", "pad_token"] {
      guard let name = files.tokenName(role), let id = ids[Array(name.utf8)] else { continue }
      // A token with a role is special even where the list of added tokens forgets it.
      guard entries[id]?.added == nil else { continue }
      entries[id]?.added = AddedTokenFields(isNormalized: false, isSpecial: true)
      addedOrder.append(id)
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
}
