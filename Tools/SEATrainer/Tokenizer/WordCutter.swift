// SPDX-License-Identifier: Apache-2.0
// Cuts text into the words that pieces are learned within, so that the tokenizer file needs no cutting.

internal import SEAText

/// The words of a text for a vocabulary whose blanks are written as `▁`.
///
/// A word starts at its blank and holds letters, numbers or signs, never two of these kinds: pieces that
/// are learned within such words never cross a border, whatever text they meet later. White space other
/// than the blank and control characters belong to no word; they become byte tokens.
package struct WordCutter: Sendable {
  /// Stands for a blank.
  package static let mark = Array("▁".utf8)
  private static let markScalar: UInt32 = 0x2581

  /// A blank is put before every text.
  package let addsBlank: Bool
  /// Every digit is a word of its own.
  package let splitsDigits: Bool

  /// A cutter.
  package init(addsBlank: Bool, splitsDigits: Bool) {
    self.addsBlank = addsBlank
    self.splitsDigits = splitsDigits
  }

  /// Counts the words of a text.
  package func count(_ text: [UInt8], into counter: inout WordCounter) {
    guard !text.isEmpty else { return }
    var marked: [UInt8] = []
    marked.reserveCapacity(text.count + text.count / 2)
    if addsBlank { marked += Self.mark }
    for byte in text {
      if byte == 0x20 { marked += Self.mark } else { marked.append(byte) }
    }
    cut(marked.span, into: &counter)
  }

  private func cut(_ text: Span<UInt8>, into counter: inout WordCounter) {
    var start = 0
    var index = 0
    /// Kind of the word so far; nil: it is empty or only a blank.
    var current: TextScalar.Kind?
    while index < text.count {
      let scalar = TextScalar.read(text, at: index)
      let end = index + scalar.length
      if scalar.value == Self.markScalar {
        counter.add(text, start..<index)
        start = index
        current = nil
      } else {
        let kind = TextScalar.kind(scalar.value)
        switch kind {
        case .space, .control:
          counter.add(text, start..<index)
          start = end
          current = nil
        case .number where splitsDigits:
          counter.add(text, start..<index)
          counter.add(text, index..<end)
          start = end
          current = nil
        case .number, .word, .sign:
          if let current, current != kind {
            counter.add(text, start..<index)
            start = index
          }
          current = kind
        }
      }
      index = end
    }
    counter.add(text, start..<text.count)
  }
}

/// The characters that get pieces of their own.
package struct Alphabet: Sendable {
  /// Scalars, the most frequent first.
  package let scalars: [UInt32]
  private let known: Set<UInt32>

  /// The most frequent characters of the words, until they make up `coverage` of all text.
  ///
  /// The ten digits are always among them when `hasDigits`.
  package init(_ words: WordCounter, coverage: Double, limit: Int, hasDigits: Bool) {
    var counts: [UInt32: Int] = [:]
    for index in 0..<words.count {
      let word = Array(words.word(index))
      var place = 0
      while place < word.count {
        let scalar = TextScalar.read(word.span, at: place)
        counts[scalar.value, default: 0] += words.counts[index]
        place += scalar.length
      }
    }
    let digits = hasDigits ? (0x30...0x39).map { UInt32($0) } : []
    for digit in digits { counts[digit, default: 0] += 0 }
    let sorted = counts.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
    let total = Double(counts.values.reduce(0, +))
    var chosen = digits
    var isChosen = Set(digits)
    var covered = 0.0
    for (scalar, count) in sorted {
      if !isChosen.contains(scalar) {
        guard covered < coverage * total, chosen.count < limit else { continue }
        chosen.append(scalar)
        isChosen.insert(scalar)
      }
      covered += Double(count)
    }
    scalars = chosen.sorted { (counts[$0] ?? 0, $1) > (counts[$1] ?? 0, $0) }
    known = isChosen
  }

  /// The text of a character.
  package static func text(_ scalar: UInt32) -> [UInt8] {
    Unicode.Scalar(scalar).map { Array(String(Character($0)).utf8) } ?? []
  }

  /// Whether a character has a piece.
  package func contains(_ scalar: UInt32) -> Bool { known.contains(scalar) }

  /// Calls `body` with the parts of a word that lie between unknown characters.
  package func forEachPart(of word: [UInt8], _ body: (Range<Int>) -> Void) {
    var start = 0
    var place = 0
    while place < word.count {
      let scalar = TextScalar.read(word.span, at: place)
      if !contains(scalar.value) {
        if start < place { body(start..<place) }
        start = place + scalar.length
      }
      place += scalar.length
    }
    if start < word.count { body(start..<word.count) }
  }
}
