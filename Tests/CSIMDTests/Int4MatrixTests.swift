// SPDX-License-Identifier: Apache-2.0
// int4 matrix products.

import CSIMD
import TestSupport
import Testing

@Suite struct Int4MatrixTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var m: Int
    var n: Int
    var k: Int
    var testDescription: String { "\(m)x\(n)x\(k)" }
  }

  /// Below, at, above and far from the tile of 12 × 32, the group of 32 and the block of 128; the last
  /// has more panels than scratch holds at once.
  static let shapes = [
    Shape(m: 1, n: 1, k: 1), Shape(m: 2, n: 15, k: 31), Shape(m: 3, n: 16, k: 32),
    Shape(m: 4, n: 17, k: 33), Shape(m: 7, n: 31, k: 127), Shape(m: 8, n: 32, k: 128),
    Shape(m: 11, n: 33, k: 129), Shape(m: 12, n: 48, k: 256), Shape(m: 13, n: 63, k: 300),
    Shape(m: 24, n: 65, k: 640), Shape(m: 29, n: 130, k: 1152), Shape(m: 3, n: 70, k: 16_384),
  ]

  struct Problem {
    var a: Activations
    var w: Int4Weights
    var bias: [Float]
  }

  /// Random weights, or panels of random bits: every code, factor (-16 too) and scale.
  static func problem(_ shape: Shape, hostile: Bool = false) throws -> Problem {
    var random = SeededRandom(seed: hostile ? 12 : 11)
    let blocks = (shape.k + 127) / 128
    let a = try Level.scalar.kernels().quantize(
      random.floats(shape.m * shape.k, upTo: 3),
      m: shape.m,
      k: shape.k,
      group: 128,
      rowStride: blocks * 128 + 5,
      groupStride: blocks + 1
    )
    var w = Int4Weights(random.floats(shape.n * shape.k), n: shape.n, k: shape.k)
    if hostile {
      for index in w.bytes.indices { w.bytes[index] = UInt8.random(in: 0...255, using: &random) }
    }
    return Problem(a: a, w: w, bias: random.floats(shape.n))
  }

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: Shape) throws {
    for hostile in [false, true] {
      let p = try Self.problem(shape, hostile: hostile)
      for edge in GuardedEdge.allCases {
        for bias in [p.bias, nil] {
          let results = try [Level.scalar, level].map {
            try $0.kernels(edge: edge).gemm(
              p.a,
              m: shape.m,
              p.w,
              bias: bias,
              yStride: shape.n + 3
            )
          }
          expectSameBits(results[1], results[0])
        }
      }
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func vectorProductGivesTheBitsOfEveryRow(_ level: Level, _ shape: Shape) throws {
    for hostile in [false, true] {
      let p = try Self.problem(shape, hostile: hostile)
      for edge in GuardedEdge.allCases {
        let kernels = try level.kernels(edge: edge)
        let all = kernels.gemm(p.a, m: shape.m, p.w, bias: p.bias)
        for row in 0..<shape.m {
          let one = kernels.gemv(p.a.rows(row..<row + 1), p.w, bias: p.bias)
          expectSameBits(one, Array(all[row * shape.n..<(row + 1) * shape.n]), "row \(row)")
        }
      }
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func productsAreThoseOfTheSameWholeNumbersInInt8(_ level: Level, _ shape: Shape) throws {
    for hostile in [false, true] {
      let p = try Self.problem(shape, hostile: hostile)
      let kernels = try level.kernels()
      let wide = p.w.asInt8
      expectSameBits(
        kernels.gemm(p.a, m: shape.m, p.w, bias: p.bias),
        kernels.gemm(p.a, m: shape.m, wide, bias: p.bias)
      )
    }
  }

  @Test(arguments: Level.allCases, [1, 2, 3, 12, 20])
  func rowsSplitAnywhereGiveTheSameBits(_ level: Level, _ split: Int) throws {
    let shape = Shape(m: 29, n: 70, k: 200)
    let p = try Self.problem(shape)
    let kernels = try level.kernels()
    let whole = kernels.gemm(p.a, m: shape.m, p.w)
    let upper = kernels.gemm(p.a.rows(0..<split), m: split, p.w)
    let lower = kernels.gemm(p.a.rows(split..<shape.m), m: shape.m - split, p.w)
    expectSameBits(upper + lower, whole)
  }

  @Test(arguments: Level.allCases) func panelsWriteOnlyTheirColumns(_ level: Level) throws {
    let shape = Shape(m: 14, n: 117, k: 160)
    let p = try Self.problem(shape)
    let kernels = try level.kernels()
    let whole = kernels.gemm(p.a, m: shape.m, p.w, bias: p.bias)
    for panel in 0..<p.w.panels {
      let range = panel..<panel + 1
      let part = kernels.gemm(p.a, m: shape.m, p.w, bias: p.bias, panels: range)
      let row = kernels.gemv(p.a.rows(0..<1), p.w, bias: p.bias, panels: range)
      let expected = whole.indices.map { $0 % shape.n / 32 == panel ? whole[$0] : unwritten }
      expectSameBits(part, expected, "panel \(panel)")
      expectSameBits(row, Array(expected[..<shape.n]), "vector, panel \(panel)")
    }
  }

  @Test(arguments: Level.allCases, [(-127, 0), (-127, 15), (127, 0), (127, 15)])
  func extremeCodesDoNotSaturate(_ level: Level, _ extreme: (activation: Int, code: Int)) throws {
    let (k, n, m) = (1024, 33, 13)
    let a = try Level.scalar.kernels().quantize(
      [Float](repeating: Float(extreme.activation), count: m * k),
      m: m,
      k: k,
      group: 128
    )
    for factor in [15, -15, -16] {
      // Every code the same, every factor the same, scale 1 (exponent 22).
      var w = Int4Weights([Float](repeating: 0, count: n * k), n: n, k: k)
      let bits = UInt32(bitPattern: Int32(factor)) & 31
      let word = 22 << 27 | bits << 15 | bits << 10 | bits << 5 | bits
      for index in w.bytes.indices {
        let place = index % Int4Weights.blockBytes
        w.bytes[index] =
          place < 2048
          ? UInt8(extreme.code * 17) : UInt8(word >> UInt32(8 * (place % 4)) & 255)
      }
      let whole = (extreme.code - 8) * max(factor, -15)
      let expected = Float(extreme.activation * whole * k)
      let kernels = try level.kernels()
      #expect(kernels.gemm(a, m: m, w).allSatisfy { $0 == expected })
      #expect(kernels.gemv(a.rows(0..<1), w).allSatisfy { $0 == expected })
    }
  }

  @Test(arguments: Level.allCases) func productIsWithinTheQuantizationError(_ level: Level) throws {
    var random = SeededRandom(seed: 13)
    let (m, n, k) = (6, 40, 512)
    let x = random.floats(m * k)
    let weights = random.floats(n * k)
    let kernels = try level.kernels()
    let a = kernels.quantize(x, m: m, k: k, group: 128)
    let y = kernels.gemm(a, m: m, Int4Weights(weights, n: n, k: k))
    // A weight is off by 0.035 and an input by 0.58 in the mean square: √k products, 6 deviations.
    let bound = 6 * Double(k).squareRoot() * 0.035 * 0.58
    for i in 0..<m {
      for j in 0..<n {
        let exact = (0..<k).reduce(0.0) { $0 + Double(x[i * k + $1]) * Double(weights[j * k + $1]) }
        #expect(abs(Double(y[i * n + j]) - exact) < bound)
      }
    }
  }

  @Test(arguments: Level.allCases) func zeroScalesGiveTheBias(_ level: Level) throws {
    let shape = Shape(m: 5, n: 40, k: 130)
    var p = try Self.problem(shape)
    p.w = Int4Weights([Float](repeating: 0, count: shape.n * shape.k), n: shape.n, k: shape.k)
    let y = try level.kernels().gemm(p.a, m: shape.m, p.w, bias: p.bias)
    #expect(y == (0..<shape.m).flatMap { _ in p.bias })
    // An activation scale that is NaN stays in its row.
    for block in 0..<2 { p.a.scales[2 * p.a.groupStride + block] = .nan }
    let spoiled = try level.kernels().gemm(p.a, m: shape.m, p.w, bias: p.bias)
    for (index, value) in spoiled.enumerated() {
      #expect(value.isNaN == (index / shape.n == 2))
    }
  }
}
