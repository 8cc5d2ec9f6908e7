// SPDX-License-Identifier: Apache-2.0
// The patterns that tokenizer files use, each as a hand-written scanner that runs in linear time.

/// A pattern that text is searched for.
///
/// Files write patterns as regular expressions. Running those on a user's text invites quadratic
/// time, so the ones in use are recognised by their exact spelling; any other is refused.
enum TextPattern: Equatable, Sendable {
  /// Exactly these bytes.
  case literal([UInt8])
  /// At least so many white-space characters: `\s+`.
  case spaces(minimum: Int)
  /// At least so many times U+0020: ` {2,}`.
  case blanks(minimum: Int)
  /// One of these ASCII characters.
  case oneOf([UInt8])
  /// One decimal or other number: `\p{N}`, `\d`.
  case number
  /// A word, number or run of signs of the GPT-2 tokenizer.
  case gpt2
  /// The same of Llama 3 (three digits at a time) and its relatives (one digit).
  case llama3(digits: Int)
  /// The same of CLIP, which never includes white space.
  case clip
  /// `\w+|[^\w\s]+`
  case wordsAndSigns
}

// MARK: - Recognition

extension TextPattern {
  private static let contractions = "'s|'t|'re|'ve|'m|'ll|'d"

  /// The scanner for a regular expression, or nil when the expression is not a known one.
  init?(regex: String) {
    let any = "(?i:\(Self.contractions))|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
    let rest = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    let words = " ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
    switch regex {
    case "\\s+": self = .spaces(minimum: 1)
    case "\\s{2,}", "\\s\\s+": self = .spaces(minimum: 2)
    case " +": self = .blanks(minimum: 1)
    case " {2,}", "  +": self = .blanks(minimum: 2)
    case "\\p{N}": self = .number
    case "\(any)|\\p{N}{1,3}|\(rest)": self = .llama3(digits: 3)
    case "\(any)|\\p{N}|\(rest)", "\(any)|\\p{N}{1,1}|\(rest)": self = .llama3(digits: 1)
    case "\(Self.contractions)|\(words)": self = .gpt2
    case "\(Self.contractions)|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+": self = .clip
    case "\\w+|[^\\w\\s]+": self = .wordsAndSigns
    default:
      guard let characters = Self.bracketed(Array(regex.utf8)) else { return nil }
      self = .oneOf(characters)
    }
  }

  /// The characters of a bracket expression that lists escaped ASCII signs, or nil.
  private static func bracketed(_ regex: [UInt8]) -> [UInt8]? {
    let backslash = UInt8(ascii: "\\")
    guard regex.count > 2, regex.first == UInt8(ascii: "["), regex.last == UInt8(ascii: "]") else {
      return nil
    }
    var characters: [UInt8] = []
    var index = 1
    while index < regex.count - 1 {
      guard regex[index] == backslash, index + 1 < regex.count - 1 else { return nil }
      let character = regex[index + 1]
      // An escaped sign is itself; an escaped letter or digit would be a class.
      guard character < 0x80, CharacterClass.of(UInt32(character)) == .other else { return nil }
      characters.append(character)
      index += 2
    }
    return characters
  }
}

// MARK: - Search

extension TextPattern {
  /// The parts of `range`, in order: matches and what lies between them.
  ///
  /// - Complexity: linear in the length of `range`.
  func forEachPart(
    of text: Span<UInt8>,
    in range: Range<Int>,
    _ body: (_ part: Range<Int>, _ isMatch: Bool) -> Void
  ) {
    var position = range.lowerBound
    var gap = position
    while position < range.upperBound {
      guard let end = match(text, at: position, limit: range.upperBound) else {
        position += ScalarReader.read(text, at: position).length
        continue
      }
      if gap < position { body(gap..<position, false) }
      body(position..<end, true)
      position = end
      gap = end
    }
    if gap < range.upperBound { body(gap..<range.upperBound, false) }
  }

  /// The end of the match that starts at `position`, or nil.
  func match(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int? {
    switch self {
    case .literal(let bytes):
      guard !bytes.isEmpty, limit - position >= bytes.count, text.hasBytes(bytes, at: position)
      else { return nil }
      return position + bytes.count
    case .spaces(let minimum):
      let run = Self.run(text, from: position, limit: limit) { $0 == .space }
      return run.count >= minimum ? run.end : nil
    case .blanks(let minimum):
      var end = position
      while end < limit, text[end] == 0x20 { end += 1 }
      return end - position >= minimum ? end : nil
    case .oneOf(let characters):
      return characters.contains(text[position]) ? position + 1 : nil
    case .number:
      let scalar = ScalarReader.read(text, at: position)
      return CharacterClass.of(scalar.value) == .number ? position + scalar.length : nil
    case .gpt2: return WordScanner.gpt2(text, at: position, limit: limit)
    case .llama3(let digits):
      return WordScanner.llama3(text, at: position, limit: limit, digits: digits)
    case .clip: return WordScanner.clip(text, at: position, limit: limit)
    case .wordsAndSigns: return WordScanner.wordsAndSigns(text, at: position, limit: limit)
    }
  }

  /// The run of characters of one kind that starts at `position`.
  @inline(__always)
  static func run(
    _ text: Span<UInt8>,
    from position: Int,
    limit: Int,
    maximum: Int = .max,
    while isMember: (CharacterClass) -> Bool
  ) -> (end: Int, count: Int) {
    var end = position
    var count = 0
    while end < limit, count < maximum {
      let scalar = ScalarReader.read(text, at: end)
      guard isMember(CharacterClass.of(scalar.value)) else { break }
      end += scalar.length
      count += 1
    }
    return (end, count)
  }
}
