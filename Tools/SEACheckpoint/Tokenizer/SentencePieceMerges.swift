// SPDX-License-Identifier: Apache-2.0
// The merges that the scores of a SentencePiece byte-pair model stand for.

import SEAFormat
import SEAText

/// Lists every way in which two pieces make a third.
///
/// The library merges neighbours whenever their texts together are a piece, the piece of the highest
/// score first and the leftmost among equals. As pairs of ids: pieces of one score share a rank.
/// - Source: sentencepiece `bpe_model.cc`, `SampleEncode`.
struct SentencePieceMerges {
  private let model: SentencePieceModel
  /// Ids of the pieces that merges may touch.
  private var ids = ByteDictionary()
  /// Pieces that are never merged with others.
  private var symbols = ByteDictionary()

  init(_ model: SentencePieceModel) {
    self.model = model
    for (id, piece) in model.pieces.enumerated() {
      if Self.isMergeable(piece) { _ = ids.insert(piece.text, id) }
      if piece.kind == .userDefined { _ = symbols.insert(piece.text, id) }
    }
  }

  /// The most bytes of sides that are looked up; 256,000 pieces of released models need 10^8.
  private static let maximumWork = 1 << 31

  private static func isMergeable(_ piece: SentencePieceModel.Piece) -> Bool {
    piece.kind == .normal || piece.kind == .unused
  }

  /// The merges, those of one piece together.
  ///
  /// - Throws: `CheckpointError` for a piece that the library would make from a character that is no
  ///   piece, or when there are too many long pieces.
  func all() throws(CheckpointError) -> [Merge] {
    let ranks = ranks()
    var merges: [Merge] = []
    var work = 0
    for (id, piece) in model.pieces.enumerated() where Self.isMergeable(piece) {
      work += piece.text.count * piece.text.count
      guard work <= Self.maximumWork else {
        throw .malformed(path: model.path, problem: "too many long pieces")
      }
      let text = piece.text
      for cut in text.indices.dropFirst() where text[cut] & 0xc0 != 0x80 {
        let left = Array(text[..<cut])
        let right = Array(text[cut...])
        let leftID = ids[left]
        let rightID = leftID == nil && !Self.isCharacter(left) ? nil : ids[right]
        if let leftID, let rightID {
          merges.append(
            Merge(left: Int32(leftID), right: Int32(rightID), id: Int32(id), rank: ranks[id])
          )
        } else if (leftID != nil || isLoose(left)) && (rightID != nil || isLoose(right)) {
          let name = String(decoding: text, as: UTF8.self).printable(limit: 40)
          throw .unsupported(
            path: model.path,
            what: "pieces[\(id)] '\(name)', which has a character that is no piece",
          )
        }
      }
    }
    return merges
  }

  /// Whether a text can stand as a symbol though it is no piece: a single character.
  private func isLoose(_ text: [UInt8]) -> Bool {
    Self.isCharacter(text) && symbols[text] == nil
  }

  private static func isCharacter(_ text: [UInt8]) -> Bool {
    text.count <= 4 && text.dropFirst().allSatisfy { $0 & 0xc0 == 0x80 }
  }

  /// The rank of each piece: how many higher scores there are.
  private func ranks() -> [UInt32] {
    let scores = model.pieces.map(\.score)
    var ranks = [UInt32](repeating: 0, count: scores.count)
    var rank: UInt32 = 0
    var last: Float?
    for id in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      if let last, scores[id] != last { rank += 1 }
      last = scores[id]
      ranks[id] = rank
    }
    return ranks
  }
}
