// SPDX-License-Identifier: Apache-2.0
// Text normalisation before tokens are looked for, step by step as the tokenizer file lists them.

/// One step that rewrites text.
///
/// Steps work on bytes; bytes that are no text pass through unchanged.
enum Normalizer: Equatable, Sendable {
  /// Puts text before the first character of anything that is not empty.
  case prepend([UInt8])
  /// Replaces every match of a pattern.
  case replace(TextPattern, by: [UInt8])
  /// Canonical decomposition and composition.
  case nfc
  /// Canonical decomposition.
  case nfd
  /// The lower-case mapping of each character by itself.
  case lowercase
  /// Removes white space at the ends.
  case strip(left: Bool, right: Bool)
  /// Removes marks.
  case stripAccents
  /// The character map that a SentencePiece model carries.
  case charsmap
}

extension Normalizer {
  /// Rewrites `text` in place.
  func apply(to text: inout [UInt8], charsmap: Charsmap?) {
    switch self {
    case .prepend(let prefix):
      if !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
    case .replace(let pattern, let content):
      Self.replace(pattern, by: content, in: &text)
    case .nfc: Self.canonicalize(&text, CanonicalForm(composes: true))
    case .nfd: Self.canonicalize(&text, CanonicalForm(composes: false))
    case .lowercase:
      Self.lowercase(&text)
    case .strip(let left, let right):
      Self.strip(&text, left: left, right: right, isMember: CharacterClass.isSpace)
    case .stripAccents:
      Self.removeMarks(from: &text)
    case .charsmap:
      if let charsmap { text = charsmap.normalize(text) }
    }
  }

  static func replace(_ pattern: TextPattern, by content: [UInt8], in text: inout [UInt8]) {
    if case .literal(let bytes) = pattern, bytes.count == 1, content.count == 1 {
      for index in text.indices where text[index] == bytes[0] { text[index] = content[0] }
      return
    }
    let input = text
    let source = input.span
    var output: [UInt8] = []
    output.reserveCapacity(source.count + source.count / 4)
    pattern.forEachPart(of: source, in: 0..<source.count) { part, isMatch in
      if isMatch {
        output.append(contentsOf: content)
      } else {
        for index in part { output.append(source[index]) }
      }
    }
    text = output
  }

  /// Removes characters at the ends for which `isMember` holds.
  static func strip(
    _ text: inout [UInt8],
    left: Bool,
    right: Bool,
    isMember: (UInt32) -> Bool
  ) {
    let input = text
    let source = input.span
    var start = 0
    var end = source.count
    while left, start < end {
      let scalar = ScalarReader.read(source, at: start)
      guard isMember(scalar.value) else { break }
      start += scalar.length
    }
    while right, end > start {
      let scalar = ScalarReader.readBackward(source, before: end, downTo: start)
      guard isMember(scalar.value) else { break }
      end -= scalar.length
    }
    if start > 0 || end < input.count { text = Array(input[start..<end]) }
  }

  private static func lowercase(_ text: inout [UInt8]) {
    let input = text
    let source = input.span
    var output: [UInt8] = []
    output.reserveCapacity(source.count)
    var index = 0
    while index < source.count {
      let byte = source[index]
      if byte < 0x80 {
        let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        output.append(isUpper ? byte | 0x20 : byte)
        index += 1
        continue
      }
      let scalar = ScalarReader.read(source, at: index)
      if let character = Unicode.Scalar(scalar.value), character.properties.changesWhenLowercased {
        output.append(contentsOf: character.properties.lowercaseMapping.utf8)
      } else {
        for offset in 0..<scalar.length { output.append(source[index + offset]) }
      }
      index += scalar.length
    }
    text = output
  }

  private static func removeMarks(from text: inout [UInt8]) {
    let input = text
    let source = input.span
    var output: [UInt8] = []
    var index = 0
    while index < source.count {
      let scalar = ScalarReader.read(source, at: index)
      if !isMark(scalar.value) {
        for offset in 0..<scalar.length { output.append(source[index + offset]) }
      }
      index += scalar.length
    }
    text = output
  }

  private static func isMark(_ scalar: UInt32) -> Bool {
    switch Unicode.Scalar(scalar)?.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
  }

  /// Brings every run of well-formed text into a canonical form.
  private static func canonicalize(_ text: inout [UInt8], _ form: CanonicalForm) {
    guard text.contains(where: { $0 >= 0x80 }) else { return }
    let input = text
    let source = input.span
    var output: [UInt8] = []
    output.reserveCapacity(source.count)
    var start = 0
    var index = 0
    while index < source.count {
      let scalar = ScalarReader.read(source, at: index)
      if scalar.value == ScalarReader.stray {
        form.append(input, start..<index, to: &output)
        output.append(source[index])
        start = index + 1
      }
      index += scalar.length
    }
    form.append(input, start..<input.count, to: &output)
    text = output
  }
}
