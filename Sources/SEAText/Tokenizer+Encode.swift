// SPDX-License-Identifier: Apache-2.0
// Text to token ids: added tokens first, then normalised words through the model.

import SEATensor

/// A stretch of text, and whether control tokens may be recognised in it.
package struct TextRun: Sendable {
  package var bytes: [UInt8]
  /// Templates are trusted; what users and models wrote is not.
  package var isTrusted: Bool

  /// A run of bytes, which need not be well-formed text.
  package init(_ bytes: [UInt8], isTrusted: Bool) {
    self.bytes = bytes
    self.isTrusted = isTrusted
  }
}

extension Tokenizer {
  /// The token ids of a text.
  ///
  /// - Parameters:
  ///   - text: the text.
  ///   - recognizesSpecial: whether the text of a control token becomes that token; if not, it is
  ///     text like any other.
  ///   - addsTemplate: whether the tokenizer's own BOS and EOS are added.
  /// - Returns: the ids in order.
  package func encode(
    _ text: String,
    recognizesSpecial: Bool,
    addsTemplate: Bool
  ) -> [Int32] {
    encode(
      bytes: Array(text.utf8),
      recognizesSpecial: recognizesSpecial,
      addsTemplate: addsTemplate,
    )
  }

  /// The token ids of bytes; those that are no text become byte tokens where there are such tokens.
  package func encode(
    bytes: [UInt8],
    recognizesSpecial: Bool,
    addsTemplate: Bool
  ) -> [Int32] {
    let ids = encode([TextRun(bytes, isTrusted: recognizesSpecial)])
    return addsTemplate ? frame(ids) : ids
  }

  /// The ids of a text with the tokenizer's own before and after them.
  private func frame(_ ids: [Int32]) -> [Int32] {
    let hasSuffix =
      settings.sentencePiece?.addsSuffixOnce == true && ids.ends(with: settings.suffix)
    return settings.prefix + ids + (hasSuffix ? [] : settings.suffix)
  }

  /// The token ids of runs that follow one another as one text, without the tokenizer's template.
  ///
  /// Merges reach across runs; control tokens are recognised only inside trusted ones.
  /// - Complexity: O(n log n) in the number of bytes.
  package func encode(_ runs: [TextRun]) -> [Int32] {
    let walker = TextWalker(tokenizer: self, runs: runs)
    var ids: [Int32] = []
    var start = 0
    switch model {
    case .bytePair(let model, let merges, let joints):
      var encoder = BytePairEncoder(
        model: model,
        pieces: pieces,
        joints: joints,
        isTrusted: walker.isAllTrusted,
      )
      merges.withSpan { slots in
        walker.walk { step in
          switch step {
          case .token(let id): append(id, to: &ids)
          case .words(let list):
            let text = list.text.span
            for word in list.words {
              encoder.encode(text, word, merges: slots, to: &ids)
            }
          case .shield: start = ids.count
          case .unshield(let count): Self.drop(count, from: start, of: &ids)
          }
        }
      }
    case .unigram(let model):
      var encoder = UnigramEncoder(model)
      walker.walk { step in
        switch step {
        case .token(let id): append(id, to: &ids)
        case .words(let list):
          for word in list.words { encoder.encode(list.text.span, word, to: &ids) }
        case .shield: start = ids.count
        case .unshield(let count): Self.drop(count, from: start, of: &ids)
        }
      }
    }
    return ids
  }

  /// Appends a token found in the text; a visible space alone before the first one may go.
  private func append(_ id: Int32, to ids: inout [Int32]) {
    if ids.count == 1, settings.sentencePiece?.dropsLoneMark == true, flags(id).contains(.hasRole),
      piece(ids[0]) == SentencePieceRules.mark
    {
      ids.removeAll()
    }
    ids.append(id)
  }

  /// Takes the tokens of a shield away, if there are as many.
  private static func drop(_ count: Int, from start: Int, of ids: inout [Int32]) {
    guard ids.count - start >= count else { return }
    ids.removeSubrange(start..<start + count)
  }
}

extension [Int32] {
  fileprivate func ends(with suffix: [Int32]) -> Bool {
    self.suffix(suffix.count) == suffix[...]
  }
}

/// Walks through a text: added tokens as they come, and the words between them.
private struct TextWalker {
  enum Step {
    case token(Int32)
    case words(WordList)
    /// A shield starts here.
    case shield
    /// The stretch that the shield stands before is over; the shield has so many tokens.
    case unshield(Int)
  }

  let tokenizer: Tokenizer
  let text: [UInt8]
  let isAllTrusted: Bool
  private let trusted: [Range<Int>]
  private let untrusted: [Range<Int>]

  init(tokenizer: Tokenizer, runs: [TextRun]) {
    self.tokenizer = tokenizer
    var text: [UInt8] = []
    var trusted: [Range<Int>] = []
    var untrusted: [Range<Int>] = []
    let rules = tokenizer.settings.sentencePiece
    var runs = runs.filter { !$0.bytes.isEmpty }
    // Of the two libraries that put a mark first, one does so before nothing, too.
    if let rules, rules.startsWithMark, rules.canonicalizes || !runs.isEmpty {
      runs.insert(TextRun(SentencePieceRules.mark, isTrusted: true), at: 0)
    }
    for (index, run) in runs.enumerated() {
      var bytes = run.bytes
      if index > 0 || rules?.startsWithMark != true { rules?.prepare(&bytes) }
      let range = text.count..<text.count + bytes.count
      text += bytes
      if !run.isTrusted {
        untrusted.append(range)
      } else if let last = trusted.last, last.upperBound == range.lowerBound {
        trusted[trusted.count - 1] = last.lowerBound..<range.upperBound
      } else {
        trusted.append(range)
      }
    }
    self.text = text
    self.trusted = trusted
    self.untrusted = untrusted
    isAllTrusted = untrusted.isEmpty
  }

  func walk(_ body: (Step) -> Void) {
    let all = 0..<text.count
    let matches = tokenizer.rawTokens.matches(in: text.span, range: all, isTrusted: isTrusted)
    var start = 0
    for match in matches {
      if start < match.range.lowerBound { visit(start..<match.range.lowerBound, body) }
      body(.token(match.id))
      start = match.range.upperBound
    }
    if start < text.count { visit(start..<text.count, body) }
  }

  private func isTrusted(_ range: Range<Int>) -> Bool {
    isAllTrusted
      || trusted.contains {
        $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound
      }
  }

  /// Normalises a stretch without raw added tokens and looks for those in normalised text.
  private func visit(_ range: Range<Int>, _ body: (Step) -> Void) {
    if let normalizer = tokenizer.sentencePiece {
      visitStretch(range, normalizer, body)
      return
    }
    let fragment = normalize(range)
    let startsInput = range.lowerBound == 0 && !losesStart
    guard !tokenizer.normalizedTokens.isEmpty else {
      cut(fragment, startsInput: startsInput, body)
      return
    }
    // Trust is known by place in the text, which normalising shifts.
    let isOpen = isTrusted(range) || !mentionsControl(in: range)
    let matches = tokenizer.normalizedTokens.matches(
      in: fragment.span,
      range: 0..<fragment.count,
      isTrusted: { _ in isOpen },
    )
    var start = 0
    for match in matches {
      if start < match.range.lowerBound {
        let part = Array(fragment[start..<match.range.lowerBound])
        cut(part, startsInput: startsInput && start == 0, body)
      }
      body(.token(match.id))
      start = match.range.upperBound
    }
    guard start < fragment.count else { return }
    cut(Array(fragment[start...]), startsInput: startsInput && start == 0, body)
  }

  /// Normalises a stretch for a SentencePiece model, whose symbols are never merged with others.
  private func visitStretch(
    _ range: Range<Int>,
    _ normalizer: SentencePieceNormalizer,
    _ body: (Step) -> Void
  ) {
    let stretch = normalizer.rules.enclose(Array(text[range]))
    let fragment = normalizer.normalize(stretch.text)
    if stretch.shieldTokens > 0 { body(.shield) }
    let matches = tokenizer.normalizedTokens.matches(
      in: fragment.span,
      range: 0..<fragment.count,
      isTrusted: { _ in false },
    )
    var start = 0
    for match in matches {
      if start < match.range.lowerBound {
        body(.words(WordList(Array(fragment[start..<match.range.lowerBound]), startsInput: false)))
      }
      body(.token(match.id))
      start = match.range.upperBound
    }
    if start < fragment.count {
      let rest = start == 0 ? fragment : Array(fragment[start...])
      body(.words(WordList(rest, startsInput: false)))
    }
    if stretch.shieldTokens > 0 { body(.unshield(stretch.shieldTokens)) }
  }

  private func normalize(_ range: Range<Int>) -> [UInt8] {
    var fragment = range == 0..<text.count ? text : Array(text[range])
    for step in tokenizer.normalizers { step.apply(to: &fragment, charsmap: tokenizer.charsmap) }
    return fragment
  }

  /// Whether normalising removes the first character of the text.
  private var losesStart: Bool {
    let source = text.span
    guard !source.isEmpty, CharacterClass.isSpace(ScalarReader.read(source, at: 0).value) else {
      return false
    }
    return tokenizer.normalizers.contains {
      if case .strip(left: true, _) = $0 { true } else { false }
    }
  }

  /// Whether text that is not trusted names a control token that is looked for in normalised text.
  private func mentionsControl(in range: Range<Int>) -> Bool {
    untrusted.contains { run in
      guard run.overlaps(range) else { return false }
      let fragment = normalize(run.clamped(to: range))
      let matches = tokenizer.normalizedTokens.matches(
        in: fragment.span,
        range: 0..<fragment.count,
        isTrusted: { _ in true },
      )
      return matches.contains { tokenizer.flags($0.id).contains(.control) }
    }
  }

  private func cut(_ fragment: [UInt8], startsInput: Bool, _ body: (Step) -> Void) {
    var list = WordList(fragment, startsInput: startsInput)
    for step in tokenizer.preTokenizers { step.apply(to: &list) }
    body(.words(list))
  }
}
