// SPDX-License-Identifier: Apache-2.0
// A compiled tokenizer as named byte strings: what a model file stores and maps.

import SEAFormat
package import SEATensor

/// The compiled tokenizer.
///
/// | table | content |
/// |---|---|
/// | `tokenizer.settings` | JSON text of `TokenizerSettings` |
/// | `tokenizer.pool` | the text of every id, one after the other |
/// | `tokenizer.offsets` | u32 [count + 1]: where each text starts in the pool |
/// | `tokenizer.flags` | u8 [count]: `PieceFlags` |
/// | `tokenizer.index` | hash table from piece to id |
/// | `tokenizer.merges` | hash table from pair to merge (byte-pair models) |
/// | `tokenizer.joints` | 130 × 130 bits: which characters a merge may join (byte-pair models) |
/// | `tokenizer.scores` | f32 [count] (Unigram models) |
/// | `tokenizer.prefixes` | filter of what pieces start with (Unigram models) |
/// | `tokenizer.added` | the added tokens and the texts that they match |
/// | `tokenizer.charsmap` | SentencePiece character map, where the normalizer has one |
package struct TokenizerTables: Sendable {
  /// The names of the tables.
  package enum Name {
    package static let settings = "tokenizer.settings"
    package static let pool = "tokenizer.pool"
    package static let offsets = "tokenizer.offsets"
    package static let flags = "tokenizer.flags"
    package static let index = "tokenizer.index"
    package static let merges = "tokenizer.merges"
    package static let joints = "tokenizer.joints"
    package static let scores = "tokenizer.scores"
    package static let prefixes = "tokenizer.prefixes"
    package static let added = "tokenizer.added"
    package static let charsmap = "tokenizer.charsmap"

    /// Every name, in the order of storage.
    package static let all = [
      settings, pool, offsets, flags, index, merges, joints, scores, prefixes, added, charsmap,
    ]
  }

  /// The tables that this tokenizer has, in the order of `Name.all`.
  package let blobs: [(name: String, bytes: ByteView)]

  /// Tables to be opened.
  ///
  /// - Parameter bytes: the table of a name at its true length, or nil where there is none.
  package init(_ bytes: (String) -> ByteView?) {
    blobs = Name.all.compactMap { name in bytes(name).map { (name: name, bytes: $0) } }
  }

  /// The table of a name.
  ///
  /// - Throws: `TextError.missingTable`.
  package func bytes(_ name: String) throws(TextError) -> ByteView {
    guard let blob = blobs.first(where: { $0.name == name }) else {
      throw .missingTable(name: name)
    }
    return blob.bytes
  }

  /// The settings.
  ///
  /// - Throws: `TextError` when they are missing, no JSON, or contradict themselves.
  package func settings() throws(TextError) -> TokenizerSettings {
    let text = try bytes(Name.settings)
    let json: JSONValue
    do {
      json = try JSONScanner.parse(text.array())
    } catch {
      throw .badTable(name: Name.settings, problem: error.description)
    }
    return try TokenizerSettings(json: json)
  }
}

/// What is known about each id.
package struct PieceFlags: OptionSet, Sendable {
  package let rawValue: UInt8

  /// The flags with these bits.
  package init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// Left out of decoded text unless asked for.
  package static let special = PieceFlags(rawValue: 1)
  /// Never made from text that is not trusted.
  package static let control = PieceFlags(rawValue: 2)
  /// A piece of the model's own vocabulary.
  package static let isPiece = PieceFlags(rawValue: 4)
  /// An added token, found in text before anything else.
  package static let isAdded = PieceFlags(rawValue: 8)
  /// Never made from text by the model: its bytes, its unknown and control pieces.
  package static let isInert = PieceFlags(rawValue: 16)
  /// The token of a role such as the end of a text.
  package static let hasRole = PieceFlags(rawValue: 32)
  /// A piece that a SentencePiece model was told to have.
  package static let isSymbol = PieceFlags(rawValue: 64)
  /// A piece that merges go through and that never comes out.
  package static let isUnused = PieceFlags(rawValue: 128)
}
