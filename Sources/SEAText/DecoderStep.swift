// SPDX-License-Identifier: Apache-2.0
// The steps that turn token texts back into text, as tokenizer files list them.

/// One step of decoding.
enum DecoderStep: Equatable, Sendable {
  /// Replaces every match of a pattern within each token.
  case replace(TextPattern, by: [UInt8])
  /// Turns runs of tokens like `<0x0A>` into the bytes they name.
  case byteFallback
  /// The same, one character after the other, each byte of a broken one replaced by itself.
  case bytePieces
  /// Makes one text of all tokens.
  case fuse
  /// Removes up to so many of one character at the ends of each token.
  case strip([UInt8], start: Int, stop: Int)
  /// Reads each character as a byte and the bytes as text.
  case byteLevel
  /// Turns the visible space back into a space, and drops it from the first token.
  case metaspace(mark: [UInt8], dropsFirst: Bool)
  /// Turns the end-of-word suffix into a space, and drops it from the last token.
  case wordEnds([UInt8])
  /// Puts a space between tokens: what happens where a file names no decoder.
  case joinedByBlanks
  /// Turns the end-of-word suffix in the finished text into a space and trims the text.
  case suffixToBlank([UInt8])
}
