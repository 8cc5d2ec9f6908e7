// SPDX-License-Identifier: Apache-2.0
// The best-scoring way to cut a word into pieces, found in one pass.

import SEATensor

/// Viterbi search over the pieces of a word; of equals the earlier start wins.
///
/// One library sums scores in double precision and the other in single precision. Long repetitions
/// have many ways of nearly the same score, and there the two differ.
/// - Source: Hugging Face tokenizers, `unigram/model.rs`, `encode_optimized`; sentencepiece
///   `unigram_model.cc`, `EncodeOptimized`.
struct UnigramEncoder {
  /// The best way to reach a place in the word.
  private struct Node {
    var score = 0.0
    /// Length of the piece that leads here; zero where none does.
    var length: Int32 = 0
    var id: Int32 = -1
  }

  private let model: UnigramModel
  /// The nodes from `origin` on, as far as pieces reach.
  private var nodes: [Node] = []
  private var origin = 0
  private var followsUnknown = false

  /// Settled nodes are turned into tokens when there are so many.
  private static let maximumNodes = 1 << 14

  init(_ model: UnigramModel) {
    self.model = model
  }

  /// Appends the tokens of `range` of `text`, one word for the model.
  mutating func encode(_ text: Span<UInt8>, _ range: Range<Int>, to ids: inout [Int32]) {
    origin = range.lowerBound
    followsUnknown = false
    nodes.removeAll(keepingCapacity: true)
    nodes.append(Node())
    model.prefixes.bits.withSpan { bits in
      var start = range.lowerBound
      while start < range.upperBound {
        // What no piece reaches across is settled.
        if start - origin >= Self.maximumNodes, origin + nodes.count - 1 == start {
          settle(text, to: &ids)
        }
        let length = ScalarReader.read(text, at: start).length
        visit(text, start..<start + length, limit: range.upperBound, bits)
        start += length
      }
    }
    settle(text, to: &ids)
  }

  /// Tries every piece that starts with the character in `single`.
  private mutating func visit(
    _ text: Span<UInt8>,
    _ single: Range<Int>,
    limit: Int,
    _ bits: Span<UInt8>
  ) {
    let start = single.lowerBound
    let base = nodes[start - origin].score
    let limit = min(limit, start + model.options.longestPiece)
    var hasSingle = false
    var hash = PieceIndex.seed
    var end = start
    while end < limit {
      let length = ScalarReader.read(text, at: end).length
      guard end + length <= limit else { break }
      for offset in 0..<length { hash = PieceIndex.extend(hash, by: text[end + offset]) }
      end += length
      let match = model.prefixes.look(hash, in: bits)
      guard match.isPrefix else { break }
      guard match.isPiece, let id = model.pieces.find(text, start..<end, hash: hash),
        model.isUsable(id)
      else { continue }
      if end == single.upperBound { hasSingle = true }
      relax(end, from: start, id, model.score(id, length: end - start) + base)
    }
    if !hasSingle { relax(single.upperBound, from: start, -1, model.unknownScore + base) }
  }

  private mutating func relax(_ end: Int, from start: Int, _ id: Int32, _ sum: Double) {
    let score = model.options.isSinglePrecision ? Double(Float(sum)) : sum
    let index = end - origin
    while nodes.count <= index { nodes.append(Node()) }
    guard nodes[index].length == 0 || score > nodes[index].score else { return }
    nodes[index] = Node(score: score, length: Int32(end - start), id: id)
  }

  /// Appends the tokens of the best way to the last node, from which the search goes on.
  private mutating func settle(_ text: Span<UInt8>, to ids: inout [Int32]) {
    var path: [(end: Int, node: Node)] = []
    var index = nodes.count - 1
    while index > 0 {
      path.append((origin + index, nodes[index]))
      index -= Int(nodes[index].length)
    }
    for step in path.reversed() {
      guard step.node.id < 0 else {
        ids.append(step.node.id)
        followsUnknown = false
        continue
      }
      if appendByteTokens(text, step.end - Int(step.node.length)..<step.end, to: &ids) { continue }
      if !followsUnknown, let unknown = model.unknown { ids.append(unknown) }
      followsUnknown = true
    }
    let last = nodes[nodes.count - 1].score
    origin += nodes.count - 1
    nodes.removeAll(keepingCapacity: true)
    nodes.append(Node(score: last))
  }

  private func appendByteTokens(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    to ids: inout [Int32]
  ) -> Bool {
    guard model.options.hasByteFallback else { return false }
    let start = ids.count
    for position in range { ids.append(model.byteTokens[Int(text[position])]) }
    guard ids[start...].allSatisfy({ $0 >= 0 }) else {
      ids.removeSubrange(start...)
      return false
    }
    return true
  }
}
