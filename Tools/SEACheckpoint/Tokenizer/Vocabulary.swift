// SPDX-License-Identifier: Apache-2.0
// Every token of a tokenizer with its id: no id twice, none missing, none out of range.

import SEAFormat
import SEAText

/// A token of a model's vocabulary or an added one.
struct VocabularyEntry {
  var text: [UInt8]
  /// What is known of it as a piece of the model.
  var flags: PieceFlags = []
  var score: Float = 0
  var added: AddedTokenFields?

  var isPiece: Bool { flags.contains(.isPiece) }
}

/// The flags of an added token.
struct AddedTokenFields: Equatable {
  var singleWord = false
  var stripsLeft = false
  var stripsRight = false
  var isNormalized = true
  var isSpecial = false

  /// The flags of a special token that takes nothing along.
  static let special = AddedTokenFields(isNormalized: false, isSpecial: true)
}

extension AddedTokenFields {
  /// Reads an added token; absent flags are as in the reference library.
  init(_ token: JSONValue) {
    isSpecial = token["special"]?.bool ?? false
    singleWord = token["single_word"]?.bool ?? false
    stripsLeft = token["lstrip"]?.bool ?? false
    stripsRight = token["rstrip"]?.bool ?? false
    isNormalized = token["normalized"]?.bool ?? !isSpecial
  }
}

/// Tokens by id while they are gathered from several files.
struct Vocabulary {
  /// The file to name in messages.
  let path: String
  /// Entries by id; nil where no token has been seen yet.
  private(set) var entries: [VocabularyEntry?] = []
  /// Ids of added tokens in the order in which they are added.
  private(set) var addedOrder: [Int] = []
  /// Id of each text.
  private var ids = ByteDictionary()

  init(path: String) {
    self.path = path
  }

  /// One more than the highest id.
  var count: Int { (entries.lastIndex { $0 != nil } ?? -1) + 1 }

  /// The id of a token's text, or nil.
  func id(of text: String) -> Int? {
    ids[Array(text.utf8)]
  }

  /// The id of a token's bytes, or nil.
  func id(of text: [UInt8]) -> Int? {
    ids[text]
  }

  /// Adds a token.
  ///
  /// - Throws: `CheckpointError.badField` when the id or the text is taken, or the id is no id.
  mutating func add(
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

  /// Adds an added token, or makes a token that is there an added one.
  ///
  /// - Throws: `CheckpointError.badField` as `add`, or when its text is empty or too long.
  mutating func addToken(
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
      markAdded(known, fields)
    } else {
      try add(VocabularyEntry(text: text, added: fields), id: value, field: field)
      if let id = value.int { addedOrder.append(id) }
    }
  }

  /// Makes a token that is there an added one.
  mutating func markAdded(_ id: Int, _ fields: AddedTokenFields) {
    if entries[id]?.added == nil { addedOrder.append(id) }
    entries[id]?.added = fields
  }

  /// Notes that a token has a role.
  mutating func markRole(_ id: Int) {
    entries[id]?.flags.insert(.hasRole)
  }

  /// Every token by its id.
  ///
  /// - Throws: `CheckpointError.badField` naming the first id without a token.
  func all() throws(CheckpointError) -> [VocabularyEntry] {
    var all: [VocabularyEntry] = []
    let count = count
    all.reserveCapacity(count)
    for (id, entry) in entries.prefix(count).enumerated() {
      guard let entry else {
        throw .badField(
          path: path,
          field: "model.vocab",
          problem: "no token has id \(id), while ids go up to \(count - 1)",
        )
      }
      all.append(entry)
    }
    return all
  }
}
