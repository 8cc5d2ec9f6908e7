// SPDX-License-Identifier: Apache-2.0
// An answer beside those of ten people.

/// The scores of the VQA family: an answer is as good as the number of people who gave it.
package enum VQAScore {
  /// How good each answer is that one of the people gave.
  ///
  /// For an answer a: the mean over people i of min(1, others than i who said a / 3).
  ///
  /// - Parameter answers: in the form in which they are compared.
  /// - Returns: scores from 0 to 1.
  package static func table(_ answers: [String]) -> [String: Double] {
    var counts: [String: Int] = [:]
    for answer in answers { counts[answer, default: 0] += 1 }
    return counts.mapValues { count in
      // Of the people, `count` said it, each of whom has one fellow less.
      let own = Double(count) * min(1, Double(count - 1) / 3)
      let others = Double(answers.count - count) * min(1, Double(count) / 3)
      return (own + others) / Double(max(answers.count, 1))
    }
  }

  /// TextVQA's score: everything is normalised.
  ///
  /// - Source: `m4c_evaluator.py`, TextVQAAccuracyEvaluator; reference.md I.2.
  package static func text(_ prediction: String, among answers: [String]) -> Double {
    table(answers.map(AnswerNormalizer.normalize))[AnswerNormalizer.normalize(prediction)] ?? 0
  }

  /// The official VQA score: punctuation and words are put in order only where people differ.
  ///
  /// Where all ten gave the same answer the prediction must be that answer to the letter, capitals and
  /// all.
  /// - Source: the VQA evaluation tools; reference.md I.3.
  package static func official(_ prediction: String, among answers: [String]) -> Double {
    var answers = answers.map(AnswerNormalizer.trimmed)
    var prediction = AnswerNormalizer.trimmed(prediction)
    if Set(answers).count > 1 {
      answers = answers.map(AnswerNormalizer.official)
      prediction = AnswerNormalizer.official(prediction)
    }
    return table(answers)[prediction] ?? 0
  }
}
