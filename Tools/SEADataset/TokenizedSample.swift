// SPDX-License-Identifier: Apache-2.0
// A sample as token ids, each with its part in the conversation and whether it is to be predicted.

package import SEAText

/// What a token belongs to.
package enum TokenPart: UInt8, Sendable, CaseIterable {
  case system
  case user
  /// The place of the picture.
  case visual
  case answer
  /// Ends an answer.
  case stop
}

/// The ids of a sample and which of them the model learns to say.
package struct TokenizedSample: Sendable, Equatable {
  /// `Prompt.imageID` in the place of the picture.
  package var ids: [Int32]
  package var parts: [TokenPart]
  /// Whether a token's prediction counts.
  package var isTarget: [Bool]

  /// A sample made of the three arrays.
  ///
  /// - Precondition: they have the same count.
  package init(ids: [Int32], parts: [TokenPart], isTarget: [Bool]) {
    precondition(ids.count == parts.count && ids.count == isTarget.count, "counts differ")
    self.ids = ids
    self.parts = parts
    self.isTarget = isTarget
  }

  /// Tokens whose prediction counts.
  package var targetCount: Int { isTarget.count { $0 } }

  /// Rows that the language model sees when a picture takes `visualTokens` of them.
  package func rows(visualTokens: Int) -> Int {
    let pictures = ids.count { $0 == Prompt.imageID }
    return ids.count - pictures + pictures * visualTokens
  }

  /// The first `rows` rows, when a picture takes `visualTokens` of them.
  ///
  /// The picture is cut out whole or not at all.
  /// - Source: LLaVA `llava_arch.py`, truncation after splicing.
  package func cut(toRows rows: Int, visualTokens: Int) -> TokenizedSample {
    var left = rows
    var count = 0
    for id in ids {
      left -= id == Prompt.imageID ? visualTokens : 1
      guard left >= 0 else { break }
      count += 1
    }
    return TokenizedSample(
      ids: Array(ids[..<count]),
      parts: Array(parts[..<count]),
      isTarget: Array(isTarget[..<count])
    )
  }
}

/// Turns conversations into ids.
package struct SampleTokenizer: Sendable {
  package let tokenizer: Tokenizer
  package let template: Template

  /// A tokenizer that speaks in the form of `template`.
  package init(_ tokenizer: Tokenizer, template: Template) {
    self.tokenizer = tokenizer
    self.template = template
  }

  private struct Piece {
    var runs: [(text: TextRun, part: TokenPart)] = []
  }

  /// The ids of the whole text, and each token's part.
  ///
  /// The whole is tokenised as upstream tokenises it: stretches between pictures each at once, so that
  /// merges reach across speakers. A token belongs to what comes before a border exactly when the text
  /// before the border alone yields it too; no token is counted twice, none is lost. The blank between
  /// a speaker's mark and the answer's first word is the answer's, as it is in the word's token.
  ///
  /// - Throws: `TextError.noSystemText` when the sample has a system text and the template no place.
  /// - Source: LLaVA `train.py`, `preprocess_v1`, `preprocess_plain`; reference.md F.4.
  package func encode(_ sample: Sample) throws(TextError) -> TokenizedSample {
    let prompt = sample.prompt(for: template)
    if prompt.system != nil, !template.takesSystem {
      throw .noSystemText(template: template.name)
    }
    var result = TokenizedSample(ids: [], parts: [], isTarget: [])
    for (index, piece) in pieces(of: prompt).enumerated() {
      if index > 0 { result.append(Prompt.imageID, .visual) }
      let runs = piece.runs.map(\.text)
      let ids = tokenizer.encode(runs)
      if index == 0, !ids.starts(with: tokenizer.settings.prefix) {
        for id in tokenizer.settings.prefix { result.append(id, .system) }
      }
      let borders = borders(of: piece, ids: ids)
      var start = 0
      for (part, end) in borders where end > start {
        for id in ids[start..<end] { result.append(id, part) }
        start = end
      }
    }
    return result
  }

  /// Where each part's tokens end; the last end is the number of ids.
  private func borders(of piece: Piece, ids: [Int32]) -> [(part: TokenPart, end: Int)] {
    var borders: [(part: TokenPart, end: Int)] = []
    for index in piece.runs.indices {
      let part = piece.runs[index].part
      let isLast = index + 1 == piece.runs.count
      guard isLast || piece.runs[index + 1].part != part else { continue }
      let end = isLast ? ids.count : sharedStart(piece.runs[...index].map(\.text), ids)
      borders.append((part, max(end, borders.last?.end ?? 0)))
    }
    return borders
  }

  /// Tokens that the text of `runs` alone and the whole have in common from the start.
  private func sharedStart(_ runs: [TextRun], _ ids: [Int32]) -> Int {
    let alone = tokenizer.encode(runs)
    var count = 0
    while count < min(alone.count, ids.count), alone[count] == ids[count] { count += 1 }
    return count
  }

  /// The conversation between its pictures, each run of text with its part.
  private func pieces(of prompt: Prompt) -> [Piece] {
    var pieces = [Piece()]
    func add(_ text: String, _ part: TokenPart, isTrusted: Bool) {
      guard !text.isEmpty else { return }
      let run = TextRun(Array(text.utf8), isTrusted: isTrusted)
      pieces[pieces.count - 1].runs.append((run, part))
    }
    add(template.opening, .system, isTrusted: true)
    if let system = prompt.system {
      add(template.systemPrefix, .system, isTrusted: true)
      add(system, .system, isTrusted: false)
      add(template.systemSuffix, .system, isTrusted: true)
    } else if let system = template.system {
      add(template.systemPrefix + system + template.systemSuffix, .system, isTrusted: true)
    }
    for (index, turn) in prompt.turns.enumerated() {
      add(template.userPrefix, .user, isTrusted: true)
      for part in turn.user {
        switch part {
        case .image: pieces.append(Piece())
        case .text(let text):
          if !template.discardsUserText { add(text, .user, isTrusted: false) }
        }
      }
      add(template.userSuffix + template.answerPrefix, .user, isTrusted: true)
      guard let answer = turn.answer else { continue }
      add(template.answerGap, .answer, isTrusted: true)
      add(answer, .answer, isTrusted: false)
      add(template.answerSuffix, .stop, isTrusted: true)
      if index + 1 < prompt.turns.count { add(template.turnSeparator, .user, isTrusted: true) }
    }
    return pieces
  }
}

extension TokenizedSample {
  fileprivate mutating func append(_ id: Int32, _ part: TokenPart) {
    ids.append(id)
    parts.append(part)
    isTarget.append(part == .answer || part == .stop)
  }
}
