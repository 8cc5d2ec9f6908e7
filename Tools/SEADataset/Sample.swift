// SPDX-License-Identifier: Apache-2.0
// One record of a dataset: a picture, if it has one, and a conversation about it.

package import SEAText

/// A conversation about one picture or none.
package struct Sample: Sendable, Equatable {
  /// A question and its answer.
  package struct Round: Sendable, Equatable {
    /// What the user says, without the mark of the picture.
    package var question: String
    /// The picture stands before the question.
    package var hasImage: Bool
    package var answer: String

    /// A finished round.
    package init(question: String, hasImage: Bool, answer: String) {
      self.question = question
      self.hasImage = hasImage
      self.answer = answer
    }
  }

  /// The record's own name.
  package var id: String
  /// Path of the picture as the record writes it; nil: text only.
  package var image: String?
  /// A system text that the record brings.
  package var system: String?
  /// At least one.
  package var rounds: [Round]

  /// A sample of finished rounds.
  package init(id: String, image: String?, system: String? = nil, rounds: [Round]) {
    self.id = id
    self.image = image
    self.system = system
    self.rounds = rounds
  }

  /// Words of all turns, white space between them: the length by which samples are grouped.
  ///
  /// - Source: LLaVA `llava_trainer.py`, `modality_lengths`.
  package var wordCount: Int {
    rounds.reduce(0) { $0 + Self.words($1.question) + Self.words($1.answer) }
  }

  /// The conversation to be rendered; a template that drops the user's words drops a system text too.
  package func prompt(for template: Template) -> Prompt {
    Prompt(
      system: template.discardsUserText ? nil : system,
      turns: rounds.map { round in
        // The mark stands alone before an empty question, as stripping leaves it.
        let text =
          round.hasImage && !round.question.isEmpty ? "\n" + round.question : round.question
        let parts: [Prompt.Part] =
          (round.hasImage ? [.image] : []) + (text.isEmpty ? [] : [.text(text)])
        return Prompt.Turn(parts, answer: round.answer)
      }
    )
  }

  private static func words(_ text: String) -> Int {
    var count = 0
    var isInside = false
    for scalar in text.unicodeScalars {
      let isSpace = scalar.properties.isWhitespace
      if !isSpace, !isInside { count += 1 }
      isInside = !isSpace
    }
    return count
  }
}
