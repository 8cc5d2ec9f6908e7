// SPDX-License-Identifier: Apache-2.0
// The Unigram model: the best-scoring way to cut a word into pieces.

import SEATensor

/// Viterbi search over the pieces of a word, in double precision; of equals the earlier start wins.
/// - Source: Hugging Face tokenizers, `unigram/model.rs`, `encode_optimized`.
struct UnigramModel: Sendable {
  let options: TokenizerSettings.Unigram
  let pieces: PieceIndex
  /// F32 score of each id.
  let scores: ByteView
  let flags: [UInt8]
  let unknown: Int32?
  /// Ids of the tokens `<0x00>` … `<0xFF>`; −1 where absent.
  let byteTokens: [Int32]

  /// How much worse than the worst piece an unknown character is.
  private static let unknownPenalty = 10.0

  /// The best way to reach a place in the word.
  private struct Node {
    var start = -1
    var id: Int32 = -1
    var score = 0.0
  }

  /// Appends the tokens of `range` of `text`.
  func encode(_ text: Span<UInt8>, _ range: Range<Int>, to ids: inout [Int32]) {
    let nodes = search(text, range)
    var path: [(range: Range<Int>, id: Int32)] = []
    var end = range.count
    while end > 0 {
      let node = nodes[end]
      path.append(((range.lowerBound + node.start)..<(range.lowerBound + end), node.id))
      end = node.start
    }
    var followsUnknown = false
    for step in path.reversed() {
      guard step.id < 0 else {
        ids.append(step.id)
        followsUnknown = false
        continue
      }
      if appendByteTokens(text, step.range, to: &ids) { continue }
      if !followsUnknown, let unknown { ids.append(unknown) }
      followsUnknown = true
    }
  }

  private func search(_ text: Span<UInt8>, _ range: Range<Int>) -> [Node] {
    var nodes = [Node](repeating: Node(), count: range.count + 1)
    let unknownScore = Double(options.lowestScore) - Self.unknownPenalty
    var start = range.lowerBound
    while start < range.upperBound {
      let base = nodes[start - range.lowerBound].score
      let single = ScalarReader.read(text, at: start).length
      let limit = min(range.upperBound, start + options.longestPiece)
      var hasSingle = false
      var hash = PieceIndex.seed
      var end = start
      while end < limit {
        let length = ScalarReader.read(text, at: end).length
        guard end + length <= limit else { break }
        for offset in 0..<length { hash = PieceIndex.extend(hash, by: text[end + offset]) }
        end += length
        guard let id = pieces.find(text, start..<end, hash: hash), isUsable(id) else { continue }
        if end - start == single { hasSingle = true }
        relax(
          &nodes[end - range.lowerBound],
          from: start - range.lowerBound,
          id,
          score(id) + base,
        )
      }
      if !hasSingle {
        let target = start + single - range.lowerBound
        relax(&nodes[target], from: start - range.lowerBound, -1, unknownScore + base)
      }
      start += single
    }
    return nodes
  }

  private func relax(_ node: inout Node, from start: Int, _ id: Int32, _ score: Double) {
    guard node.start < 0 || score > node.score else { return }
    node = Node(start: start, id: id, score: score)
  }

  private func isUsable(_ id: Int32) -> Bool {
    flags[Int(id)] & PieceFlags.control.rawValue == 0
  }

  private func score(_ id: Int32) -> Double {
    Double(Float(bitPattern: scores.loadLittleEndian(at: Int(id) * 4, as: UInt32.self)))
  }

  private func appendByteTokens(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    to ids: inout [Int32]
  ) -> Bool {
    guard options.hasByteFallback else { return false }
    let start = ids.count
    for position in range { ids.append(byteTokens[Int(text[position])]) }
    guard ids[start...].allSatisfy({ $0 >= 0 }) else {
      ids.removeSubrange(start...)
      return false
    }
    return true
  }
}
