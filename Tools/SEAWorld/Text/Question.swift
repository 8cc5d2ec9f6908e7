// SPDX-License-Identifier: Apache-2.0
// A question about a scene with its only answer.

/// What a question asks for.
package enum QuestionKind: String, CaseIterable, Sendable {
  /// What is in a place.
  case what
  /// The colour of a thing.
  case color
  /// How many of a kind, or of all.
  case count
  /// The place of a thing.
  case place = "where"
  /// Whether something is so.
  case yesNo = "yesno"
  /// The number on a thing.
  case read
  /// One of four options, by its letter.
  case choice
  /// About what is not there.
  case unanswerable
  /// Whether a thing is large or small.
  case size
  /// Day, night or fog.
  case light
  /// What is beside, above or below a thing.
  case relation
}

/// A question with its answer.
package struct Question: Sendable, Equatable {
  package let kind: QuestionKind
  /// Without a request for the form of the answer, except where options are given.
  package let text: String
  package let answer: String
  /// Index of the thing it is about, where there is one.
  package let thing: Int?

  /// A question about a thing, or about the whole.
  package init(_ kind: QuestionKind, _ text: String, _ answer: String, thing: Int? = nil) {
    self.kind = kind
    self.text = text
    self.answer = answer
    self.thing = thing
  }

  /// The answer where there is none.
  package static let noAnswer = "unanswerable"

  // The requests that the published benchmarks add to their questions; reference.md I.

  /// Asks for a short answer.
  package static let shortAnswer = "\nAnswer the question using a single word or phrase."
  /// Asks for a letter.
  package static let letterAnswer =
    "\nAnswer with the option's letter from the given choices directly."
  /// Allows to refuse.
  package static let mayRefuse =
    "\nWhen the provided information is insufficient, respond with 'Unanswerable'."
}
