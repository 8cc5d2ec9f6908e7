// SPDX-License-Identifier: Apache-2.0
// int8 matrix products.

import CSIMD
import TestSupport
import Testing

@Suite struct PackedMatrixTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var m: Int
    var n: Int
    var k: Int
    var group: Int
    var testDescription: String { "\(m)x\(n)x\(k) group \(group)" }
  }

  /// Below, at, above and far from the tile of 12 × 32 and its smaller heights; ragged inputs.
  static let shapes = [
    Shape(m: 1, n: 1, k: 1, group: 32), Shape(m: 2, n: 15, k: 31, group: 32),
    Shape(m: 3, n: 16, k: 32, group: 32), Shape(m: 4, n: 17, k: 33, group: 32),
    Shape(m: 7, n: 31, k: 64, group: 64), Shape(m: 8, n: 32, k: 128, group: 128),
    Shape(m: 11, n: 33, k: 130, group: 128), Shape(m: 12, n: 48, k: 96, group: 96),
    Shape(m: 13, n: 63, k: 200, group: 128), Shape(m: 23, n: 64, k: 72, group: 96),
    Shape(m: 24, n: 65, k: 256, group: 256), Shape(m: 50, n: 100, k: 520, group: 128),
    Shape(m: 5, n: 130, k: 2304, group: 2304),
  ]

  struct Problem {
    var a: Activations
    var w: PackedWeights
    var bias: [Float]
  }

  static func problem(_ shape: Shape, seed: UInt64 = 7, rowPadding: Int = 5) throws -> Problem {
    var random = SeededRandom(seed: seed)
    let groups = (shape.k + shape.group - 1) / shape.group
    let a = try Level.scalar.kernels().quantize(
      random.floats(shape.m * shape.k, upTo: 3),
      m: shape.m,
      k: shape.k,
      group: shape.group,
      rowStride: groups * shape.group + rowPadding,
      groupStride: groups + 1
    )
    let weights = random.floats(shape.n * shape.k)
    return Problem(
      a: a,
      w: PackedWeights(weights, n: shape.n, k: shape.k, group: shape.group),
      bias: random.floats(shape.n)
    )
  }

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: Shape) throws {
    let p = try Self.problem(shape)
    for edge in GuardedEdge.allCases {
      for bias in [p.bias, nil] {
        let expected = try Level.scalar.kernels(edge: edge).gemm(
          p.a,
          m: shape.m,
          p.w,
          bias: bias,
          yStride: shape.n + 3
        )
        let actual = try level.kernels(edge: edge).gemm(
          p.a,
          m: shape.m,
          p.w,
          bias: bias,
          yStride: shape.n + 3
        )
        expectSameBits(actual, expected)
      }
    }
  }

  @Test(arguments: Level.allCases, shapes)
  func vectorProductGivesTheBitsOfEveryRow(_ level: Level, _ shape: Shape) throws {
    let p = try Self.problem(shape)
    let kernels = try level.kernels()
    let all = kernels.gemm(p.a, m: shape.m, p.w, bias: p.bias)
    for row in 0..<shape.m {
      let one = kernels.gemv(p.a.rows(row..<row + 1), p.w, bias: p.bias)
      expectSameBits(one, Array(all[row * shape.n..<(row + 1) * shape.n]), "row \(row)")
    }
  }

  @Test(arguments: Level.allCases, [1, 2, 3, 5, 8, 12, 13, 20])
  func rowsSplitAnywhereGiveTheSameBits(_ level: Level, _ split: Int) throws {
    let shape = Shape(m: 29, n: 70, k: 200, group: 64)
    let p = try Self.problem(shape)
    let kernels = try level.kernels()
    let whole = kernels.gemm(p.a, m: shape.m, p.w)
    let upper = kernels.gemm(p.a.rows(0..<split), m: split, p.w)
    let lower = kernels.gemm(p.a.rows(split..<shape.m), m: shape.m - split, p.w)
    expectSameBits(upper + lower, whole)
  }

  @Test(arguments: Level.allCases) func panelsWriteOnlyTheirColumns(_ level: Level) throws {
    let shape = Shape(m: 14, n: 117, k: 96, group: 32)
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

  @Test(arguments: Level.allCases, [(-127, -127), (-127, 127), (127, -127), (127, 127)])
  func extremeCodesDoNotSaturate(_ level: Level, _ signs: (Int, Int)) throws {
    let (k, n, m) = (16_384, 33, 13)
    let a = try Level.scalar.kernels().quantize(
      [Float](repeating: Float(signs.0), count: m * k),
      m: m,
      k: k,
      group: k
    )
    let w = PackedWeights([Float](repeating: Float(signs.1), count: n * k), n: n, k: k, group: k)
    let expected = Float(signs.0 * signs.1 * k)
    let kernels = try level.kernels()
    #expect(kernels.gemm(a, m: m, w).allSatisfy { $0 == expected })
    #expect(kernels.gemv(a.rows(0..<1), w).allSatisfy { $0 == expected })
  }

  @Test(arguments: Level.allCases) func integerSumsAreExact(_ level: Level) throws {
    // With scales of 1 the result is the integer sum, which f32 holds exactly below 2^24.
    var random = SeededRandom(seed: 9)
    let (m, n, k) = (13, 37, 256)
    var codes = (0..<(m + n) * k).map { _ in Float(Int.random(in: -127...127, using: &random)) }
    for row in 0..<m + n { codes[row * k] = 127 }
    let x = Array(codes[..<(m * k)])
    let weights = Array(codes[(m * k)...])
    let a = try Level.scalar.kernels().quantize(x, m: m, k: k, group: k)
    let w = PackedWeights(weights, n: n, k: k, group: k)
    let y = try level.kernels().gemm(a, m: m, w)
    for i in 0..<m {
      for j in 0..<n {
        let sum = (0..<k).reduce(0) { $0 + Int(x[i * k + $1]) * Int(weights[j * k + $1]) }
        #expect(y[i * n + j] == Float(sum))
      }
    }
  }

  @Test(arguments: Level.allCases, [32, 64, 128, 256])
  func productIsWithinTheQuantizationError(_ level: Level, _ group: Int) throws {
    var random = SeededRandom(seed: 10)
    let (m, n, k) = (6, 40, 256)
    let x = random.floats(m * k)
    let weights = random.floats(n * k)
    let kernels = try level.kernels()
    let a = kernels.quantize(x, m: m, k: k, group: group)
    let y = kernels.gemm(a, m: m, PackedWeights(weights, n: n, k: k, group: group))
    // Each factor is off by at most half a step of at most 1/127, so a product by a little more than
    // 1/127; k independent errors add like √k, and 4 standard deviations bound the largest.
    let bound = 4 * Double(k).squareRoot() / 127
    for i in 0..<m {
      for j in 0..<n {
        let exact = (0..<k).reduce(0.0) { $0 + Double(x[i * k + $1]) * Double(weights[j * k + $1]) }
        #expect(abs(Double(y[i * n + j]) - exact) < bound)
      }
    }
  }
}
