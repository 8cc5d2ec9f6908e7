// SPDX-License-Identifier: Apache-2.0
// Short answers brought into one form, as the public VQA scripts do it, slips included.

/// The answer forms of the VQA family.
///
/// - Source: `m4c_evaluator.py` (EvalAIAnswerProcessor) and the VQA evaluation tools; reference.md I.1.
package enum AnswerNormalizer {
  private typealias Pieces = TextPieces

  /// The form in which answers are submitted and TextVQA's are compared.
  package static func normalize(_ text: String) -> String {
    var answer = Pieces.scalars(text.lowercased())
    answer.removeAll { $0 == "," || $0 == "?" }
    answer = Pieces.replacing(answer, ["'", "s"], with: [" ", "'", "s"])
    answer = Pieces.stripped(answer)
    answer = spaced(answer)
    answer = Pieces.stripped(answer)
    return wordForm(withoutPunctuation(answer))
  }

  /// The form of the official VQA script, where the ten answers differ: punctuation, then words.
  package static func official(_ text: String) -> String {
    wordForm(withoutPunctuation(Pieces.scalars(text)))
  }

  /// What the official VQA script does to every answer: line ends and tabs become spaces, the ends go.
  package static func trimmed(_ text: String) -> String {
    Pieces.string(Pieces.stripped(spaced(Pieces.scalars(text))))
  }

  private static func spaced(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    text.map { $0 == "\n" || $0 == "\t" ? " " : $0 }
  }

  // MARK: - Punctuation

  /// Colon, period, apostrophe and currency signs are not among them.
  private static let punctuation: [Unicode.Scalar] = [
    ";", "/", "[", "]", "\"", "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",",
    "?", "!",
  ]

  /// Periods that are removed at most: a flag stands where the script's library expects a count.
  private static let periodLimit = 32

  /// Deletes marks that stand beside a space, makes others a space, and deletes periods.
  ///
  /// Whether a mark stands beside a space is asked of the whole text as it came; one digit-comma-digit
  /// anywhere makes every mark one to delete. A period goes unless a digit follows: the look-behind of
  /// the script's pattern is mistyped and never applies.
  private static func withoutPunctuation(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result = text
    let hasNumberComma = text.indices.contains { index in
      text[index] == "," && index > 0 && index + 1 < text.count
        && Pieces.isDigit(text[index - 1]) && Pieces.isDigit(text[index + 1])
    }
    for mark in punctuation {
      let isDeleted =
        hasNumberComma || Pieces.contains(text, [mark, " "]) || Pieces.contains(text, [" ", mark])
      if isDeleted {
        result.removeAll { $0 == mark }
      } else {
        result = result.map { $0 == mark ? " " : $0 }
      }
    }
    var removed = 0
    var kept: [Unicode.Scalar] = []
    for (index, scalar) in result.enumerated() {
      let precedesDigit = index + 1 < result.count && Pieces.isDigit(result[index + 1])
      if scalar == ".", !precedesDigit, removed < periodLimit {
        removed += 1
      } else {
        kept.append(scalar)
      }
    }
    return kept
  }

  // MARK: - Words

  private static let numbers = [
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
  ]

  /// Number words as digits, no articles, contractions in order, single spaces.
  private static func wordForm(_ text: [Unicode.Scalar]) -> String {
    Pieces.words(Pieces.scalars(Pieces.string(text).lowercased()))
      .map { Pieces.string($0) }
      .map { numbers[$0] ?? $0 }
      .filter { $0 != "a" && $0 != "an" && $0 != "the" }
      .map { Contractions.table[$0] ?? $0 }
      .joined(separator: " ")
  }
}
