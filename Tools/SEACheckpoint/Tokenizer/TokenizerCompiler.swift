// SPDX-License-Identifier: Apache-2.0
// tokenizer.json and the files beside it, compiled into the tables that the runtime maps.

import SEAFormat
import SEATensor
package import SEAText

/// Compiles tokenizer files.
///
/// The same files give the same bytes. What comes out has been opened once, so a model file never
/// holds a tokenizer that the runtime refuses.
package struct TokenizerCompiler {
  private let files: TokenizerFiles
  private let vocabulary: VocabularyReader
  private let count: Int
  private var path: String { files.tokenizer.path }

  private var pool: [UInt8] = []
  private var offsets: [UInt8] = []
  private var flags: [UInt8] = []
  private var charsmap: [UInt8]?

  /// The tables for these files.
  ///
  /// - Throws: `CheckpointError` naming the file, the field and what is wrong there.
  package static func compile(_ files: TokenizerFiles) throws(CheckpointError) -> TokenizerTables {
    var compiler = try TokenizerCompiler(files)
    return try compiler.tables()
  }

  private init(_ files: TokenizerFiles) throws(CheckpointError) {
    self.files = files
    vocabulary = try VocabularyReader(files: files)
    count = (vocabulary.entries.lastIndex { $0 != nil } ?? 0) + 1
  }

  private mutating func tables() throws(CheckpointError) -> TokenizerTables {
    try writePieces()
    let (index, indexProbe) = pieceIndex()
    let normalizer = try takeCharsmap(files.tokenizer.json["normalizer"] ?? .null)
    var blobs: [String: [UInt8]] = [
      TokenizerTables.Name.pool: pool,
      TokenizerTables.Name.offsets: offsets,
      TokenizerTables.Name.flags: flags,
      TokenizerTables.Name.index: index,
    ]
    if let charsmap { blobs[TokenizerTables.Name.charsmap] = charsmap }
    let pieces = PieceLookup(pool: pool, offsets: offsets, index: index, probeLimit: indexProbe)
    let built = try model(pieces, &blobs)
    let special = specialTokens()
    let frame = try frame(special)
    let probeLimit = max(indexProbe, built.probe)
    guard probeLimit <= 4096 else {
      throw .malformed(path: path, problem: "the vocabulary is built to collide in a hash table")
    }
    let settings = TokenizerSettings(
      count: count,
      model: built.model,
      normalizer: normalizer,
      preTokenizer: files.tokenizer.json["pre_tokenizer"] ?? .null,
      decoder: files.tokenizer.json["decoder"] ?? .null,
      prefix: frame.prefix,
      suffix: frame.suffix,
      special: special,
      probeLimit: probeLimit,
    )
    blobs[TokenizerTables.Name.settings] = Array(settings.json.serialized().utf8)
    blobs[TokenizerTables.Name.added] = try addedTokens(normalizer)
    let tables = TokenizerTables { name in blobs[name].map { ByteView($0) } }
    do throws(TextError) {
      _ = try Tokenizer(tables: tables)
    } catch {
      throw Self.checkpointError(error, path: path)
    }
    return tables
  }

  /// A fault found by the runtime's own reader, told as the file's.
  private static func checkpointError(_ error: TextError, path: String) -> CheckpointError {
    switch error {
    case .unsupported: .unsupported(path: path, what: error.description)
    case .badSetting(let field, let problem):
      .badField(path: path, field: field, problem: problem)
    default: .malformed(path: path, problem: error.description)
    }
  }
}

// MARK: - Pieces

extension TokenizerCompiler {
  private mutating func writePieces() throws(CheckpointError) {
    append(0, to: &offsets)
    for entry in vocabulary.entries.prefix(count) {
      guard let entry else { continue }
      pool += entry.text
      guard let end = UInt32(exactly: pool.count) else {
        throw .badField(path: path, field: "model.vocab", problem: "more than 4 GiB of text")
      }
      append(end, to: &offsets)
      var bits: PieceFlags = entry.isPiece ? .isPiece : []
      if entry.added != nil { bits.insert(.isAdded) }
      if entry.added?.isSpecial == true { bits.insert(.special) }
      if isControl(entry) { bits.insert(.control) }
      flags.append(bits.rawValue)
    }
  }

  /// Whether a token steers the model, so that a user's text must not make it.
  ///
  /// Beside tokens marked special these are the added tokens with a role or with a name that other
  /// files of the family give a role.
  private func isControl(_ entry: VocabularyEntry) -> Bool {
    guard let added = entry.added else { return false }
    if added.isSpecial { return true }
    let known = ["<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>"]
    let roles = ["bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token"]
    return (known + roles.compactMap { files.tokenName($0) }).contains {
      Array($0.utf8) == entry.text
    }
  }

  private func pieceIndex() -> (bytes: [UInt8], longestProbe: Int) {
    let ids = (0..<count).filter { vocabulary.entries[$0]?.isPiece == true }.map { Int32($0) }
    return PieceIndexBuilder.build(ids) { id in vocabulary.entries[Int(id)]?.text[...] ?? [] }
  }

  private func addedTokens(_ normalizer: JSONValue) throws(CheckpointError) -> [UInt8] {
    var special: [AddedToken] = []
    var other: [AddedToken] = []
    for id in vocabulary.addedOrder {
      guard let entry = vocabulary.entries[id], let fields = entry.added else { continue }
      var options: AddedToken.Options = []
      if fields.singleWord { options.insert(.singleWord) }
      if fields.stripsLeft { options.insert(.stripsLeft) }
      if fields.stripsRight { options.insert(.stripsRight) }
      if fields.isNormalized { options.insert(.normalized) }
      if isControl(entry) { options.insert(.control) }
      var pattern = entry.text
      if fields.isNormalized {
        do throws(TextError) {
          pattern = try TextNormalization.apply(
            normalizer,
            charsmap: charsmap.map { ByteView($0) },
            to: pattern,
          )
        } catch {
          throw Self.checkpointError(error, path: path)
        }
      }
      let token = AddedToken(id: Int32(id), options: options, pattern: pattern)
      // Of equal patterns the special one is found, as in the reference.
      if fields.isSpecial { special.append(token) } else { other.append(token) }
    }
    return AddedTokenTable.build(special + other)
  }
}

// MARK: - Components

extension TokenizerCompiler {
  /// Moves a character map out of the normalizer into a table of its own.
  private mutating func takeCharsmap(_ value: JSONValue) throws(CheckpointError) -> JSONValue {
    guard var object = value.object else { return value }
    if let steps = object["normalizers"]?.array {
      var kept: [JSONValue] = []
      for step in steps { kept.append(try takeCharsmap(step)) }
      object["normalizers"] = .array(kept)
    }
    if let text = object["precompiled_charsmap"]?.string {
      guard charsmap == nil, let bytes = Base64.decode(text) else {
        throw .badField(
          path: path,
          field: "normalizer.precompiled_charsmap",
          problem: "expected one map in base64",
        )
      }
      charsmap = bytes
      object["precompiled_charsmap"] = nil
    }
    return .object(object)
  }

  private func specialTokens() -> TokenizerSettings.SpecialTokens {
    func id(_ role: String) -> Int32? {
      files.tokenName(role).flatMap { vocabulary.id(of: $0) }.map { Int32($0) }
    }
    var special = TokenizerSettings.SpecialTokens()
    special.beginning = id("bos_token")
    special.end = id("eos_token")
    special.padding = id("pad_token")
    let model = files.tokenizer.json["model"]
    if let name = model?["unk_token"]?.string {
      special.unknown = vocabulary.id(of: name).map { Int32($0) }
    } else if let unknown = model?["unk_id"]?.int, (0..<count).contains(unknown) {
      special.unknown = Int32(unknown)
    }
    let stops = files.generation?.json["eos_token_id"]
    let ids = stops?.array ?? stops.map { [$0] } ?? []
    special.stops = ids.compactMap(\.int).filter { (0..<count).contains($0) }.prefix(64).map {
      Int32($0)
    }
    return special
  }

  /// The ids around a text: the post-processor's, unless the configuration says otherwise.
  private func frame(
    _ special: TokenizerSettings.SpecialTokens
  ) throws(CheckpointError) -> TextFrame {
    var frame = try TextFrame(files.tokenizer.json["post_processor"], path: path)
    guard let configuration = files.configuration else { return frame }
    // These families frame every text, whatever the two keys say.
    let name = configuration.json["tokenizer_class"]?.string ?? ""
    if ["CLIP", "Siglip", "T5"].contains(where: { name.hasPrefix($0) }) { return frame }
    if let adds = configuration.json["add_bos_token"]?.bool {
      frame.prefix = adds ? [try role(special.beginning, "bos_token", configuration)] : []
    }
    if let adds = configuration.json["add_eos_token"]?.bool {
      frame.suffix = adds ? [try role(special.end, "eos_token", configuration)] : []
    }
    return frame
  }

  private func role(
    _ id: Int32?,
    _ name: String,
    _ configuration: TokenizerFiles.File
  ) throws(CheckpointError) -> Int32 {
    guard let id else {
      throw .badField(
        path: configuration.path,
        field: name,
        problem: "add_\(name) is true and the vocabulary has no such token",
      )
    }
    return id
  }
}

// MARK: - Models

extension TokenizerCompiler {
  private typealias BuiltModel = (model: TokenizerSettings.Model, probe: Int)

  private func model(
    _ pieces: PieceLookup,
    _ blobs: inout [String: [UInt8]]
  ) throws(CheckpointError) -> BuiltModel {
    guard let model = files.tokenizer.json["model"] else {
      throw .badField(path: path, field: "model", problem: "missing")
    }
    let name = model["type"]?.string ?? (model["merges"] == nil ? "" : "BPE")
    switch name {
    case "BPE": return try bytePair(model, pieces, &blobs)
    case "Unigram": return try unigram(model, &blobs)
    default: throw .unsupported(path: path, what: "model.type '\(name.printable())'")
    }
  }

  private func bytePair(
    _ model: JSONValue,
    _ pieces: PieceLookup,
    _ blobs: inout [String: [UInt8]]
  ) throws(CheckpointError) -> BuiltModel {
    if let prefix = model["continuing_subword_prefix"]?.string, !prefix.isEmpty {
      throw .unsupported(path: path, what: "model.continuing_subword_prefix")
    }
    if let dropout = model["dropout"]?.double, dropout != 0 {
      throw .unsupported(path: path, what: "model.dropout (ids would be random)")
    }
    var options = TokenizerSettings.BytePair()
    options.ignoresMerges = model["ignore_merges"]?.bool ?? false
    options.hasByteFallback = model["byte_fallback"]?.bool ?? false
    options.fusesUnknown = model["fuse_unk"]?.bool ?? false
    options.wordSuffix = model["end_of_word_suffix"]?.string ?? ""
    options.isByteLevel = try isByteLevel(files.tokenizer.json["pre_tokenizer"] ?? .null)
    if let name = model["unk_token"]?.string, vocabulary.id(of: name) == nil {
      throw .badField(
        path: path,
        field: "model.unk_token",
        problem: "the vocabulary has no '\(name.printable())'",
      )
    }
    let merges = try MergeReader(path: path, pieces: pieces).read(model["merges"])
    let canCut =
      !options.isByteLevel && !options.ignoresMerges && options.wordSuffix.isEmpty
    if canCut, let joints = joints(merges, pieces, options) {
      blobs[TokenizerTables.Name.joints] = joints.bits
      options.hasJoints = true
    }
    let made = merges.map(\.id) + (options.ignoresMerges ? Array(0..<Int32(count)) : [])
    options.makesControl = made.contains {
      PieceFlags(rawValue: flags[Int($0)]).isSuperset(of: [.control, .isPiece])
    }
    let table = MergeTableBuilder.build(merges)
    blobs[TokenizerTables.Name.merges] = table.bytes
    return (.bytePair(options), table.longestProbe)
  }

  /// Whether the model's symbols are bytes: the step that makes them so comes last.
  private func isByteLevel(_ value: JSONValue) throws(CheckpointError) -> Bool {
    if value["type"]?.string == "ByteLevel" { return true }
    guard let steps = value["pretokenizers"]?.array, let last = steps.last else { return false }
    for step in steps.dropLast() where try isByteLevel(step) {
      throw .unsupported(path: path, what: "a pre_tokenizer step after ByteLevel")
    }
    return try isByteLevel(last)
  }

  /// Which neighbours merges may join, or nil where cutting cannot be proved harmless.
  ///
  /// A merge result is its two sides written together, so it shows the neighbours at its joint. Two
  /// kinds of tokens stand for text that is not their own: byte tokens and the unknown token. Where a
  /// merge has one as a side, nothing is proved. Unknown characters that fuse must not be cut apart
  /// either; with a token for every byte there are none.
  private func joints(
    _ merges: [(left: Int32, right: Int32, id: Int32)],
    _ pieces: PieceLookup,
    _ options: TokenizerSettings.BytePair
  ) -> Joints? {
    var stands = [Bool](repeating: false, count: count)
    var byteTokens = 0
    for byte in 0..<256 {
      let digits = Array("0123456789ABCDEF".utf8)
      let name = Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15], UInt8(ascii: ">")]
      guard let id = pieces.find(name) else { continue }
      stands[Int(id)] = true
      byteTokens += 1
    }
    guard options.hasByteFallback, byteTokens == 256 else { return nil }
    if let name = files.tokenizer.json["model"]?["unk_token"]?.string,
      let id = vocabulary.id(of: name)
    {
      stands[id] = true
    }
    var joints = Joints()
    for merge in merges {
      guard !stands[Int(merge.left)], !stands[Int(merge.right)],
        let piece = vocabulary.entries[Int(merge.id)]
      else { return nil }
      joints.join(allOf: piece.text)
    }
    return joints
  }

  private func unigram(
    _ model: JSONValue,
    _ blobs: inout [String: [UInt8]]
  ) throws(CheckpointError) -> BuiltModel {
    if let value = model["unk_id"], !value.isNull {
      guard let unknown = value.int, (0..<count).contains(unknown) else {
        throw .badField(path: path, field: "model.unk_id", problem: "expected an id below \(count)")
      }
    }
    var options = TokenizerSettings.Unigram()
    options.hasByteFallback = model["byte_fallback"]?.bool ?? false
    var scores: [UInt8] = []
    for case .some(let entry) in vocabulary.entries.prefix(count) {
      append(entry.score.bitPattern, to: &scores)
      guard entry.isPiece else { continue }
      options.longestPiece = max(options.longestPiece, entry.text.count)
      options.lowestScore = min(options.lowestScore, entry.score)
    }
    guard options.longestPiece <= 1 << 16 else {
      throw .badField(path: path, field: "model.vocab", problem: "a piece is longer than 64 KiB")
    }
    blobs[TokenizerTables.Name.scores] = scores
    return (.unigram(options), 1)
  }
}
