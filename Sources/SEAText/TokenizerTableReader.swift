// SPDX-License-Identifier: Apache-2.0
// Checks of compiled tables against each other, and the models made from them.

import SEATensor

/// Opens the tables of one tokenizer; every failure names the table.
struct TokenizerTableReader {
  let tables: TokenizerTables
  let settings: TokenizerSettings

  /// The texts of all ids and the index of pieces.
  func pieces() throws(TextError) -> PieceIndex {
    let offsets = try tables.bytes(TokenizerTables.Name.offsets)
    let pool = try tables.bytes(TokenizerTables.Name.pool)
    let index = try tables.bytes(TokenizerTables.Name.index)
    try expect(offsets, (settings.count + 1) * 4, TokenizerTables.Name.offsets)
    guard index.count >= PieceIndex.slotBytes, index.count % PieceIndex.slotBytes == 0 else {
      throw .badTable(
        name: TokenizerTables.Name.index,
        problem: "\(index.count) bytes are no positive number of slots",
      )
    }
    let isOrdered = offsets.withSpan { offsets in
      var isOrdered = offsets.word(0) == 0 && Int(offsets.word(settings.count)) == pool.count
      for id in 0..<settings.count where offsets.word(id) > offsets.word(id + 1) {
        isOrdered = false
      }
      return isOrdered
    }
    guard isOrdered else {
      throw .badTable(
        name: TokenizerTables.Name.offsets,
        problem: "not rising from 0 to the pool's \(pool.count) bytes",
      )
    }
    return PieceIndex(
      slots: index,
      offsets: offsets,
      pool: pool,
      probeLimit: settings.probeLimit,
      count: settings.count,
    )
  }

  func flags() throws(TextError) -> ByteView {
    let flags = try tables.bytes(TokenizerTables.Name.flags)
    try expect(flags, settings.count, TokenizerTables.Name.flags)
    return flags
  }

  /// The character map, which a SentencePiece model may lack.
  func charsmap() throws(TextError) -> Charsmap? {
    let isStored = tables.blobs.contains { $0.name == TokenizerTables.Name.charsmap }
    if !isStored, settings.sentencePiece != nil { return nil }
    return try Charsmap(try tables.bytes(TokenizerTables.Name.charsmap))
  }

  func model(pieces: PieceIndex, flags: ByteView) throws(TextError) -> Tokenizer.Model {
    switch settings.model {
    case .bytePair(let options): try bytePair(options, pieces: pieces, flags: flags)
    case .unigram(let options): try unigram(options, pieces: pieces, flags: flags)
    }
  }

  private func bytePair(
    _ options: TokenizerSettings.BytePair,
    pieces: PieceIndex,
    flags: ByteView
  ) throws(TextError) -> Tokenizer.Model {
    let merges = try tables.bytes(TokenizerTables.Name.merges)
    guard merges.count >= MergeTable.slotBytes, merges.count % MergeTable.slotBytes == 0 else {
      throw .badTable(
        name: TokenizerTables.Name.merges,
        problem: "\(merges.count) bytes are no positive number of slots",
      )
    }
    var joints: Joints?
    if options.hasJoints {
      let bits = try tables.bytes(TokenizerTables.Name.joints)
      joints = Joints(bits.array())
      if joints == nil { try expect(bits, Joints.byteCount, TokenizerTables.Name.joints) }
    }
    let suffix = Array(options.wordSuffix.utf8)
    let model = BytePairModel(
      options: options,
      merges: MergeTable(
        capacity: merges.count / MergeTable.slotBytes,
        probeLimit: settings.probeLimit,
        count: settings.count,
      ),
      symbols: symbols(options, suffix: [], pieces: pieces),
      lastSymbols: symbols(options, suffix: suffix, pieces: pieces),
      byteTokens: byteTokens(pieces),
      unknown: settings.special.unknown,
      flags: options.makesControl || options.makesUnused ? flags.array() : nil,
    )
    return .bytePair(model, merges: merges, joints)
  }

  private func unigram(
    _ options: TokenizerSettings.Unigram,
    pieces: PieceIndex,
    flags: ByteView
  ) throws(TextError) -> Tokenizer.Model {
    let scores = try tables.bytes(TokenizerTables.Name.scores)
    try expect(scores, settings.count * 4, TokenizerTables.Name.scores)
    guard let prefixes = PrefixFilter(try tables.bytes(TokenizerTables.Name.prefixes)) else {
      throw .badTable(
        name: TokenizerTables.Name.prefixes,
        problem: "its length is no power of two",
      )
    }
    return .unigram(
      UnigramModel(
        options: options,
        pieces: pieces,
        prefixes: prefixes,
        scores: scores,
        flags: flags.array(),
        unknown: settings.special.unknown,
        byteTokens: byteTokens(pieces),
      )
    )
  }

  private func symbols(
    _ options: TokenizerSettings.BytePair,
    suffix: [UInt8],
    pieces: PieceIndex
  ) -> [Int32] {
    (0..<(options.isByteLevel ? 256 : 128)).map { value in
      var text: [UInt8] = []
      if options.isByteLevel {
        ByteAlphabet.append(UInt8(value), to: &text)
      } else {
        text.append(UInt8(value))
      }
      return find(text + suffix, pieces)
    }
  }

  private func byteTokens(_ pieces: PieceIndex) -> [Int32] {
    let digits = Array("0123456789ABCDEF".utf8)
    return (0..<256).map { byte in
      find(Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15], UInt8(ascii: ">")], pieces)
    }
  }

  private func find(_ text: [UInt8], _ pieces: PieceIndex) -> Int32 {
    let all = 0..<text.count
    return pieces.find(text.span, all, hash: PieceIndex.hash(text.span, all)) ?? -1
  }

  private func expect(_ bytes: ByteView, _ count: Int, _ name: String) throws(TextError) {
    guard bytes.count == count else {
      throw .badTable(name: name, problem: "\(bytes.count) bytes, expected \(count)")
    }
  }
}
