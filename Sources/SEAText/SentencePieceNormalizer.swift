// SPDX-License-Identifier: Apache-2.0
// The normaliser inside a SentencePiece model: character map, white space, dummy prefix.

/// Rewrites text as a SentencePiece model wants it.
///
/// Bytes that are no text pass through; the library itself would write U+FFFD for each of them.
/// - Source: sentencepiece `normalizer.cc`, `Normalizer::Normalize`.
struct SentencePieceNormalizer: Sendable {
  let rules: SentencePieceRules
  let charsmap: Charsmap?
  /// Pieces that text is kept for as it is, or nil where there are none.
  let symbols: AddedTokens?

  /// The text after all steps.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    let source = text.span
    var index = 0
    if rules.removesExtraSpaces {
      while index < source.count, let length = blank(source, at: index) { index += length }
    }
    guard index < source.count else { return [] }
    if charsmap == nil, symbols == nil, !rules.removesExtraSpaces { return escape(text) }
    let space: [UInt8] = rules.escapesSpaces ? SentencePieceRules.mark : [0x20]
    var output: [UInt8] = []
    output.reserveCapacity(source.count + source.count / 2 + space.count)
    if rules.addsDummyPrefix, !rules.marksWordEnds { output += space }
    var followsSpace = rules.removesExtraSpaces
    while index < source.count {
      var isAtStart = true
      var last: UInt8?
      let length = replace(source, at: index) { byte in
        // Spaces at the start of a replacement vanish after a space.
        if isAtStart, followsSpace, byte == 0x20 { return }
        isAtStart = false
        last = byte
        if byte == 0x20 { output += space } else { output.append(byte) }
      }
      if let last { followsSpace = last == 0x20 && rules.removesExtraSpaces }
      index += length
    }
    if rules.removesExtraSpaces {
      while output.count >= space.count, output.suffix(space.count) == space[...] {
        output.removeLast(space.count)
      }
    }
    if rules.addsDummyPrefix, rules.marksWordEnds { output += space }
    return output
  }

  /// The text where nothing but spaces is rewritten.
  private func escape(_ text: [UInt8]) -> [UInt8] {
    let space: [UInt8] = rules.escapesSpaces ? SentencePieceRules.mark : [0x20]
    var output: [UInt8] = []
    output.reserveCapacity(text.count + text.count / 2 + space.count)
    if rules.addsDummyPrefix, !rules.marksWordEnds { output += space }
    for byte in text {
      if byte == 0x20 { output += space } else { output.append(byte) }
    }
    if rules.addsDummyPrefix, rules.marksWordEnds { output += space }
    return output
  }

  /// The length of what becomes exactly one space at `index`, or nil.
  private func blank(_ text: Span<UInt8>, at index: Int) -> Int? {
    var bytes = 0
    var isBlank = true
    let length = replace(text, at: index) { byte in
      bytes += 1
      isBlank = isBlank && byte == 0x20
    }
    return isBlank && bytes == 1 ? length : nil
  }

  /// Gives the bytes that replace what starts at `index`, and returns how long that is.
  private func replace(
    _ text: Span<UInt8>,
    at index: Int,
    _ body: (UInt8) -> Void
  ) -> Int {
    var length = symbols?.longestLength(text, at: index) ?? 0
    if length == 0, let match = charsmap?.replacement(text, at: index, body) { return match }
    if length == 0 { length = ScalarReader.read(text, at: index).length }
    for offset in 0..<length { body(text[index + offset]) }
    return length
  }
}
