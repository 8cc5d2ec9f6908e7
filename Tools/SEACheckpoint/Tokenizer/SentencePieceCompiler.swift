// SPDX-License-Identifier: Apache-2.0
// A SentencePiece model and the files beside it, compiled into the tables that the runtime maps.

import SEAFormat
import SEATensor
import SEAText

/// Compiles a SentencePiece model to the ids of the library that wraps it.
struct SentencePieceCompiler {
  private let model: SentencePieceModel
  private let usage: SentencePieceUsage
  private let files: TokenizerFiles
  private let tables: PieceTables
  private var path: String { model.path }

  /// The tables for these files.
  ///
  /// - Throws: `CheckpointError` naming the file, the field and what is wrong there.
  static func compile(
    _ files: TokenizerFiles,
    _ model: SentencePieceModel
  ) throws(CheckpointError) -> TokenizerTables {
    try SentencePieceCompiler(files, model).compile()
  }

  private init(_ files: TokenizerFiles, _ model: SentencePieceModel) throws(CheckpointError) {
    self.model = model
    self.files = files
    usage = try SentencePieceUsage(files)
    var vocabulary = Vocabulary(path: model.path)
    for (id, piece) in model.pieces.enumerated() {
      let entry = VocabularyEntry(
        text: piece.text,
        flags: Self.flags(piece.kind),
        score: piece.score,
      )
      try vocabulary.add(entry, id: .number(JSONNumber(id)), field: "pieces[\(id)]")
    }
    try usage.addTokens(to: &vocabulary)
    tables = try PieceTables(vocabulary, roles: usage.roles.map(\.content))
  }

  private static func flags(_ kind: SentencePieceModel.Kind) -> PieceFlags {
    switch kind {
    case .normal: .isPiece
    case .userDefined: [.isPiece, .isSymbol]
    case .unused: [.isPiece, .isUnused]
    case .byte: [.isPiece, .isInert]
    case .unknown, .control: [.isPiece, .isInert, .control, .special]
    }
  }

  private func compile() throws(CheckpointError) -> TokenizerTables {
    var rules = try usage.rules(model)
    var others: [String: [UInt8]] = [:]
    if !model.normalizer.charsmap.isEmpty {
      others[TokenizerTables.Name.charsmap] = model.normalizer.charsmap
    }
    let built = try build(&others)
    let added = try added()
    guard !rules.shield.isEmpty else {
      return try tables.tables(try settings(rules, built), added: added, others: others)
    }
    // The model itself tells how many tokens the shield has.
    var plain = SentencePieceRules()
    plain.addsDummyPrefix = rules.addsDummyPrefix
    plain.removesExtraSpaces = rules.removesExtraSpaces
    plain.escapesSpaces = rules.escapesSpaces
    plain.marksWordEnds = rules.marksWordEnds
    let bare = try tables.tables(try settings(plain, built), added: added, others: others)
    let tokenizer: Tokenizer
    do throws(TextError) {
      tokenizer = try Tokenizer(tables: bare)
    } catch {
      throw CheckpointError(error, path: path)
    }
    rules.shieldTokens =
      tokenizer.encode(rules.shield, recognizesSpecial: false, addsTemplate: false).count
    return try tables.tables(try settings(rules, built), added: added, others: others)
  }

  // MARK: - Settings

  private func settings(
    _ rules: SentencePieceRules,
    _ built: (model: TokenizerSettings.Model, probe: Int)
  ) throws(CheckpointError) -> TokenizerSettings {
    var special = TokenizerSettings.SpecialTokens()
    special.beginning = id("bos_token")
    special.end = id("eos_token")
    special.padding = id("pad_token")
    special.unknown = model.unknown.map { Int32($0) }
    special.stops = files.stopIDs(below: tables.count)
    let frame = try usage.frame()
    return TokenizerSettings(
      count: tables.count,
      model: built.model,
      normalizer: .null,
      preTokenizer: .null,
      decoder: .null,
      sentencePiece: rules,
      prefix: frame.addsBeginning ? [try required(special.beginning, "bos_token")] : [],
      suffix: frame.addsEnd ? [try required(special.end, "eos_token")] : [],
      special: special,
      probeLimit: built.probe,
    )
  }

  private func id(_ role: String) -> Int32? {
    guard let name = usage.name(role) else { return nil }
    return tables.entries.firstIndex { $0.text == Array(name.utf8) }.map { Int32($0) }
  }

  private func required(_ id: Int32?, _ role: String) throws(CheckpointError) -> Int32 {
    guard let id else {
      throw .badField(
        path: files.configuration?.path ?? path,
        field: role,
        problem: "every text gets this token, and there is none",
      )
    }
    return id
  }

  // MARK: - Added tokens

  /// The tokens that are looked for in text: added ones in the text as it is, symbols in what the
  /// normaliser makes of it.
  ///
  /// A symbol that marks turns is looked for in the text as it is, where it is known who wrote it.
  private func added() throws(CheckpointError) -> [AddedToken] {
    var added = try tables.addedTokens { bytes throws(CheckpointError) in bytes }
    for index in added.indices { added[index].options.remove(.normalized) }
    let rawIDs = Set(added.map(\.id))
    for (id, entry) in tables.entries.enumerated() where entry.flags.contains(.isSymbol) {
      guard entry.text.count <= AddedTokenTable.maximumPattern else {
        throw .badField(
          path: path,
          field: "pieces[\(id)]",
          problem: "a user-defined piece of \(entry.text.count) bytes, "
            + "expected at most \(AddedTokenTable.maximumPattern)",
        )
      }
      let isControl = tables.flags[id].contains(.control)
      if isControl, !rawIDs.contains(Int32(id)) {
        added.append(AddedToken(id: Int32(id), options: .control, pattern: entry.text))
      }
      var options: AddedToken.Options = [.symbol, .normalized]
      if isControl || model.algorithm == .unigram { options.insert(.found) }
      added.append(AddedToken(id: Int32(id), options: options, pattern: entry.text))
    }
    return added
  }

  // MARK: - Models

  private func build(
    _ others: inout [String: [UInt8]]
  ) throws(CheckpointError) -> (model: TokenizerSettings.Model, probe: Int) {
    switch model.algorithm {
    case .unigram: (try unigram(&others), 1)
    case .bytePair: try bytePair(&others)
    }
  }

  private func unigram(
    _ others: inout [String: [UInt8]]
  ) throws(CheckpointError) -> TokenizerSettings.Model {
    let normal = model.pieces.filter { $0.kind == .normal }.map(\.score)
    guard let lowest = normal.min() else {
      throw .malformed(path: path, problem: "no piece of type normal")
    }
    var options = TokenizerSettings.Unigram()
    options.isSinglePrecision = true
    options.hasByteFallback = model.hasByteFallback
    options.lowestScore = lowest
    options.longestPiece = model.pieces.map(\.text.count).max() ?? 0
    var scores: [UInt8] = []
    for entry in tables.entries { append(entry.score.bitPattern, to: &scores) }
    others[TokenizerTables.Name.scores] = scores
    others[TokenizerTables.Name.prefixes] = tables.prefixes()
    return .unigram(options)
  }

  private func bytePair(
    _ others: inout [String: [UInt8]]
  ) throws(CheckpointError) -> (model: TokenizerSettings.Model, probe: Int) {
    var options = TokenizerSettings.BytePair()
    options.hasByteFallback = model.hasByteFallback
    options.fusesUnknown = true
    let merges = try SentencePieceMerges(model).all()
    options.makesUnused = merges.contains { tables.flags[Int($0.id)].contains(.isUnused) }
    options.makesControl = tables.entries.indices.contains {
      tables.flags[$0].isSuperset(of: [.control, .isPiece])
        && String(decoding: tables.entries[$0].text, as: UTF8.self).unicodeScalars.count == 1
    }
    // Characters that become bytes are cut apart without harm; fused unknown ones are not.
    if options.hasByteFallback, !options.makesUnused {
      var joints = Joints()
      for id in Set(merges.map(\.id)) { joints.join(allOf: tables.entries[Int(id)].text) }
      others[TokenizerTables.Name.joints] = joints.bits
      options.hasJoints = true
    }
    let table = MergeTableBuilder.build(merges)
    others[TokenizerTables.Name.merges] = table.bytes
    return (.bytePair(options), table.longestProbe)
  }
}
