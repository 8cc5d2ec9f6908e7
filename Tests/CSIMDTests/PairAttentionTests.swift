// SPDX-License-Identifier: Apache-2.0
// Attention in bf16 of one head.

import CSIMD
import Glibc
import TestSupport
import Testing

@Suite struct PairAttentionTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var queries: Int
    var keys: Int
    var dim: Int
    var testDescription: String { "\(queries) queries, \(keys) keys, dim \(dim)" }
  }

  /// Strips of every height, keys around a block and a pair, the head dims in use and odd ones.
  static let shapes = [
    Shape(queries: 1, keys: 1, dim: 1), Shape(queries: 2, keys: 2, dim: 2),
    Shape(queries: 3, keys: 15, dim: 7), Shape(queries: 4, keys: 16, dim: 16),
    Shape(queries: 5, keys: 17, dim: 31), Shape(queries: 8, keys: 31, dim: 33),
    Shape(queries: 12, keys: 32, dim: 64), Shape(queries: 13, keys: 49, dim: 72),
    Shape(queries: 25, keys: 100, dim: 80), Shape(queries: 29, keys: 65, dim: 128),
    Shape(queries: 7, keys: 23, dim: 255), Shape(queries: 12, keys: 130, dim: 256),
  ]

  private struct Problem {
    var shape: Shape
    var q: [Float]
    var k: [Float]
    var v: [Float]
  }

  private static func problem(_ shape: Shape, seed: UInt64 = 7) -> Problem {
    var random = SeededRandom(seed: seed)
    return Problem(
      shape: shape,
      q: random.floats(shape.queries * shape.dim, upTo: 3),
      k: random.floats(shape.keys * shape.dim, upTo: 3),
      v: random.floats(shape.keys * shape.dim)
    )
  }

  /// Stores in pieces that start at multiples of 16.
  private static func store(
    _ p: Problem,
    _ kernels: Kernels,
    piece: Int = 48
  ) -> (keys: [UInt16], values: [UInt16]) {
    let (count, dim) = (p.shape.keys, p.shape.dim)
    let keys = kernels.guarded([UInt16](repeating: 0xdead, count: csimd_pair_keys_size(count, dim)))
    let values = kernels.guarded(
      [UInt16](repeating: 0xdead, count: csimd_pair_values_size(count, dim))
    )
    for first in stride(from: 0, to: count, by: piece) {
      let rows = first * dim..<min(first + piece, count) * dim
      let (k, v) = (kernels.guarded(Array(p.k[rows])), kernels.guarded(Array(p.v[rows])))
      kernels.table.pointee.pair_store(
        k.pointer,
        v.pointer,
        dim,
        rows.count / dim,
        dim,
        first,
        keys.pointer,
        values.pointer
      )
    }
    return (kernels.finish(keys), kernels.finish(values))
  }

  private static func attend(
    _ p: Problem,
    _ kernels: Kernels,
    queries: Range<Int>? = nil,
    spare: Int = 0,
    piece: Int = 48
  ) -> [Float] {
    let (count, dim) = (p.shape.keys, p.shape.dim)
    let stored = store(p, kernels, piece: piece)
    let rows = queries ?? 0..<p.shape.queries
    let q = kernels.guarded(Array(p.q[rows.lowerBound * dim..<rows.upperBound * dim]))
    let (keys, values) = (kernels.guarded(stored.keys), kernels.guarded(stored.values))
    let width = dim + spare
    let out = kernels.guarded(Kernels.rows(rows.count, stride: width, width: dim))
    let scratch = kernels.guarded([Float](repeating: .nan, count: csimd_pair_scratch(count, dim)))
    var arguments = csimd_pair_attention_args(
      q: q.pointer,
      k: keys.pointer,
      v: values.pointer,
      out: out.pointer,
      scratch: scratch.pointer,
      q_stride: dim,
      out_stride: width,
      queries: rows.count,
      keys: count,
      first_query: 0,
      window: 0,
      head_dim: dim,
      scale: Float(1 / Double(dim).squareRoot()),
      causal: false
    )
    withExtendedLifetime((q, keys, values)) {
      kernels.table.pointee.pair_attention(&arguments)
    }
    #expect(scratch.isIntactOutside)
    return kernels.finish(out)
  }

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: Shape) throws {
    let p = Self.problem(shape)
    for edge in GuardedEdge.allCases {
      let scalar = try Level.scalar.kernels(edge: edge)
      let kernels = try level.kernels(edge: edge)
      let (wanted, stored) = (Self.store(p, scalar), Self.store(p, kernels))
      #expect(stored.keys == wanted.keys && stored.values == wanted.values)
      expectSameBits(
        Self.attend(p, kernels, spare: 3),
        Self.attend(p, scalar, spare: 3),
        "outputs"
      )
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func everyQueryAloneGivesTheSameBits(_ level: Level, _ shape: Shape) throws {
    let kernels = try level.kernels()
    let p = Self.problem(shape)
    let whole = Self.attend(p, kernels)
    for query in 0..<shape.queries {
      let alone = Self.attend(p, kernels, queries: query..<query + 1, piece: 16)
      expectSameBits(alone, Array(whole[query * shape.dim..<(query + 1) * shape.dim]), "\(query)")
    }
  }

  /// Stores and attends to the positions from `first` on, after those that `cache` holds.
  private static func advance(
    _ p: Problem,
    _ rows: Range<Int>,
    window: Int,
    _ cache: inout (keys: [UInt16], values: [UInt16]),
    _ kernels: Kernels
  ) -> [Float] {
    let dim = p.shape.dim
    let range = rows.lowerBound * dim..<rows.upperBound * dim
    let (k, v) = (kernels.guarded(Array(p.k[range])), kernels.guarded(Array(p.v[range])))
    let (keys, values) = (kernels.guarded(cache.keys), kernels.guarded(cache.values))
    kernels.table.pointee.pair_store(
      k.pointer,
      v.pointer,
      dim,
      rows.count,
      dim,
      rows.lowerBound,
      keys.pointer,
      values.pointer
    )
    let q = kernels.guarded(Array(p.q[range]))
    let out = kernels.guarded(Kernels.rows(rows.count, stride: dim, width: dim))
    let room = csimd_pair_scratch(rows.upperBound, dim)
    let scratch = kernels.guarded([Float](repeating: .nan, count: room))
    var arguments = csimd_pair_attention_args(
      q: q.pointer,
      k: keys.pointer,
      v: values.pointer,
      out: out.pointer,
      scratch: scratch.pointer,
      q_stride: dim,
      out_stride: dim,
      queries: rows.count,
      keys: rows.upperBound,
      first_query: rows.lowerBound,
      window: window,
      head_dim: dim,
      scale: Float(1 / Double(dim).squareRoot()),
      causal: true
    )
    withExtendedLifetime(q) { kernels.table.pointee.pair_attention(&arguments) }
    #expect(scratch.isIntactOutside)
    cache = (kernels.finish(keys), kernels.finish(values))
    return kernels.finish(out)
  }

  @Test(arguments: Level.allCases, [1, 5, 16, 23])
  func promptsInChunksGiveTheSameBits(_ level: Level, _ chunk: Int) throws {
    let kernels = try level.kernels()
    let tokens = 53
    for (dim, window) in [(72, 0), (33, 0), (64, 20), (16, 7)] {
      let p = Self.problem(Shape(queries: tokens, keys: tokens, dim: dim))
      // What was not stored is NaN.
      let empty = (
        keys: [UInt16](repeating: 0x7fff, count: csimd_pair_keys_size(tokens, dim)),
        values: [UInt16](repeating: 0x7fff, count: csimd_pair_values_size(tokens, dim))
      )
      var (cache, pieces) = (empty, [Float]())
      let whole = Self.advance(p, 0..<tokens, window: window, &cache, kernels)
      cache = empty
      for first in stride(from: 0, to: tokens, by: chunk) {
        let rows = first..<min(first + chunk, tokens)
        pieces += Self.advance(p, rows, window: window, &cache, kernels)
      }
      expectSameBits(pieces, whole, "dim \(dim), window \(window)")
      #expect(whole.allSatisfy { !$0.isNaN })
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func staysWithinTheRoundingOfBFloat16(_ level: Level, _ shape: Shape) throws {
    let p = Self.problem(shape, seed: 8)
    let found = Self.attend(p, try level.kernels())
    let (dim, scale) = (shape.dim, 1 / Double(shape.dim).squareRoot())
    for query in 0..<shape.queries {
      var scores: [Double] = []
      var size = 0.0
      for key in 0..<shape.keys {
        var score = 0.0
        var magnitude = 0.0
        for d in 0..<dim {
          let product = Double(p.q[query * dim + d]) * Double(p.k[key * dim + d])
          score += product
          magnitude += abs(product)
        }
        scores.append(score * scale)
        size = max(size, magnitude * scale)
      }
      let largest = scores.max() ?? 0
      let weights = scores.map { exp($0 - largest) }
      let sum = weights.reduce(0, +)
      // Two roundings of 2⁻⁹ move a score by 2⁻⁸ of its products; a weight moves as much, and is
      // rounded itself, as its value is.
      let bound = 2 * (2 * size * 0x1p-8 + 2 * 0x1p-9) + 1e-5
      for d in 0..<dim {
        let terms = (0..<shape.keys).map { weights[$0] / sum * Double(p.v[$0 * dim + d]) }
        let wanted = terms.reduce(0, +)
        let spread = (0..<shape.keys).map { abs(Double(p.v[$0 * dim + d])) }.max() ?? 0
        #expect(abs(Double(found[query * dim + d]) - wanted) <= bound * spread)
      }
    }
  }
}
