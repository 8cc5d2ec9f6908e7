// SPDX-License-Identifier: Apache-2.0
// One decoding step at work on a stream of tokens, holding back what later tokens may still change.

/// A decoding step with its memory.
///
/// A step sees tokens one by one, or, after a step that makes one text of all tokens, that text in
/// parts. Either way what it has given out is final: decoding a stream and decoding a finished
/// sequence are the same computation.
struct DecoderStage: Sendable {
  private let step: DecoderStep
  /// Whether the input is one text in parts.
  private let isFused: Bool
  private var held: [UInt8] = []
  private var isHolding = false
  /// Tokens seen, or characters removed.
  private var count = 0
  private var hasStarted = false

  init(_ step: DecoderStep, isFused: Bool) {
    self.step = step
    self.isFused = isFused
  }

  /// The stages for a list of steps.
  static func stages(_ steps: [DecoderStep]) -> [DecoderStage] {
    var isFused = false
    return steps.map { step in
      let stage = DecoderStage(step, isFused: isFused)
      switch step {
      case .fuse, .byteLevel: isFused = true
      default: break
      }
      return stage
    }
  }

  /// Whether the step can pass on parts of one text before it has seen all of it.
  private var passesParts: Bool {
    switch step {
    case .fuse, .suffixToBlank: true
    case .strip(_, _, let stop): stop == 0
    default: !isFused
    }
  }

  /// Takes a token, or a part of the text, and returns what is final.
  mutating func take(_ token: [UInt8]) -> [[UInt8]] {
    guard passesParts || !isFused else {
      held += token
      isHolding = true
      return []
    }
    return process(token)
  }

  /// Returns what was held back.
  mutating func finish() -> [[UInt8]] {
    guard passesParts || !isFused else {
      let text = held
      held = []
      return (isHolding ? process(text) : []) + release()
    }
    return release()
  }

  private mutating func process(_ token: [UInt8]) -> [[UInt8]] {
    defer { if !isStrip { count += 1 } }
    switch step {
    case .replace(let pattern, let content):
      var text = token
      Normalizer.replace(pattern, by: content, in: &text)
      return [text]
    case .byteFallback: return takeByteToken(token)
    case .bytePieces: return takeBytePiece(token)
    case .fuse: return [token]
    case .strip(let content, let start, let stop):
      let isPart = isFused && stop == 0
      return isPart ? [stripStart(token, content, start)] : [strip(token, content, start, stop)]
    case .byteLevel:
      held += ByteAlphabet.bytes(of: token.span) ?? token
      return [takeText(atEnd: false)]
    case .metaspace(let mark, let dropsFirst):
      var text = token
      let content: [UInt8] = dropsFirst && count == 0 ? [] : [0x20]
      Normalizer.replace(.literal(mark), by: content, in: &text)
      return [text]
    case .wordEnds(let suffix):
      let ready = isHolding ? [endWords(suffix, by: [0x20])] : []
      held = token
      isHolding = true
      return ready
    case .joinedByBlanks: return [count > 0 ? [0x20] + token : token]
    case .suffixToBlank(let suffix):
      held += token
      return [takeTrimmed(suffix, atEnd: false)]
    }
  }

  private mutating func release() -> [[UInt8]] {
    switch step {
    case .byteFallback: return releaseBytes()
    case .bytePieces: return [takeCharacters(atEnd: true)]
    case .byteLevel: return [takeText(atEnd: true)]
    case .wordEnds(let suffix): return isHolding ? [endWords(suffix, by: [])] : []
    case .suffixToBlank(let suffix): return [takeTrimmed(suffix, atEnd: true)]
    default: return []
    }
  }

  private var isStrip: Bool {
    if case .strip = step { true } else { false }
  }
}

// MARK: - Byte tokens

extension DecoderStage {
  /// The bytes of U+FFFD.
  static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

  private mutating func takeByteToken(_ token: [UInt8]) -> [[UInt8]] {
    if let byte = Self.byte(named: token) {
      held.append(byte)
      return []
    }
    return releaseBytes() + [token]
  }

  /// A run of byte tokens is text as a whole or not at all.
  private mutating func releaseBytes() -> [[UInt8]] {
    defer { held.removeAll() }
    guard !held.isEmpty else { return [] }
    let text = held.span
    var index = 0
    while index < text.count {
      let scalar = ScalarReader.read(text, at: index)
      if scalar.value == ScalarReader.stray { return held.map { _ in Self.replacement } }
      index += scalar.length
    }
    return [held]
  }

  /// A byte token gives the characters that it completes.
  private mutating func takeBytePiece(_ token: [UInt8]) -> [[UInt8]] {
    guard let byte = Self.byte(named: token) else {
      return [takeCharacters(atEnd: true), token]
    }
    held.append(byte)
    return [takeCharacters(atEnd: false)]
  }

  /// The characters at the start of `held`; bytes that are part of none are replaced one by one.
  private mutating func takeCharacters(atEnd: Bool) -> [UInt8] {
    var output: [UInt8] = []
    let bytes = held
    let text = bytes.span
    var index = 0
    while index < text.count {
      let scalar = ScalarReader.read(text, at: index)
      if scalar.value != ScalarReader.stray {
        for offset in 0..<scalar.length { output.append(text[index + offset]) }
      } else {
        if !atEnd, Self.damagedLength(text, at: index).isUnfinished { break }
        output += Self.replacement
      }
      index += scalar.length
    }
    held.removeFirst(index)
    return output
  }

  /// The byte of a token like `<0x0A>`, or nil for any other token.
  static func byte(named token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else {
      return nil
    }
    func digit(_ character: UInt8) -> UInt8? {
      switch character {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
      default: nil
      }
    }
    guard let low = digit(token[4]) else { return nil }
    // The reference reads the digits as a signed number would be written.
    if token[3] == UInt8(ascii: "+") { return low }
    return digit(token[3]).map { $0 << 4 | low }
  }

  /// The text at the start of `held`, repaired; an unfinished character at its end stays.
  private mutating func takeText(atEnd: Bool) -> [UInt8] {
    var output: [UInt8] = []
    let bytes = held
    let text = bytes.span
    var index = 0
    while index < text.count {
      let scalar = ScalarReader.read(text, at: index)
      if scalar.value != ScalarReader.stray {
        for offset in 0..<scalar.length { output.append(text[index + offset]) }
        index += scalar.length
        continue
      }
      let damaged = Self.damagedLength(text, at: index)
      if !atEnd, damaged.isUnfinished { break }
      output += Self.replacement
      index += damaged.length
    }
    held.removeFirst(index)
    return output
  }

  /// How many bytes one replacement character stands for, and whether more bytes could mend them.
  /// - Source: The Unicode Standard, section 3.9, "substitution of maximal subparts".
  private static func damagedLength(
    _ text: Span<UInt8>,
    at index: Int
  ) -> (length: Int, isUnfinished: Bool) {
    let first = text[index]
    guard (0xc2...0xf4).contains(first) else { return (1, false) }
    let expected = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    var length = 1
    while length < expected {
      guard index + length < text.count else { return (length, true) }
      let byte = text[index + length]
      guard byte & 0xc0 == 0x80 else { break }
      if length == 1 {
        let isOutside =
          first == 0xe0 && byte < 0xa0 || first == 0xed && byte > 0x9f
          || first == 0xf0 && byte < 0x90 || first == 0xf4 && byte > 0x8f
        if isOutside { break }
      }
      length += 1
    }
    return (length, false)
  }
}

// MARK: - Ends

extension DecoderStage {
  private func strip(_ token: [UInt8], _ content: [UInt8], _ start: Int, _ stop: Int) -> [UInt8] {
    guard !content.isEmpty else { return token }
    var text = token[...]
    for _ in 0..<start where text.starts(with: content) { text.removeFirst(content.count) }
    for _ in 0..<stop
    where text.count >= content.count && text.suffix(content.count) == content[...] {
      text.removeLast(content.count)
    }
    return Array(text)
  }

  private mutating func stripStart(
    _ part: [UInt8],
    _ content: [UInt8],
    _ start: Int
  ) -> [UInt8] {
    guard !hasStarted, !content.isEmpty else { return part }
    var text = part[...]
    while count < start, text.starts(with: content) {
      text.removeFirst(content.count)
      count += 1
    }
    if !text.isEmpty || count == start { hasStarted = true }
    return Array(text)
  }

  private func endWords(_ suffix: [UInt8], by content: [UInt8]) -> [UInt8] {
    var text = held
    Normalizer.replace(.literal(suffix), by: content, in: &text)
    return text
  }

  /// The text in `held` with suffixes as spaces and its ends trimmed, as far as it is final.
  private mutating func takeTrimmed(_ suffix: [UInt8], atEnd: Bool) -> [UInt8] {
    var text: [UInt8] = []
    var rest = held[...]
    while let first = rest.first {
      if rest.starts(with: suffix) {
        text.append(0x20)
        rest.removeFirst(suffix.count)
      } else if !atEnd, rest.count < suffix.count, suffix.starts(with: rest) {
        break
      } else {
        text.append(first)
        rest.removeFirst()
      }
    }
    Normalizer.strip(&text, left: !hasStarted, right: false, isMember: CharacterClass.isPythonSpace)
    var kept = text
    Normalizer.strip(&kept, left: false, right: true, isMember: CharacterClass.isPythonSpace)
    // White space at the end waits: it is dropped if nothing follows.
    held = Array(text[kept.count...]) + rest
    if !kept.isEmpty { hasStarted = true }
    return kept
  }
}
