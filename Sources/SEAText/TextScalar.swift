// SPDX-License-Identifier: Apache-2.0
// Characters of a text and their kinds, as tokenizers tell them apart, for whoever makes tokenizers.

package import SEAFormat

/// Reads a text character by character.
package enum TextScalar {
  /// What a character is to a word.
  package enum Kind: Sendable {
    /// A letter, a mark on one, or another part of words.
    case word
    /// `\p{N}`
    case number
    /// White space.
    case space
    /// Anything else.
    case sign
    /// A control character, or a byte that is no text.
    case control
  }

  /// The scalar that starts at `index` and its length in bytes; a stray byte has length 1.
  ///
  /// - Precondition: `index` is within `text`.
  @inline(__always)
  package static func read(_ text: Span<UInt8>, at index: Int) -> (value: UInt32, length: Int) {
    ScalarReader.read(text, at: index)
  }

  /// The kind of a scalar.
  package static func kind(_ scalar: UInt32) -> Kind {
    guard scalar != ScalarReader.stray else { return .control }
    switch CharacterClass.of(scalar) {
    case .letter: return .word
    case .number: return .number
    case .space: return .space
    case .other:
      if scalar < 0x20 || scalar == 0x7f { return .control }
      return scalar >= 0x80 && CharacterClass.isWord(scalar) ? .word : .sign
    }
  }
}

/// Cuts text into words as the components of a tokenizer file say.
package struct TextSegmentation: Sendable {
  private let normalizers: [Normalizer]
  private let preTokenizers: [PreTokenizer]

  /// Reads the components `normalizer` and `pre_tokenizer`.
  ///
  /// - Throws: `TextError` naming what is not supported.
  package init(normalizer: JSONValue, preTokenizer: JSONValue) throws(TextError) {
    normalizers = try TokenizerComponents.normalizers(normalizer)
    preTokenizers = try TokenizerComponents.preTokenizers(preTokenizer)
  }

  /// Calls `body` with each word of `text`, in order.
  package func forEachWord(
    of text: [UInt8],
    _ body: (_ text: Span<UInt8>, _ word: Range<Int>) -> Void
  ) {
    var text = text
    for step in normalizers { step.apply(to: &text, charsmap: nil) }
    var list = WordList(text, startsInput: true)
    for step in preTokenizers { step.apply(to: &list) }
    for word in list.words { body(list.text.span, word) }
  }
}
