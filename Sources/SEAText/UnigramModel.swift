// SPDX-License-Identifier: Apache-2.0
// The Unigram model: pieces with scores, of which a word's best cut is made.

import SEATensor

/// The immutable side of Unigram encoding.
struct UnigramModel: Sendable {
  let options: TokenizerSettings.Unigram
  let pieces: PieceIndex
  let prefixes: PrefixFilter
  /// F32 score of each id.
  let scores: ByteView
  let flags: [UInt8]
  let unknown: Int32?
  /// Ids of the tokens `<0x00>` … `<0xFF>`; −1 where absent.
  let byteTokens: [Int32]

  /// How much worse than the worst piece an unknown character is.
  private static let unknownPenalty = 10.0

  var unknownScore: Double {
    options.isSinglePrecision
      ? Double(options.lowestScore - Float(Self.unknownPenalty))
      : Double(options.lowestScore) - Self.unknownPenalty
  }

  /// Whether text may become this token.
  func isUsable(_ id: Int32) -> Bool {
    flags[Int(id)] & Self.neverFound == 0
  }

  private static let neverFound =
    PieceFlags([.control, .isInert, .isUnused]).rawValue

  /// The score of a piece of `length` bytes.
  func score(_ id: Int32, length: Int) -> Double {
    // A piece that the model was told to have is worth more the longer it is.
    if flags[Int(id)] & PieceFlags.isSymbol.rawValue != 0 {
      return Double(Float(Double(length) * 0.1 - 0.1))
    }
    return Double(Float(bitPattern: scores.loadLittleEndian(at: Int(id) * 4, as: UInt32.self)))
  }
}
