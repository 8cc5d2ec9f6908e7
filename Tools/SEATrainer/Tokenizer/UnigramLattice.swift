// SPDX-License-Identifier: Apache-2.0
// All ways of cutting a word into pieces: their expected use, and the best of them.

internal import Glibc
internal import SEAText

/// Pieces by their bytes, found from any place of a word in one walk.
struct PieceTrie {
  private var keys: [UInt64]
  private var children: [Int32]
  private var used = 0
  /// Number of the piece that ends at a node, or −1.
  private(set) var pieces: [Int32] = [-1]

  init() {
    keys = [UInt64](repeating: .max, count: 1 << 10)
    children = [Int32](repeating: 0, count: 1 << 10)
  }

  /// The node below `node` along a byte, or nil.
  @inline(__always)
  func child(_ node: Int32, _ byte: UInt8) -> Int32? {
    let key = Self.key(node, byte)
    let mask = keys.count - 1
    var slot = Self.slot(key) & mask
    while keys[slot] != .max {
      if keys[slot] == key { return children[slot] }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Adds a piece.
  mutating func insert(_ text: some Sequence<UInt8>, _ piece: Int32) {
    var node: Int32 = 0
    for byte in text {
      if let known = child(node, byte) {
        node = known
        continue
      }
      let made = Int32(truncatingIfNeeded: pieces.count)
      pieces.append(-1)
      add(Self.key(node, byte), made)
      node = made
    }
    pieces[Int(node)] = piece
  }

  private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
    UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
  }

  private static func slot(_ key: UInt64) -> Int {
    let mixed = key &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 20)
  }

  private mutating func add(_ key: UInt64, _ child: Int32) {
    if (used + 1) * 2 > keys.count {
      let (oldKeys, oldChildren) = (keys, children)
      keys = [UInt64](repeating: .max, count: oldKeys.count * 2)
      children = [Int32](repeating: 0, count: oldKeys.count * 2)
      for (key, child) in zip(oldKeys, oldChildren) where key != .max { place(key, child) }
    }
    place(key, child)
    used += 1
  }

  private mutating func place(_ key: UInt64, _ child: Int32) {
    let mask = keys.count - 1
    var slot = Self.slot(key) & mask
    while keys[slot] != .max { slot = (slot + 1) & mask }
    keys[slot] = key
    children[slot] = child
  }
}

/// The lattice of one word after another.
struct UnigramLattice {
  let trie: PieceTrie
  let scores: [Double]

  private struct Edge {
    let start: Int
    let end: Int
    let piece: Int32
  }

  private var edges: [Edge] = []
  private var forward: [Double] = []
  private var backward: [Double] = []
  private var links: [Int] = []

  init(_ trie: PieceTrie, scores: [Double]) {
    self.trie = trie
    self.scores = scores
  }

  /// Lists the pieces in a word by where they start.
  private mutating func fill(_ word: ArraySlice<UInt8>, without barred: Int32) {
    edges.removeAll(keepingCapacity: true)
    let base = word.startIndex
    for start in 0..<word.count where word[base + start] & 0xc0 != 0x80 {
      var node: Int32 = 0
      var end = start
      while end < word.count, let next = trie.child(node, word[base + end]) {
        node = next
        end += 1
        let piece = trie.pieces[Int(node)]
        if piece >= 0, piece != barred { edges.append(Edge(start: start, end: end, piece: piece)) }
      }
    }
  }

  /// Adds to `expected` how often each piece is used in a word that occurs `count` times, over all ways
  /// of cutting it by their probabilities.
  ///
  /// - Returns: the log-probability of the word.
  mutating func expect(
    _ word: ArraySlice<UInt8>,
    count: Double,
    into expected: inout [Double]
  ) -> Double {
    fill(word, without: -1)
    forward.removeAll(keepingCapacity: true)
    backward.removeAll(keepingCapacity: true)
    for _ in 0...word.count {
      forward.append(-.infinity)
      backward.append(-.infinity)
    }
    forward[0] = 0
    for edge in edges {
      let way = forward[edge.start] + scores[Int(edge.piece)]
      forward[edge.end] = Self.sum(forward[edge.end], way)
    }
    backward[word.count] = 0
    for edge in edges.reversed() {
      let way = backward[edge.end] + scores[Int(edge.piece)]
      backward[edge.start] = Self.sum(backward[edge.start], way)
    }
    let total = forward[word.count]
    guard total.isFinite else { return 0 }
    for edge in edges {
      let way = forward[edge.start] + scores[Int(edge.piece)] + backward[edge.end] - total
      if way > -40 { expected[Int(edge.piece)] += count * exp(way) }
    }
    return total
  }

  /// The best way of cutting a word without the piece `barred` (−1: none is barred), or nil when there
  /// is none; of equals the first found.
  mutating func best(
    _ word: ArraySlice<UInt8>,
    without barred: Int32 = -1
  ) -> (pieces: [Int32], score: Double)? {
    fill(word, without: barred)
    forward.removeAll(keepingCapacity: true)
    links.removeAll(keepingCapacity: true)
    for _ in 0...word.count {
      forward.append(-.infinity)
      links.append(-1)
    }
    forward[0] = 0
    for (index, edge) in edges.enumerated() {
      let way = forward[edge.start] + scores[Int(edge.piece)]
      if way > forward[edge.end] {
        forward[edge.end] = way
        links[edge.end] = index
      }
    }
    guard forward[word.count].isFinite else { return nil }
    var pieces: [Int32] = []
    var end = word.count
    while end > 0 {
      let edge = edges[links[end]]
      pieces.append(edge.piece)
      end = edge.start
    }
    return (pieces.reversed(), forward[word.count])
  }

  /// ln(eᵃ + eᵇ).
  private static func sum(_ a: Double, _ b: Double) -> Double {
    let (low, high) = a < b ? (a, b) : (b, a)
    guard low > high - 50 else { return high }
    return high + log1p(exp(low - high))
  }
}
