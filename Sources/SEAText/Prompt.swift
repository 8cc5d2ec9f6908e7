// SPDX-License-Identifier: Apache-2.0
// A conversation to be rendered by a template and turned into token ids with places for images.

/// A stretch of a rendered prompt.
package enum PromptSegment: Sendable, Equatable {
  /// Text of the template, where control tokens are recognised.
  case template(String)
  /// What a user or a model wrote: text and nothing else.
  case text(String)
  /// The place of an image.
  case image
}

/// A conversation.
package struct Prompt: Sendable {
  /// The mark that stands for an image in text.
  package static let imageMark = "<image>"
  /// The id that stands for an image among token ids.
  /// - Source: LLaVA `constants.py`, IMAGE_TOKEN_INDEX.
  package static let imageID: Int32 = -200

  /// A piece of a user's message.
  package enum Part: Sendable, Equatable {
    case text(String)
    case image
  }

  /// What a user said, and the answer if there is one already.
  package struct Turn: Sendable {
    package var user: [Part]
    package var answer: String?

    /// A turn with its message in parts.
    package init(_ user: [Part], answer: String? = nil) {
      self.user = user
      self.answer = answer
    }

    /// A turn whose images come first, each followed by a line end.
    package init(_ text: String, images: Int = 0, answer: String? = nil) {
      let marks = (0..<images).flatMap { _ in [Part.image, .text("\n")] }
      self.init(marks + [.text(text)], answer: answer)
    }

    /// A turn whose text marks the places of its images; without marks the images come first.
    ///
    /// - Throws: `TextError.imageCount` when marks and images differ in number.
    package init(marked text: String, images: Int, answer: String? = nil) throws(TextError) {
      let parts = Self.split(text)
      let marks = parts.filter { $0 == .image }.count
      guard marks == images || marks == 0 else {
        throw .imageCount(marks: marks, images: images)
      }
      if marks == 0 {
        self.init(text, images: images, answer: answer)
      } else {
        self.init(parts, answer: answer)
      }
    }

    private static func split(_ text: String) -> [Part] {
      let bytes = Array(text.utf8)
      var parts: [Part] = []
      TextPattern.literal(Array(Prompt.imageMark.utf8)).forEachPart(
        of: bytes.span,
        in: 0..<bytes.count
      ) { range, isMatch in
        parts.append(isMatch ? .image : .text(String(decoding: bytes[range], as: UTF8.self)))
      }
      return parts
    }
  }

  /// Replaces the template's system text.
  package var system: String?
  package var turns: [Turn]

  /// A conversation; the last turn has no answer when one is to be generated.
  package init(system: String? = nil, turns: [Turn]) {
    self.system = system
    self.turns = turns
  }

  /// Number of images in all turns.
  package var imageCount: Int {
    turns.reduce(0) { $0 + $1.user.count { $0 == .image } }
  }
}

// MARK: - Rendering

extension Prompt {
  /// The conversation in the form of `template`.
  ///
  /// - Throws: `TextError.noSystemText` when there is a system text and the template has no place.
  package func segments(_ template: Template) throws(TextError) -> [PromptSegment] {
    if system != nil, !template.takesSystem { throw .noSystemText(template: template.name) }
    var segments: [PromptSegment] = [.template(template.opening)]
    if let system {
      segments += [
        .template(template.systemPrefix), .text(system), .template(template.systemSuffix),
      ]
    } else if let text = template.system {
      segments.append(.template(template.systemPrefix + text + template.systemSuffix))
    }
    for (index, turn) in turns.enumerated() {
      segments += Self.segments(turn, template)
      if turn.answer != nil, index + 1 < turns.count {
        segments.append(.template(template.turnSeparator))
      }
    }
    return segments
  }

  private static func segments(_ turn: Turn, _ template: Template) -> [PromptSegment] {
    var segments: [PromptSegment] = [.template(template.userPrefix)]
    for part in turn.user {
      switch part {
      case .image: segments.append(.image)
      case .text(let text): if !template.discardsUserText { segments.append(.text(text)) }
      }
    }
    segments.append(.template(template.userSuffix + template.answerPrefix))
    if let answer = turn.answer {
      segments += [
        .template(template.answerGap), .text(answer), .template(template.answerSuffix),
      ]
    }
    return segments
  }

  /// The conversation as one text, images as marks.
  ///
  /// - Throws: as `segments`.
  package func text(_ template: Template) throws(TextError) -> String {
    try segments(template).reduce(into: "") { text, segment in
      switch segment {
      case .template(let part), .text(let part): text += part
      case .image: text += Self.imageMark
      }
    }
  }
}

extension Tokenizer {
  /// The ids of a rendered prompt, `Prompt.imageID` in the place of each image.
  ///
  /// Text before, between and after images is tokenised piece by piece, each as a text of its own.
  /// The tokenizer's BOS stands before the first piece only, and not where the template has its own.
  /// - Source: LLaVA `mm_utils.py`, `tokenizer_image_token`; reference.md F.1.
  package func encode(_ segments: [PromptSegment]) -> [Int32] {
    var pieces: [[TextRun]] = [[]]
    for segment in segments {
      switch segment {
      case .template(let text):
        pieces[pieces.count - 1].append(TextRun(Array(text.utf8), isTrusted: true))
      case .text(let text):
        pieces[pieces.count - 1].append(TextRun(Array(text.utf8), isTrusted: false))
      case .image: pieces.append([])
      }
    }
    var ids: [Int32] = []
    for (index, piece) in pieces.enumerated() {
      let text = encode(piece)
      if index > 0 { ids.append(Prompt.imageID) }
      if index == 0, !text.starts(with: settings.prefix) { ids += settings.prefix }
      ids += text
    }
    return ids
  }
}
