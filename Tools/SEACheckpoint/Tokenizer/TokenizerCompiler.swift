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
  private let tokenizer: TokenizerFiles.File
  private let tables: PieceTables
  private var count: Int { tables.count }
  private var path: String { tokenizer.path }

  /// Id of the text of each token with a role.
  private let special: TokenizerSettings.SpecialTokens
  private var charsmap: [UInt8]?

  /// The tables for these files.
  ///
  /// - Throws: `CheckpointError` naming the file, the field and what is wrong there.
  package static func compile(_ files: TokenizerFiles) throws(CheckpointError) -> TokenizerTables {
    switch files.source {
    case .json(let file):
      var compiler = try TokenizerCompiler(files, file)
      return try compiler.compile()
    case .sentencePiece(let model):
      return try SentencePieceCompiler.compile(files, model)
    }
  }

  private init(
    _ files: TokenizerFiles,
    _ tokenizer: TokenizerFiles.File
  ) throws(CheckpointError) {
    self.files = files
    self.tokenizer = tokenizer
    let vocabulary = try VocabularyReader.read(files, tokenizer)
    let roles = ["bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token"]
    tables = try PieceTables(vocabulary, roles: roles.compactMap { files.tokenName($0) })
    special = Self.specialTokens(files, tokenizer, vocabulary)
  }

  private mutating func compile() throws(CheckpointError) -> TokenizerTables {
    let normalizer = try takeCharsmap(tokenizer.json["normalizer"] ?? .null)
    var others: [String: [UInt8]] = [:]
    if let charsmap { others[TokenizerTables.Name.charsmap] = charsmap }
    let built = try model(tables.lookup, &others)
    let frame = try frame(special)
    let settings = TokenizerSettings(
      count: count,
      model: built.model,
      normalizer: normalizer,
      preTokenizer: tokenizer.json["pre_tokenizer"] ?? .null,
      decoder: tokenizer.json["decoder"] ?? .null,
      prefix: frame.prefix,
      suffix: frame.suffix,
      special: special,
      probeLimit: built.probe,
    )
    let map = charsmap.map { ByteView($0) }
    let path = path
    let added = try tables.addedTokens { text throws(CheckpointError) in
      do throws(TextError) {
        return try TextNormalization.apply(normalizer, charsmap: map, to: text)
      } catch {
        throw CheckpointError(error, path: path)
      }
    }
    return try tables.tables(settings, added: added, others: others)
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

  private static func specialTokens(
    _ files: TokenizerFiles,
    _ tokenizer: TokenizerFiles.File,
    _ vocabulary: Vocabulary
  ) -> TokenizerSettings.SpecialTokens {
    func id(_ role: String) -> Int32? {
      files.tokenName(role).flatMap { vocabulary.id(of: $0) }.map { Int32($0) }
    }
    var special = TokenizerSettings.SpecialTokens()
    special.beginning = id("bos_token")
    special.end = id("eos_token")
    special.padding = id("pad_token")
    let model = tokenizer.json["model"]
    if let name = model?["unk_token"]?.string {
      special.unknown = vocabulary.id(of: name).map { Int32($0) }
    } else if let unknown = model?["unk_id"]?.int, (0..<vocabulary.count).contains(unknown) {
      special.unknown = Int32(unknown)
    }
    special.stops = files.stopIDs(below: vocabulary.count)
    return special
  }

  /// The ids around a text: the post-processor's, unless the configuration says otherwise.
  private func frame(
    _ special: TokenizerSettings.SpecialTokens
  ) throws(CheckpointError) -> TextFrame {
    var frame = try TextFrame(tokenizer.json["post_processor"], path: path)
    guard let configuration = files.configuration else { return frame }
    // These families frame every text, whatever the two keys say.
    let name = files.tokenizerClass ?? ""
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
    guard let model = tokenizer.json["model"] else {
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
    options.isByteLevel = try isByteLevel(tokenizer.json["pre_tokenizer"] ?? .null)
    if let name = model["unk_token"]?.string, special.unknown == nil {
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
      tables.flags[Int($0)].isSuperset(of: [.control, .isPiece])
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
    _ merges: [Merge],
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
    if let unknown = special.unknown { stands[Int(unknown)] = true }
    var joints = Joints()
    for merge in merges {
      guard !stands[Int(merge.left)], !stands[Int(merge.right)] else { return nil }
      joints.join(allOf: tables.entries[Int(merge.id)].text)
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
    for entry in tables.entries {
      append(entry.score.bitPattern, to: &scores)
      guard entry.isPiece else { continue }
      options.longestPiece = max(options.longestPiece, entry.text.count)
      options.lowestScore = min(options.lowestScore, entry.score)
    }
    guard options.longestPiece <= 1 << 16 else {
      throw .badField(path: path, field: "model.vocab", problem: "a piece is longer than 64 KiB")
    }
    blobs[TokenizerTables.Name.scores] = scores
    blobs[TokenizerTables.Name.prefixes] = tables.prefixes()
    return (.unigram(options), 1)
  }
}
