// SPDX-License-Identifier: Apache-2.0
// The form of a conversation as text: what stands around the words of each speaker.

/// A conversation format.
///
/// A conversation is rendered as `opening`, the system text between its marks, then turn by turn the
/// user's words and the answer between theirs:
///
/// `opening systemPrefix SYSTEM systemSuffix (userPrefix USER userSuffix answerPrefix [answerGap
/// ANSWER answerSuffix turnSeparator])…`
///
/// An answer still to be written ends the text after `answerPrefix`.
package struct Template: Sendable, Equatable {
  package var name: String
  /// Text at the very start, before any system text.
  package var opening = ""
  /// The system text unless a caller brings another; nil leaves the system part out.
  package var system: String?
  /// Whether a caller may bring a system text.
  package var takesSystem = true
  package var systemPrefix = ""
  package var systemSuffix = ""
  package var userPrefix = ""
  package var userSuffix = ""
  package var answerPrefix = ""
  /// Between `answerPrefix` and the words of an answer.
  package var answerGap = ""
  /// Ends an answer; generation stops where it starts.
  package var answerSuffix = ""
  /// Between a finished answer and the next turn.
  package var turnSeparator = ""
  /// Whether only the images of a user's turn are rendered (captions have no instruction).
  package var discardsUserText = false
  /// Texts that end generation when they appear in the answer.
  package var stopTexts: [String] = []
  /// Tokens, by their text, that end generation.
  package var stopTokens: [String] = []

  /// A template without any text.
  package init(name: String) {
    self.name = name
  }

  /// Compares texts by their bytes.
  package static func == (left: Template, right: Template) -> Bool {
    left.json == right.json
  }
}
