// SPDX-License-Identifier: Apache-2.0
// Cutting normalised text into the words that merges stay within.

/// What becomes of the matches of a splitting pattern.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case contiguous = "Contiguous"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
}

/// Which pieces of text get a space before them.
enum PrependScheme: String, Sendable {
  case always
  /// Only the piece that starts the text.
  case first
  case never
}

/// One step that cuts words, and may rewrite them.
enum PreTokenizer: Equatable, Sendable {
  /// Cuts at the matches of a pattern, or between them when inverted.
  case split(TextPattern, SplitBehavior, isInverted: Bool)
  /// Cuts by the GPT-2 pattern if asked; the model then works on single bytes.
  case byteLevel(addsBlank: Bool, usesPattern: Bool)
  /// Writes spaces as a visible character and cuts before each.
  case metaspace(mark: [UInt8], PrependScheme, splits: Bool)
  /// Cuts numbers out, digit by digit if asked.
  case digits(isIndividual: Bool)
  /// Keeps what lies between white space.
  case whitespaceSplit
}

/// Text and the words in it.
struct WordList {
  var text: [UInt8]
  var words: [Range<Int>]
  /// Whether the text starts where the whole input starts.
  let startsInput: Bool

  init(_ text: [UInt8], startsInput: Bool) {
    self.text = text
    words = text.isEmpty ? [] : [0..<text.count]
    self.startsInput = startsInput
  }
}

extension PreTokenizer {
  /// Cuts every word of `list` further.
  func apply(to list: inout WordList) {
    switch self {
    case .split(let pattern, let behavior, let isInverted):
      Self.split(&list, pattern, behavior, isInverted: isInverted)
    case .byteLevel(let addsBlank, let usesPattern):
      if addsBlank {
        Self.rewrite(&list) { text, word, _, output in
          if text[word.lowerBound] != 0x20 { output.append(0x20) }
          output.append(contentsOf: text[word])
        }
      }
      if usesPattern { Self.split(&list, .gpt2, .isolated, isInverted: false) }
    case .metaspace(let mark, let scheme, let splits):
      Self.markSpaces(&list, mark, scheme)
      if splits { Self.split(&list, .literal(mark), .mergedWithNext, isInverted: false) }
    case .digits(let isIndividual):
      let behavior: SplitBehavior = isIndividual ? .isolated : .contiguous
      Self.split(&list, .number, behavior, isInverted: false)
    case .whitespaceSplit:
      Self.split(&list, .spaces(minimum: 1), .removed, isInverted: false)
    }
  }

  private static func markSpaces(_ list: inout WordList, _ mark: [UInt8], _ scheme: PrependScheme) {
    let startsInput = list.startsInput
    rewrite(&list) { text, word, isFirst, output in
      let isAtStart = isFirst && startsInput
      let start = output.count
      for byte in text[word] {
        if byte == 0x20 { output.append(contentsOf: mark) } else { output.append(byte) }
      }
      guard scheme == .always || scheme == .first && isAtStart else { return }
      if !output[start...].starts(with: mark) { output.insert(contentsOf: mark, at: start) }
    }
  }

  /// Writes every word anew into a fresh text.
  private static func rewrite(
    _ list: inout WordList,
    _ body: (
      _ text: [UInt8], _ word: Range<Int>, _ isFirst: Bool, _ output: inout [UInt8]
    ) -> Void
  ) {
    var output: [UInt8] = []
    output.reserveCapacity(list.text.count + list.text.count / 4)
    var words: [Range<Int>] = []
    for word in list.words {
      let start = output.count
      body(list.text, word, word.lowerBound == 0, &output)
      words.append(start..<output.count)
    }
    list.text = output
    list.words = words
  }

  private static func split(
    _ list: inout WordList,
    _ pattern: TextPattern,
    _ behavior: SplitBehavior,
    isInverted: Bool
  ) {
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var words: [Range<Int>] = []
    let bytes = list.text
    let text = bytes.span
    for word in list.words {
      // The common case needs no list of parts.
      if behavior == .isolated {
        pattern.forEachPart(of: text, in: word) { part, _ in words.append(part) }
        continue
      }
      parts.removeAll(keepingCapacity: true)
      pattern.forEachPart(of: text, in: word) { parts.append(($0, $1 != isInverted)) }
      append(parts, behavior, to: &words)
    }
    list.words = words
  }

  private static func append(
    _ parts: [(range: Range<Int>, isMatch: Bool)],
    _ behavior: SplitBehavior,
    to words: inout [Range<Int>]
  ) {
    let first = words.count
    switch behavior {
    case .isolated:
      words += parts.map(\.range)
    case .removed:
      words += parts.filter { !$0.isMatch }.map(\.range)
    case .contiguous:
      var previous: Bool?
      for part in parts {
        join(part.range, to: &words, when: part.isMatch == previous)
        previous = part.isMatch
      }
    case .mergedWithPrevious:
      var previous = false
      for part in parts {
        join(part.range, to: &words, when: part.isMatch && !previous && words.count > first)
        previous = part.isMatch
      }
    case .mergedWithNext:
      // The last of a run of matches joins what follows it.
      var previous = false
      for (index, part) in parts.enumerated() {
        let endsRun = index > 0 && previous && !part.isMatch
        join(part.range, to: &words, when: endsRun)
        previous = part.isMatch
      }
    }
  }

  private static func join(_ range: Range<Int>, to words: inout [Range<Int>], when joins: Bool) {
    if joins, let last = words.indices.last {
      words[last] = words[last].lowerBound..<range.upperBound
    } else {
      words.append(range)
    }
  }
}
