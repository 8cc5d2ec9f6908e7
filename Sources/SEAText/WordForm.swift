// SPDX-License-Identifier: Apache-2.0
// A single word as tokens: how it is written before it is cut.

/// How a word is written before it becomes tokens.
package enum WordForm: String, Sendable, CaseIterable {
  /// As it stands in the middle of a sentence: after a blank.
  case space
  /// Alone.
  case bare
}

extension Tokenizer {
  /// "▁", as SentencePiece writes a blank.
  private static let blank: [UInt8] = [0xe2, 0x96, 0x81]

  /// The ids of a word, nothing added before or after.
  ///
  /// - Source: reference.md G.9 row 13.
  package func encode(word: String, form: WordForm) -> [Int32] {
    let prefix = form == .space && !startsWithBlank ? " " : ""
    return encode(prefix + word, recognizesSpecial: false, addsTemplate: false)
  }

  /// Whether the tokenizer itself puts a blank before the first word.
  package var startsWithBlank: Bool {
    guard let first = encode("a", recognizesSpecial: false, addsTemplate: false).first,
      let piece = piece(first)
    else { return false }
    return piece.starts(with: Self.blank)
  }

  /// The ids whose text is a whole word by itself, and the words.
  ///
  /// A whole word starts with a blank, as `WordForm.space` writes it, and is letters alone but for
  /// hyphens and apostrophes between them, at least two; encoding it gives the id back.
  ///
  /// - Parameter limit: ids from here on are left out.
  /// - Returns: words by rising id.
  /// - Complexity: every piece of the vocabulary is looked at once.
  package func wholeWords(below limit: Int) -> [(id: Int32, text: String)] {
    let ownBlank = startsWithBlank
    let unspoken: PieceFlags = [.special, .control, .isAdded, .isInert, .hasRole, .isUnused]
    var words: [(id: Int32, text: String)] = []
    for id in 0..<Int32(clamping: min(count, limit)) {
      guard flags(id).isDisjoint(with: unspoken), let piece = piece(id),
        piece.starts(with: Self.blank) || piece.starts(with: [0xc4, 0xa0]),
        let text = String(validating: decode([id], skipsSpecial: true), as: UTF8.self)
      else { continue }
      let word = text.hasPrefix(" ") ? String(text.dropFirst()) : text
      guard Self.isWord(word),
        encode((ownBlank ? "" : " ") + word, recognizesSpecial: false, addsTemplate: false) == [id]
      else { continue }
      words.append((id, word))
    }
    return words
  }

  private static func isWord(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    guard scalars.count >= 2, let first = scalars.first, let last = scalars.last,
      first.properties.isAlphabetic, last.properties.isAlphabetic
    else { return false }
    return scalars.allSatisfy { $0.properties.isAlphabetic || $0 == "-" || $0 == "'" }
  }
}
