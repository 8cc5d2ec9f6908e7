// SPDX-License-Identifier: Apache-2.0
// A tokenizer over compiled tables: opening them costs a check, not a parse.

import SEATensor

/// Text to token ids and back, exactly as the tokenizer file's own library does it.
///
/// The tables stay where they are mapped; every index that comes from them is checked when used, so
/// a hostile file yields wrong ids at worst.
package struct Tokenizer: Sendable {
  /// What the tokenizer is.
  package let settings: TokenizerSettings
  /// The tables that it reads.
  package let tables: TokenizerTables

  enum Model: Sendable {
    case bytePair(BytePairModel, merges: ByteView, Joints?)
    case unigram(UnigramModel)
  }

  let model: Model
  let pieces: PieceIndex
  let flags: ByteView
  let normalizers: [Normalizer]
  let preTokenizers: [PreTokenizer]
  let decoders: [DecoderStep]
  let charsmap: Charsmap?
  /// The normaliser of a SentencePiece model, which then is the only one.
  let sentencePiece: SentencePieceNormalizer?
  /// Added tokens looked for in the text as it is, and in normalised text.
  let rawTokens: AddedTokens
  let normalizedTokens: AddedTokens

  /// Opens compiled tables.
  ///
  /// - Throws: `TextError` naming the table or the setting that is wrong.
  /// - Complexity: linear in the number of ids, with a small constant (no text is read).
  package init(tables: TokenizerTables) throws(TextError) {
    let settings = try tables.settings()
    let reader = TokenizerTableReader(tables: tables, settings: settings)
    pieces = try reader.pieces()
    flags = try reader.flags()
    normalizers = try TokenizerComponents.normalizers(settings.normalizer)
    preTokenizers = try TokenizerComponents.preTokenizers(settings.preTokenizer)
    decoders = try Self.decoders(settings)
    charsmap =
      normalizers.contains(.charsmap) || settings.sentencePiece != nil
      ? try reader.charsmap() : nil
    let added = try AddedTokenTable.read(
      try tables.bytes(TokenizerTables.Name.added),
      idCount: settings.count,
    )
    let sought = added.filter { !$0.options.contains(.found) }
    rawTokens = AddedTokens(
      sought.filter { !$0.options.contains(.normalized) },
      isPython: settings.sentencePiece != nil,
    )
    normalizedTokens = AddedTokens(sought.filter { $0.options.contains(.normalized) })
    let symbols = AddedTokens(added.filter { $0.options.contains(.symbol) })
    sentencePiece = settings.sentencePiece.map { [charsmap] rules in
      SentencePieceNormalizer(
        rules: rules,
        charsmap: charsmap,
        symbols: symbols.isEmpty ? nil : symbols,
      )
    }
    model = try reader.model(pieces: pieces, flags: flags)
    self.settings = settings
    self.tables = tables
  }

  private static func decoders(_ settings: TokenizerSettings) throws(TextError) -> [DecoderStep] {
    if let rules = settings.sentencePiece {
      // Where white space is trimmed, all of it goes.
      let dropped = rules.removesExtraSpaces ? 1024 : rules.addsMark ? 1 : 0
      let droppedAfter = rules.canonicalizes ? 1024 : 0
      return [
        .replace(.literal(SentencePieceRules.mark), by: [0x20]), .bytePieces, .fuse,
        .strip([0x20], start: dropped, stop: droppedAfter),
      ]
    }
    let steps = try TokenizerComponents.decoders(settings.decoder)
    if case .bytePair(let options) = settings.model, !options.wordSuffix.isEmpty,
      steps == [.byteLevel]
    {
      return steps + [.suffixToBlank(Array(options.wordSuffix.utf8))]
    }
    return steps.isEmpty ? [.joinedByBlanks] : steps
  }
}

// MARK: - Vocabulary

extension Tokenizer {
  /// Number of ids.
  package var count: Int { settings.count }

  /// The text of a token as the vocabulary writes it, or nil when there is no such id.
  package func piece(_ id: Int32) -> [UInt8]? {
    guard id >= 0, Int(id) < count else { return nil }
    let start = Int(pieces.offsets.loadLittleEndian(at: Int(id) * 4, as: UInt32.self))
    let end = Int(pieces.offsets.loadLittleEndian(at: Int(id) * 4 + 4, as: UInt32.self))
    return pieces.pool.slice(start..<end).array()
  }

  /// The id whose text is exactly `text`: an added token's before a piece's; nil when there is none.
  package func id(of text: String) -> Int32? {
    let bytes = Array(text.utf8)
    let all = 0..<bytes.count
    for id in rawTokens.ids + normalizedTokens.ids where piece(id) == bytes { return id }
    return pieces.find(bytes.span, all, hash: PieceIndex.hash(bytes.span, all))
  }

  /// What is known about an id.
  package func flags(_ id: Int32) -> PieceFlags {
    guard id >= 0, Int(id) < count else { return [] }
    return PieceFlags(rawValue: flags[Int(id)])
  }

  /// The ids that end an answer: the template's stop tokens and the checkpoint's own.
  ///
  /// - Throws: `TextError.unknownToken` when the vocabulary lacks all of the template's stop tokens.
  package func stopIDs(for template: Template) throws(TextError) -> [Int32] {
    let found = template.stopTokens.compactMap { id(of: $0) }
    if found.isEmpty, let first = template.stopTokens.first { throw .unknownToken(text: first) }
    var ids: [Int32] = []
    for id in found + settings.special.stops + (settings.special.end.map { [$0] } ?? [])
    where !ids.contains(id) {
      ids.append(id)
    }
    return ids
  }
}
