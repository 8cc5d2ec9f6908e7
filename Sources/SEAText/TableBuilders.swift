// SPDX-License-Identifier: Apache-2.0
// The writing side of the tables: what the converter needs to compile a tokenizer.

package import SEAFormat
package import SEATensor

/// A pair of tokens that is merged into one; of several the lowest rank comes first.
package struct Merge: Sendable, Equatable {
  package var left: Int32
  package var right: Int32
  package var id: Int32
  package var rank: UInt32

  /// A merge with every field given.
  package init(left: Int32, right: Int32, id: Int32, rank: UInt32) {
    self.left = left
    self.right = right
    self.id = id
    self.rank = rank
  }
}

/// Builds the table of merges.
package enum MergeTableBuilder {
  /// The bytes of a table of these merges and its longest search.
  package static func build(
    _ merges: [Merge]
  ) -> (bytes: [UInt8], longestProbe: Int) {
    MergeTable.build(merges)
  }
}

/// Builds the index of pieces.
package enum PieceIndexBuilder {
  /// The bytes of an index of these ids, and its longest search.
  package static func build(
    _ ids: [Int32],
    piece: (Int32) -> ArraySlice<UInt8>
  ) -> (bytes: [UInt8], longestProbe: Int) {
    PieceIndex.build(ids, piece: piece)
  }
}

/// Builds the filter of prefixes.
package enum PrefixFilterBuilder {
  /// The bytes of a filter for these pieces.
  package static func build(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
    PrefixFilter.build(pieces)
  }
}

/// Finds pieces in tables that are being built.
package struct PieceLookup {
  private let pieces: PieceIndex

  /// A view of finished tables.
  ///
  /// - Precondition: the offsets rise from 0 to the pool's length.
  package init(pool: [UInt8], offsets: [UInt8], index: [UInt8], probeLimit: Int) {
    pieces = PieceIndex(
      slots: ByteView(index),
      offsets: ByteView(offsets),
      pool: ByteView(pool),
      probeLimit: probeLimit,
      count: offsets.count / 4 - 1,
    )
  }

  /// The id of a piece, or nil.
  package func find(_ piece: [UInt8]) -> Int32? {
    let all = 0..<piece.count
    return pieces.find(piece.span, all, hash: PieceIndex.hash(piece.span, all))
  }
}

/// Normalises text outside a tokenizer.
package enum TextNormalization {
  /// The text after the steps of a tokenizer file's `normalizer`.
  ///
  /// - Throws: `TextError` when a step is not supported.
  package static func apply(
    _ normalizer: JSONValue,
    charsmap: ByteView?,
    to text: [UInt8]
  ) throws(TextError) -> [UInt8] {
    let steps = try TokenizerComponents.normalizers(normalizer)
    let map = try charsmap.map { bytes throws(TextError) in try Charsmap(bytes) }
    var text = text
    for step in steps { step.apply(to: &text, charsmap: map) }
    return text
  }
}
