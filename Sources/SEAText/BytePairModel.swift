// SPDX-License-Identifier: Apache-2.0
// The byte-pair model: what a word's first symbols are, and where a text may be cut.

/// The immutable side of byte-pair encoding.
struct BytePairModel: Sendable {
  let options: TokenizerSettings.BytePair
  let merges: MergeTable
  /// Ids of the 128 ASCII characters, or of the 256 bytes of a byte-level model; −1 where absent.
  let symbols: [Int32]
  /// The same with the word suffix, for the last symbol of a word.
  let lastSymbols: [Int32]
  /// Ids of the tokens `<0x00>` … `<0xFF>`; −1 where absent.
  let byteTokens: [Int32]
  let unknown: Int32?
  /// What is known about each id, where some must be kept out of the result.
  let flags: [UInt8]?

  /// U+2581, the visible space of SentencePiece.
  static let visibleSpace: UInt32 = 0x2581
}

/// Which kinds of neighbours a merge may join.
///
/// A character is told apart if it is ASCII (0…127) or the visible space (128); all others share a
/// kind (129). The bit of a pair is set when some merge result has those neighbours in it. Where it
/// is clear, no merge ever crosses, so the text may be cut there: the heap of merges never holds an
/// entry for that place, and entries on either side do not touch each other.
package struct Joints: Sendable {
  package static let kinds = 130
  package static let byteCount = (kinds * kinds + 7) / 8

  package var bits: [UInt8]

  /// Joints where nothing may be joined.
  package init() {
    bits = [UInt8](repeating: 0, count: Self.byteCount)
  }

  /// Joints as stored.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    bits = bytes
  }

  /// The kind of a character; stray bytes are like any other.
  @inline(__always)
  package static func kind(_ scalar: UInt32) -> Int {
    if scalar < 0x80 { return Int(scalar) }
    return scalar == BytePairModel.visibleSpace ? 128 : 129
  }

  /// Whether a merge may join characters of these kinds.
  @inline(__always)
  func joins(_ left: Int, _ right: Int) -> Bool {
    let bit = left &* Self.kinds &+ right
    return bits[bit >> 3] >> UInt8(bit & 7) & 1 == 1
  }

  /// Notes that a merge joins characters of these kinds.
  package mutating func join(_ left: Int, _ right: Int) {
    let bit = left * Self.kinds + right
    bits[bit / 8] |= 1 << UInt8(bit % 8)
  }

  /// Notes every pair of neighbours in the text of a merge result.
  package mutating func join(allOf piece: [UInt8]) {
    let text = piece.span
    var index = 0
    var previous: Int?
    while index < text.count {
      let scalar = ScalarReader.read(text, at: index)
      let kind = Self.kind(scalar.value)
      if let previous { join(previous, kind) }
      previous = kind
      index += scalar.length
    }
  }
}
