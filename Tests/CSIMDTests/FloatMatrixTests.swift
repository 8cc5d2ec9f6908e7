// SPDX-License-Identifier: Apache-2.0
// f32 and bf16 matrix products.

import CSIMD
import TestSupport
import Testing

@Suite struct FloatMatrixTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var m: Int
    var n: Int
    var k: Int
    var testDescription: String { "\(m)x\(n)x\(k)" }
  }

  /// Below, at, above and far from the tiles of 6 × 4 and 3 × 2, and every kind of tail of k.
  static let shapes = [
    Shape(m: 1, n: 1, k: 1), Shape(m: 2, n: 3, k: 15), Shape(m: 3, n: 4, k: 16),
    Shape(m: 5, n: 5, k: 17), Shape(m: 6, n: 8, k: 31), Shape(m: 7, n: 9, k: 33),
    Shape(m: 12, n: 2, k: 64), Shape(m: 13, n: 7, k: 100), Shape(m: 40, n: 30, k: 588),
    Shape(m: 2, n: 6, k: 9000),
  ]

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: Shape) throws {
    var random = SeededRandom(seed: 20)
    let (xStride, yStride) = (shape.k + 1, shape.n + 2)
    let x = random.floats((shape.m - 1) * xStride + shape.k)
    let w = random.floats(shape.n * shape.k)
    let bias = random.floats(shape.n)
    for edge in GuardedEdge.allCases {
      for bias in [bias, nil] {
        let results = try [Level.scalar, level].map {
          try $0.kernels(edge: edge).gemm(
            x,
            m: shape.m,
            f32: w,
            n: shape.n,
            k: shape.k,
            bias: bias,
            xStride: xStride,
            yStride: yStride
          )
        }
        expectSameBits(results[1], results[0])
      }
    }
  }

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalarForBF16(_ level: Level, _ shape: Shape) throws {
    var random = SeededRandom(seed: 21)
    let x = random.floats(shape.m * shape.k)
    let scalar = try Level.scalar.kernels()
    let w = scalar.narrow(random.floats(shape.n * shape.k), to: .bf16)
    let bias = random.floats(shape.n)
    for edge in GuardedEdge.allCases {
      let results = try [Level.scalar, level].map {
        try $0.kernels(edge: edge).gemm(x, m: shape.m, bf16: w, n: shape.n, k: shape.k, bias: bias)
      }
      expectSameBits(results[1], results[0])
    }
  }

  @Test(arguments: Level.allCases) func bf16GivesTheBitsOfItsWidenedWeights(_ level: Level) throws {
    var random = SeededRandom(seed: 22)
    let kernels = try level.kernels()
    let (m, n, k) = (9, 11, 77)
    let x = random.floats(m * k)
    let w = kernels.narrow(random.floats(n * k), to: .bf16)
    let wide = kernels.widen(w, from: .bf16)
    expectSameBits(
      kernels.gemm(x, m: m, bf16: w, n: n, k: k),
      kernels.gemm(x, m: m, f32: wide, n: n, k: k)
    )
  }

  @Test(arguments: Level.allCases) func everyRowAloneGivesTheSameBits(_ level: Level) throws {
    var random = SeededRandom(seed: 23)
    let kernels = try level.kernels()
    let (m, n, k) = (17, 10, 130)
    let x = random.floats(m * k)
    let w = random.floats(n * k)
    let whole = kernels.gemm(x, m: m, f32: w, n: n, k: k)
    for row in 0..<m {
      let alone = kernels.gemm(Array(x[row * k..<(row + 1) * k]), m: 1, f32: w, n: n, k: k)
      expectSameBits(alone, Array(whole[row * n..<(row + 1) * n]), "row \(row)")
    }
  }

  @Test(arguments: Level.allCases, [0..<1, 0..<4, 3..<9, 5..<12, 11..<12])
  func weightRowsWriteOnlyTheirColumns(_ level: Level, _ rows: Range<Int>) throws {
    var random = SeededRandom(seed: 24)
    let kernels = try level.kernels()
    let (m, n, k) = (7, 12, 40)
    let x = random.floats(m * k)
    let w = random.floats(n * k)
    let bias = random.floats(n)
    let whole = kernels.gemm(x, m: m, f32: w, n: n, k: k, bias: bias)
    let part = kernels.gemm(x, m: m, f32: w, n: n, k: k, bias: bias, rows: rows)
    expectSameBits(part, whole.indices.map { rows.contains($0 % n) ? whole[$0] : unwritten })
  }

  @Test(arguments: Level.allCases) func sumsAreWithinTheErrorOfSixteenChains(_ level: Level) throws
  {
    var random = SeededRandom(seed: 25)
    let (m, n, k) = (3, 5, 1000)
    let x = random.floats(m * k)
    let w = random.floats(n * k)
    let y = try level.kernels().gemm(x, m: m, f32: w, n: n, k: k)
    for i in 0..<m {
      for j in 0..<n {
        let products = (0..<k).map { Double(x[i * k + $0]) * Double(w[j * k + $0]) }
        let magnitude = products.reduce(0) { $0 + abs($1) }
        // A product passes k / 16 roundings in its lane and 4 in the reduction.
        let bound = Double(k / 16 + 1 + 4) * Double(Float.ulpOfOne) / 2 * magnitude
        #expect(abs(Double(y[i * n + j]) - products.reduce(0, +)) <= bound)
      }
    }
  }

  @Test(arguments: Level.vector) func anyBitPatternGivesTheBitsOfScalar(_ level: Level) throws {
    var random = SeededRandom(seed: 26)
    let (m, n, k) = (8, 8, 19)
    let x = random.anyFloats(m * k)
    let w = random.anyFloats(n * k)
    let results = try [Level.scalar, level].map {
      try $0.kernels().gemm(x, m: m, f32: w, n: n, k: k)
    }
    expectSameBits(results[1], results[0])
  }

  @Test(arguments: Level.allCases) func negativeZeroSurvivesTheTail(_ level: Level) throws {
    // The only product underflows to -0, and lanes without inputs must not turn it into +0.
    let tiny = Float.leastNonzeroMagnitude
    let results = try [Level.scalar, level].map {
      try $0.kernels().gemm([-tiny, tiny], m: 1, f32: [tiny, -tiny], n: 1, k: 2)
    }
    expectSameBits(results[1], results[0])
  }
}
