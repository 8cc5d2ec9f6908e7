// SPDX-License-Identifier: Apache-2.0
// Token ids to text as they come.

/// Turns token ids into text, giving out only what later tokens cannot change.
///
/// What `push` and `finish` return, joined, is the text of the whole sequence. Each part is
/// well-formed UTF-8. A run of byte tokens comes out when it ends, because an invalid byte anywhere
/// in it changes all of it.
package struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecial: Bool
  private var stages: [DecoderStage]

  /// A decoder at the start of a sequence.
  package init(_ tokenizer: Tokenizer, skipsSpecial: Bool) {
    self.tokenizer = tokenizer
    self.skipsSpecial = skipsSpecial
    stages = DecoderStage.stages(tokenizer.decoders)
  }

  /// Takes one more id and returns the text that has become final; an unknown id has no text.
  package mutating func push(_ id: Int32) -> [UInt8] {
    guard let piece = tokenizer.piece(id) else { return [] }
    if skipsSpecial, tokenizer.flags(id).contains(.special) { return [] }
    var output: [UInt8] = []
    feed(piece, to: 0, &output)
    return output
  }

  /// Returns the rest of the text.
  package mutating func finish() -> [UInt8] {
    var output: [UInt8] = []
    for index in stages.indices {
      for token in stages[index].finish() { feed(token, to: index + 1, &output) }
    }
    return output
  }

  private mutating func feed(_ token: [UInt8], to index: Int, _ output: inout [UInt8]) {
    guard index < stages.count else {
      output += token
      return
    }
    for result in stages[index].take(token) { feed(result, to: index + 1, &output) }
  }
}

extension Tokenizer {
  /// The text of a sequence of ids, special tokens left out if `skipsSpecial`.
  package func decode(_ ids: [Int32], skipsSpecial: Bool) -> [UInt8] {
    var decoder = StreamingDecoder(self, skipsSpecial: skipsSpecial)
    var text: [UInt8] = []
    for id in ids { text += decoder.push(id) }
    return text + decoder.finish()
  }
}
