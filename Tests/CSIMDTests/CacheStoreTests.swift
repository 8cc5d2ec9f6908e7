// SPDX-License-Identifier: Apache-2.0
// The store of keys and values that attention reads.

import CSIMD
import TestSupport
import Testing

/// Rows of int8 codes by the definition: scale = absmax / 127, code = x / scale to nearest even.
struct CodedRows {
  var scales: [Float] = []
  var codes: [Int8] = []
  let dim: Int

  init(_ x: [Float], dim: Int) {
    self.dim = dim
    for start in stride(from: 0, to: x.count, by: dim) {
      let row = x[start..<start + dim].map { x in
        x.isNaN ? 0 : min(max(x, -.greatestFiniteMagnitude), .greatestFiniteMagnitude)
      }
      let scale = (row.map(abs).max() ?? 0) / 127
      scales.append(scale)
      for value in row {
        let code = scale > 0 ? (value / scale).rounded(.toNearestOrEven) : 0
        codes.append(Int8(min(max(code, -127), 127)))
      }
    }
  }

  /// What the codes stand for.
  var values: [Float] {
    codes.enumerated().map { Float($1) * scales[$0 / dim] }
  }
}

@Suite struct CacheStoreTests {
  @Test(arguments: Level.allCases, [1, 7, 16, 64, 72, 80])
  func keysLieInBlocksAndValuesInRows(_ level: Level, _ dim: Int) throws {
    let kernels = try level.kernels()
    var random = SeededRandom(seed: 82)
    let (tokens, first) = (40, 5)
    let (k, v) = (random.floats(tokens * dim), random.floats(tokens * dim))
    let empty = Cache(capacity: 48, dim: dim, type: .f32, byte: 0)
    let cache = kernels.store(k: k, v: v, dim: dim, first: first, type: .f32, into: empty)
    let blocks = cache.k.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    let rows = cache.v.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    for key in 0..<48 {
      for d in 0..<dim {
        let stored = key >= first && key < first + tokens
        let expected: (Float, Float) =
          stored ? (k[(key - first) * dim + d], v[(key - first) * dim + d]) : (0, 0)
        #expect(blocks[(key / 16 * dim + d) * 16 + key % 16] == expected.0)
        #expect(rows[key * dim + d] == expected.1)
      }
    }
  }

  @Test(arguments: Level.vector, [1, 15, 16, 17, 72, 128])
  func everyLevelStoresTheBytesOfScalar(_ level: Level, _ dim: Int) throws {
    var random = SeededRandom(seed: 83)
    for type in AttentionTests.types {
      for (tokens, first) in [(1, 0), (3, 15), (16, 16), (40, 3), (33, 32)] {
        for edge in GuardedEdge.allCases {
          let stride = dim + 3
          let k = random.floats((tokens - 1) * stride + dim, upTo: 70_000)
          let v = random.floats((tokens - 1) * stride + dim, upTo: 1e-5)
          let empty = Cache(capacity: first + tokens, dim: dim, type: type)
          let caches = try [Level.scalar, level].map {
            try $0.kernels(edge: edge).store(
              k: k,
              v: v,
              dim: dim,
              first: first,
              type: type,
              into: empty,
              stride: stride
            )
          }
          #expect(caches[0] == caches[1])
        }
      }
    }
  }

  /// Rows with every kind of value that a scale must cope with.
  static func extremeRows(_ rows: Int, dim: Int) -> [Float] {
    var random = SeededRandom(seed: 84)
    let largest = Float.greatestFiniteMagnitude
    return (0..<rows).flatMap { row -> [Float] in
      switch row % 8 {
      case 0: [Float](repeating: row % 16 == 0 ? 0 : -0.0, count: dim)
      case 1: random.anyFloats(dim)
      case 2: random.floats(dim, upTo: .leastNonzeroMagnitude * 60)
      case 3: random.floats(dim, upTo: .leastNormalMagnitude * 127)
      case 4: (0..<dim).map { $0 % 3 == 0 ? .nan : Float($0) - 7.5 }
      case 5: (0..<dim).map { $0 % 5 == 1 ? -.infinity : Float($0) * 1e36 }
      case 6: (0..<dim).map { $0 % 2 == 0 ? largest : -largest }
      default: (0..<dim).map { Float($0 % 255) - 127 + 0.5 }
      }
    }
  }

  @Test(arguments: Level.allCases, [1, 16, 20, 72, 256])
  func codesAndScalesMeetTheDefinition(_ level: Level, _ dim: Int) throws {
    let (tokens, first) = (40, 13)
    let k = Self.extremeRows(tokens, dim: dim)
    let v = Array(k.reversed())
    for edge in GuardedEdge.allCases {
      let cache = try level.kernels(edge: edge).store(
        k: k,
        v: v,
        dim: dim,
        first: first,
        type: .i8,
        into: Cache(capacity: first + tokens, dim: dim, type: .i8, byte: 0x55)
      )
      let (keys, values) = (CodedRows(k, dim: dim), CodedRows(v, dim: dim))
      for key in 0..<tokens {
        let position = first + key
        #expect(cache.kScales[position] == keys.scales[key].bitPattern)
        #expect(cache.vScales[position] == values.scales[key].bitPattern)
        for d in 0..<dim {
          let block = cache.k[(position / 16 * dim + d) * 16 + position % 16]
          #expect(Int8(bitPattern: block) == keys.codes[key * dim + d])
          #expect(Int8(bitPattern: cache.v[position * dim + d]) == values.codes[key * dim + d])
        }
      }
      #expect(cache.kScales[..<first].allSatisfy { $0 == 0x5555_5555 })
      #expect(cache.vScales[(first + tokens)...].allSatisfy { $0 == 0x5555_5555 })
    }
  }

  @Test(arguments: Level.vector) func everyLevelAttendsToExtremesAlike(_ level: Level) throws {
    let (tokens, dim) = (45, 40)
    var random = SeededRandom(seed: 85)
    let arguments = AttentionCase(
      queries: tokens,
      keys: tokens,
      dim: dim,
      isCausal: true,
      type: .i8
    )
    let q = random.floats(tokens * dim, upTo: 2)
    let k = Self.extremeRows(tokens, dim: dim)
    let v = Array(k.reversed())
    let results = try [Level.scalar, level].map { level in
      let kernels = try level.kernels()
      let empty = Cache(capacity: tokens, dim: dim, type: .i8)
      let cache = kernels.store(k: k, v: v, dim: dim, first: 0, type: .i8, into: empty)
      return kernels.attend(q, cache, arguments)
    }
    expectSameBits(results[1], results[0])
  }
}
