// SPDX-License-Identifier: Apache-2.0
// The tables that every kind of tokenizer has: texts, flags, the index of pieces, added tokens.

import SEAFormat
import SEATensor
import SEAText

/// The tables of a vocabulary.
struct PieceTables {
  let path: String
  let entries: [VocabularyEntry]
  private var pool: [UInt8] = []
  private var offsets: [UInt8] = []
  private(set) var flags: [PieceFlags] = []
  private var index: [UInt8] = []
  private var indexProbe = 1
  /// Ids of added tokens in the order in which they are added.
  private let addedOrder: [Int]

  var count: Int { entries.count }

  /// Tables of the tokens of `vocabulary`.
  ///
  /// - Parameters:
  ///   - vocabulary: every token.
  ///   - names: texts of the tokens with a role.
  /// - Throws: `CheckpointError.badField` for a gap in the ids or more than 4 GiB of text.
  init(_ vocabulary: Vocabulary, roles names: [String]) throws(CheckpointError) {
    path = vocabulary.path
    entries = try vocabulary.all()
    addedOrder = vocabulary.addedOrder
    let roles = names.map { Array($0.utf8) }
    append(0, to: &offsets)
    for entry in entries {
      pool += entry.text
      guard let end = UInt32(exactly: pool.count) else {
        throw .badField(path: path, field: "model.vocab", problem: "more than 4 GiB of text")
      }
      append(end, to: &offsets)
      flags.append(Self.flags(entry, roles: roles))
    }
    let ids = entries.indices.filter { entries[$0].isPiece }.map { Int32($0) }
    let built = PieceIndexBuilder.build(ids) { [entries] id in entries[Int(id)].text[...] }
    index = built.bytes
    indexProbe = built.longestProbe
  }

  private static func flags(_ entry: VocabularyEntry, roles: [[UInt8]]) -> PieceFlags {
    var flags = entry.flags
    if entry.added != nil { flags.insert(.isAdded) }
    if entry.added?.isSpecial == true { flags.insert(.special) }
    if isControl(entry, roles: roles) { flags.insert(.control) }
    return flags
  }

  /// Whether a token steers the model, so that a user's text must not make it.
  ///
  /// Beside tokens marked special these are the added tokens with a role, with a name that other
  /// files of the family give a role, or that a template writes.
  private static func isControl(_ entry: VocabularyEntry, roles: [[UInt8]]) -> Bool {
    if entry.flags.contains(.control) { return true }
    guard let added = entry.added else {
      return entry.flags.contains(.isSymbol) && Self.names.contains(entry.text)
    }
    return added.isSpecial || names.contains(entry.text) || roles.contains(entry.text)
  }

  private static let names: Set<[UInt8]> = Set(
    (["<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>"] + Template.marks).map { Array($0.utf8) }
  )

  /// Finds pieces.
  var lookup: PieceLookup {
    PieceLookup(pool: pool, offsets: offsets, index: index, probeLimit: indexProbe)
  }

  /// The filter of what pieces start with.
  func prefixes() -> [UInt8] {
    PrefixFilterBuilder.build(entries.filter(\.isPiece).map { $0.text[...] })
  }

  /// The added tokens; normalised ones are sought as `normalize` makes them.
  ///
  /// - Throws: what `normalize` throws.
  func addedTokens(
    _ normalize: ([UInt8]) throws(CheckpointError) -> [UInt8]
  ) throws(CheckpointError) -> [AddedToken] {
    var special: [AddedToken] = []
    var other: [AddedToken] = []
    for id in addedOrder {
      let entry = entries[id]
      guard let fields = entry.added else { continue }
      var options: AddedToken.Options = []
      if fields.singleWord { options.insert(.singleWord) }
      if fields.stripsLeft { options.insert(.stripsLeft) }
      if fields.stripsRight { options.insert(.stripsRight) }
      if fields.isNormalized { options.insert(.normalized) }
      if flags[id].contains(.control) { options.insert(.control) }
      let pattern = fields.isNormalized ? try normalize(entry.text) : entry.text
      let token = AddedToken(id: Int32(id), options: options, pattern: pattern)
      // Of equal patterns the special one is found, as in the reference.
      if fields.isSpecial { special.append(token) } else { other.append(token) }
    }
    return special + other
  }

  /// All tables of a tokenizer, opened once as the runtime will.
  ///
  /// - Parameters:
  ///   - settings: the settings, with the longest search of the tables in `others`.
  ///   - added: the added tokens.
  ///   - others: the tables of the model.
  /// - Returns: the tables by their names.
  /// - Throws: `CheckpointError` when the runtime refuses them.
  func tables(
    _ settings: TokenizerSettings,
    added: [AddedToken],
    others: [String: [UInt8]]
  ) throws(CheckpointError) -> TokenizerTables {
    var settings = settings
    settings.probeLimit = max(indexProbe, settings.probeLimit)
    guard settings.probeLimit <= 4096 else {
      throw .malformed(path: path, problem: "the vocabulary is built to collide in a hash table")
    }
    var blobs = others
    blobs[TokenizerTables.Name.pool] = pool
    blobs[TokenizerTables.Name.offsets] = offsets
    blobs[TokenizerTables.Name.flags] = flags.map(\.rawValue)
    blobs[TokenizerTables.Name.index] = index
    blobs[TokenizerTables.Name.settings] = Array(settings.json.serialized().utf8)
    blobs[TokenizerTables.Name.added] = AddedTokenTable.build(added)
    let tables = TokenizerTables { [blobs] name in blobs[name].map { ByteView($0) } }
    do throws(TextError) {
      _ = try Tokenizer(tables: tables)
    } catch {
      throw CheckpointError(error, path: path)
    }
    return tables
  }
}

extension CheckpointError {
  /// A fault found by the runtime's own reader, told as the file's.
  init(_ error: TextError, path: String) {
    self =
      switch error {
      case .unsupported: .unsupported(path: path, what: error.description)
      case .badSetting(let field, let problem):
        .badField(path: path, field: field, problem: problem)
      default: .malformed(path: path, problem: error.description)
      }
  }
}
