// SPDX-License-Identifier: Apache-2.0
// The word patterns of three tokenizer families, alternative by alternative, without backtracking.

/// Finds where a word ends that starts at a given place.
///
/// Each function tries the alternatives of one regular expression in order, as the expression would.
enum WordScanner {
  /// The end of a word of GPT-2.
  ///
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  static func gpt2(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    if let end = contraction(text, at: position, limit: limit, ignoringCase: false) { return end }
    let start = afterBlank(text, at: position, limit: limit)
    if start < limit {
      let kind = CharacterClass.of(ScalarReader.read(text, at: start).value)
      if kind != .space {
        return TextPattern.run(text, from: start, limit: limit) { $0 == kind }.end
      }
    }
    return spaces(text, at: position, limit: limit)
  }

  /// The end of a word of Llama 3.
  ///
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
  /// `\s*[\r\n]+|\s+(?!\S)|\s+`
  static func llama3(_ text: Span<UInt8>, at position: Int, limit: Int, digits: Int) -> Int? {
    if let end = contraction(text, at: position, limit: limit, ignoringCase: true) { return end }
    let first = ScalarReader.read(text, at: position)
    let kind = CharacterClass.of(first.value)
    if kind == .letter { return letters(text, at: position, limit: limit) }
    if kind == .number {
      return TextPattern.run(text, from: position, limit: limit, maximum: digits) { $0 == .number }
        .end
    }
    let second = position + first.length
    if !isLineEnd(first.value), let end = letters(text, at: second, limit: limit) { return end }
    let signs = TextPattern.run(
      text,
      from: afterBlank(text, at: position, limit: limit),
      limit: limit,
    ) { $0 == .other }
    if signs.count > 0 {
      var end = signs.end
      while end < limit, isLineEnd(UInt32(text[end])) { end += 1 }
      return end
    }
    return lines(text, at: position, limit: limit) ?? spaces(text, at: position, limit: limit)
  }

  /// The end of a word of CLIP.
  ///
  /// `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
  static func clip(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    if let end = contraction(text, at: position, limit: limit, ignoringCase: false) { return end }
    let kind = CharacterClass.of(ScalarReader.read(text, at: position).value)
    guard kind != .space else { return nil }
    let maximum = kind == .number ? 1 : Int.max
    return TextPattern.run(text, from: position, limit: limit, maximum: maximum) { $0 == kind }.end
  }

  /// The end of a word or of a run of signs: `\w+|[^\w\s]+`.
  static func wordsAndSigns(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    let first = ScalarReader.read(text, at: position)
    guard !CharacterClass.isSpace(first.value) else { return nil }
    let isWord = CharacterClass.isWord(first.value)
    var end = position + first.length
    while end < limit {
      let scalar = ScalarReader.read(text, at: end)
      guard CharacterClass.isWord(scalar.value) == isWord, !CharacterClass.isSpace(scalar.value)
      else { break }
      end += scalar.length
    }
    return end
  }

  // MARK: - Alternatives

  /// `'s|'t|'re|'ve|'m|'ll|'d`; ignoring case, a long s counts as s.
  private static func contraction(
    _ text: Span<UInt8>,
    at position: Int,
    limit: Int,
    ignoringCase: Bool
  ) -> Int? {
    guard text[position] == UInt8(ascii: "'"), position + 1 < limit else { return nil }
    let fold: UInt8 = ignoringCase ? 0x20 : 0
    let first = text[position + 1] | fold
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return position + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      guard position + 2 < limit else { return nil }
      let expected = first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")
      return text[position + 2] | fold == expected ? position + 3 : nil
    default:
      guard ignoringCase, limit - position >= 3, text.hasBytes([0xc5, 0xbf], at: position + 1)
      else { return nil }
      return position + 3
    }
  }

  /// The end of a run of letters: `\p{L}+`.
  private static func letters(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    let run = TextPattern.run(text, from: position, limit: limit) { $0 == .letter }
    return run.count > 0 ? run.end : nil
  }

  /// `\s*[\r\n]+`: white space up to and including the last line end in it.
  private static func lines(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    var end: Int?
    var index = position
    while index < limit {
      let scalar = ScalarReader.read(text, at: index)
      guard CharacterClass.isSpace(scalar.value) else { break }
      index += scalar.length
      if isLineEnd(scalar.value) { end = index }
    }
    return end
  }

  /// `\s+(?!\S)|\s+`: white space, leaving one character of it for the word that follows.
  private static func spaces(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    var last = position
    var index = position
    while index < limit {
      let scalar = ScalarReader.read(text, at: index)
      guard CharacterClass.isSpace(scalar.value) else { break }
      last = index
      index += scalar.length
    }
    guard index > position else { return nil }
    return index == limit || last == position ? index : last
  }

  private static func afterBlank(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int {
    text[position] == 0x20 ? position + 1 : position
  }

  private static func isLineEnd(_ scalar: UInt32) -> Bool {
    scalar == 0x0a || scalar == 0x0d
  }
}
