// SPDX-License-Identifier: Apache-2.0
// Attention of one head over stored keys and values.

import CSIMD
import Glibc
import TestSupport
import Testing

@Suite struct AttentionTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var queries: Int
    var past: Int
    var dim: Int
    var isCausal = true
    var window = 0
    var testDescription: String {
      "\(queries) after \(past), dim \(dim)\(isCausal ? ", causal" : "")"
        + (window > 0 ? ", window \(window)" : "")
    }

    func arguments(_ type: csimd_type) -> AttentionCase {
      AttentionCase(
        queries: queries,
        keys: past + queries,
        dim: dim,
        isCausal: isCausal,
        first: past,
        window: window,
        type: type
      )
    }
  }

  /// Strips of every height, keys around a block, the head dims in use and odd ones, windows shorter
  /// and longer than a strip.
  static let shapes = [
    Shape(queries: 1, past: 0, dim: 1), Shape(queries: 1, past: 15, dim: 64),
    Shape(queries: 1, past: 16, dim: 256), Shape(queries: 2, past: 3, dim: 7),
    Shape(queries: 3, past: 30, dim: 72), Shape(queries: 7, past: 0, dim: 80),
    Shape(queries: 12, past: 0, dim: 16), Shape(queries: 13, past: 20, dim: 96),
    Shape(queries: 27, past: 5, dim: 128), Shape(queries: 16, past: 16, dim: 17),
    Shape(queries: 1, past: 99, dim: 72, window: 10),
    Shape(queries: 30, past: 3, dim: 64, window: 5),
    Shape(queries: 25, past: 40, dim: 33, window: 33),
    Shape(queries: 14, past: 0, dim: 72, window: 1),
    Shape(queries: 29, past: 0, dim: 72, isCausal: false),
    Shape(queries: 15, past: 40, dim: 256, isCausal: false),
    Shape(queries: 8, past: 17, dim: 255, isCausal: false),
  ]

  static let types: [csimd_type] = [.f32, .f16, .i8]

  struct Problem {
    var q: [Float]
    var k: [Float]
    var v: [Float]
    var arguments: AttentionCase
  }

  static func problem(_ shape: Shape, _ type: csimd_type) -> Problem {
    var random = SeededRandom(seed: 80)
    let keys = shape.past + shape.queries
    return Problem(
      q: random.floats(shape.queries * shape.dim, upTo: 3),
      k: random.floats(keys * shape.dim, upTo: 3),
      v: random.floats(keys * shape.dim),
      arguments: shape.arguments(type)
    )
  }

  /// The cache of a problem; memory beyond its keys is NaN.
  static func cache(_ p: Problem, _ kernels: Kernels, spare: Int = 0) -> Cache {
    let empty = Cache(
      capacity: p.arguments.keys + spare,
      dim: p.arguments.dim,
      type: p.arguments.type
    )
    return kernels.store(
      k: p.k,
      v: p.v,
      dim: p.arguments.dim,
      first: 0,
      type: p.arguments.type,
      into: empty
    )
  }

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: Shape) throws {
    for type in Self.types {
      for edge in GuardedEdge.allCases {
        let p = Self.problem(shape, type)
        let results = try [Level.scalar, level].map {
          let kernels = try $0.kernels(edge: edge)
          return kernels.attend(
            p.q,
            Self.cache(p, kernels),
            p.arguments,
            outStride: shape.dim + 3
          )
        }
        expectSameBits(results[1], results[0], "\(type)")
      }
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func everyQueryAloneGivesTheSameBits(_ level: Level, _ shape: Shape) throws {
    let kernels = try level.kernels()
    for type in Self.types {
      let p = Self.problem(shape, type)
      let cache = Self.cache(p, kernels)
      let whole = kernels.attend(p.q, cache, p.arguments)
      for query in 0..<shape.queries {
        var one = p.arguments
        (one.queries, one.first) = (1, shape.past + query)
        let range = query * shape.dim..<(query + 1) * shape.dim
        expectSameBits(
          kernels.attend(Array(p.q[range]), cache, one),
          Array(whole[range]),
          "query \(query)"
        )
      }
    }
  }

  @Test(arguments: Level.allCases, [1, 5, 16, 23])
  func prefillInChunksGivesTheSameBits(_ level: Level, _ chunk: Int) throws {
    let kernels = try level.kernels()
    let (tokens, dim) = (53, 72)
    for (type, window) in Self.types.flatMap({ [($0, 0), ($0, 20)] }) {
      let shape = Shape(queries: tokens, past: 0, dim: dim, window: window)
      let p = Self.problem(shape, type)
      let whole = kernels.attend(p.q, Self.cache(p, kernels), p.arguments)
      var cache = Cache(capacity: tokens, dim: dim, type: type)
      var pieces: [Float] = []
      for first in stride(from: 0, to: tokens, by: chunk) {
        let end = min(first + chunk, tokens)
        let range = first * dim..<end * dim
        cache = kernels.store(
          k: Array(p.k[range]),
          v: Array(p.v[range]),
          dim: dim,
          first: first,
          type: type,
          into: cache
        )
        var part = p.arguments
        (part.queries, part.first, part.keys) = (end - first, first, end)
        pieces += kernels.attend(Array(p.q[range]), cache, part)
      }
      expectSameBits(pieces, whole, "\(type) window \(window)")
    }
  }

  @Test(arguments: Level.allCases, types)
  func invisibleKeysMayHoldAnything(_ level: Level, _ type: csimd_type) throws {
    // Positions after a query hold NaN in one run and numbers in the other.
    let kernels = try level.kernels()
    let shape = Shape(queries: 20, past: 0, dim: 40)
    let p = Self.problem(shape, type)
    let full = Self.cache(p, kernels)
    var early = p
    early.k = Array(p.k[..<(9 * shape.dim)])
    early.v = Array(p.v[..<(9 * shape.dim)])
    let sparse = Self.cache(early, kernels)
    var arguments = p.arguments
    arguments.queries = 9
    let q = Array(p.q[..<(9 * shape.dim)])
    expectSameBits(kernels.attend(q, sparse, arguments), kernels.attend(q, full, arguments))
  }

  @Test(arguments: Level.allCases) func hiddenInfinityDoesNotReachOtherQueries(
    _ level: Level
  ) throws {
    let kernels = try level.kernels()
    let shape = Shape(queries: 12, past: 0, dim: 20)
    var p = Self.problem(shape, .f32)
    let clean = kernels.attend(p.q, Self.cache(p, kernels), p.arguments)
    p.v[11 * shape.dim] = .infinity
    let marked = kernels.attend(p.q, Self.cache(p, kernels), p.arguments)
    expectSameBits(Array(marked[..<(11 * shape.dim)]), Array(clean[..<(11 * shape.dim)]))
    #expect(marked[11 * shape.dim] == .infinity)
  }

  @Test(arguments: Level.allCases, types)
  func headsThatShareKeysAreQueriesOfOneCall(_ level: Level, _ type: csimd_type) throws {
    let kernels = try level.kernels()
    let shape = Shape(queries: 1, past: 37, dim: 64)
    let p = Self.problem(shape, type)
    let cache = Self.cache(p, kernels)
    var random = SeededRandom(seed: 81)
    let heads = random.floats(5 * shape.dim, upTo: 2)
    var together = p.arguments
    (together.queries, together.isCausal) = (5, false)
    let all = kernels.attend(heads, cache, together)
    for head in 0..<5 {
      let range = head * shape.dim..<(head + 1) * shape.dim
      expectSameBits(kernels.attend(Array(heads[range]), cache, p.arguments), Array(all[range]))
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func outputMeetsDoublePrecision(_ level: Level, _ shape: Shape) throws {
    let kernels = try level.kernels()
    for type in [csimd_type.f32, .i8] {
      let p = Self.problem(shape, type)
      let out = kernels.attend(p.q, Self.cache(p, kernels), p.arguments)
      var stored = p
      if type == .i8 {
        stored.k = CodedRows(p.k, dim: shape.dim).values
        stored.v = CodedRows(p.v, dim: shape.dim).values
      }
      Self.expectExact(out, stored, shape)
    }
  }

  /// Compares with double precision on keys and values as they are stored.
  static func expectExact(_ out: [Float], _ p: Problem, _ shape: Shape) {
    for query in 0..<shape.queries {
      let position = shape.past + query
      let end = shape.isCausal ? position + 1 : p.arguments.keys
      let first = shape.window > 0 ? max(0, end - shape.window) : 0
      let scores = (first..<end).map { key in
        (0..<shape.dim).reduce(0.0) {
          $0 + Double(p.q[query * shape.dim + $1]) * Double(p.k[key * shape.dim + $1])
        } * Double(p.arguments.scale)
      }
      let largest = scores.max() ?? 0
      let weights = scores.map { exp($0 - largest) }
      let sum = weights.reduce(0, +)
      for d in 0..<shape.dim {
        let exact = zip(first..<end, weights).reduce(0.0) {
          $0 + $1.1 * Double(p.v[$1.0 * shape.dim + d])
        }
        // A score of up to 9 · dim / 8 is off by a few units of its size; weights inherit that.
        let bound = (Double(shape.dim) * 9 / 8 + 20) * 4 * Double(Float.ulpOfOne)
        #expect(abs(Double(out[query * shape.dim + d]) - exact / sum) <= bound)
      }
    }
  }

  @Test(arguments: Level.allCases) func nanKeySpoilsOnlyQueriesThatSeeIt(_ level: Level) throws {
    let kernels = try level.kernels()
    let shape = Shape(queries: 14, past: 0, dim: 24)
    var p = Self.problem(shape, .f32)
    p.k[10 * shape.dim + 3] = .nan
    let out = kernels.attend(p.q, Self.cache(p, kernels), p.arguments)
    #expect(out[..<(10 * shape.dim)].allSatisfy { !$0.isNaN })
    #expect(out[(10 * shape.dim)...].allSatisfy { $0.isNaN })
  }
}
