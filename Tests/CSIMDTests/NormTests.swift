// SPDX-License-Identifier: Apache-2.0
// Layer norm and RMS norm.

import CSIMD
import TestSupport
import Testing

@Suite struct NormTests {
  static let widths = [1, 2, 15, 16, 17, 31, 32, 33, 100, 1152]

  @Test(arguments: Level.vector, widths)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ k: Int) throws {
    var random = SeededRandom(seed: 50)
    let (m, stride) = (3, k + 5)
    let x = random.floats((m - 1) * stride + k, upTo: 10)
    let (weight, bias) = (random.floats(k), random.floats(k))
    for edge in GuardedEdge.allCases {
      for inPlace in [false, true] {
        let layer = try [Level.scalar, level].map {
          try $0.kernels(edge: edge).layerNorm(
            x,
            m: m,
            k: k,
            weight: weight,
            bias: bias,
            epsilon: 1e-6,
            stride: stride,
            inPlace: inPlace
          )
        }
        expectSameBits(layer[1], layer[0], "layer norm")
        let rms = try [Level.scalar, level].map {
          try $0.kernels(edge: edge).rmsNorm(
            x,
            m: m,
            k: k,
            weight: weight,
            epsilon: 1e-6,
            stride: stride,
            inPlace: inPlace
          )
        }
        expectSameBits(rms[1], rms[0], "RMS norm")
      }
    }
  }

  @Test(arguments: Level.vector) func anyBitPatternGivesTheBitsOfScalar(_ level: Level) throws {
    var random = SeededRandom(seed: 51)
    let (m, k) = (50, 21)
    let x = random.anyFloats(m * k)
    let (weight, bias) = (random.anyFloats(k), random.floats(k))
    let layer = try [Level.scalar, level].map {
      try $0.kernels().layerNorm(x, m: m, k: k, weight: weight, bias: bias, epsilon: 1e-5)
    }
    expectSameBits(layer[1], layer[0], "layer norm")
    let rms = try [Level.scalar, level].map {
      try $0.kernels().rmsNorm(x, m: m, k: k, weight: weight, epsilon: 1e-5)
    }
    expectSameBits(rms[1], rms[0], "RMS norm")
  }

  @Test(
    arguments: Level.allCases,
    [
      ([0.1, 0.2, 0.3, 0.4] as [Float], [0.036515, 0.146059, 0.328634, 0.584237]),
      ([1.1, 1.2, 1.3, 1.4], [0.401663, 0.876356, 1.424079, 2.044831]),
    ]
  )
  func publishedRMSNormIsMet(_ level: Level, _ oracle: ([Float], [Double])) throws {
    let y = try level.kernels().rmsNorm([1, 2, 3, 4], m: 1, k: 4, weight: oracle.0, epsilon: 1e-6)
    // Six decimals were published.
    #expect(maxDifference(y, oracle.1) <= 6e-7)
  }

  @Test(arguments: Level.allCases, [3, 64, 1152])
  func layerNormMeetsDoublePrecision(_ level: Level, _ k: Int) throws {
    var random = SeededRandom(seed: 52)
    let x = random.floats(k, upTo: 4).map { $0 + 3 }
    let (weight, bias) = (random.floats(k), random.floats(k))
    let y = try level.kernels().layerNorm(x, m: 1, k: k, weight: weight, bias: bias, epsilon: 1e-6)
    let mean = x.reduce(0.0) { $0 + Double($1) } / Double(k)
    let variance = x.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(k)
    let inverse = 1 / (variance + 1e-6).squareRoot()
    let exact = (0..<k).map {
      (Double(x[$0]) - mean) * inverse * Double(weight[$0]) + Double(bias[$0])
    }
    // Sums of k / 16 steps in f32 of values up to 7, normalised to deviations near 1.
    let bound = Double(k / 16 + 16) * Double(Float.ulpOfOne) * 7 * inverse
    #expect(maxDifference(y, exact) <= bound)
  }

  @Test(arguments: Level.allCases) func constantRowNormalisesToItsBias(_ level: Level) throws {
    let y = try level.kernels().layerNorm(
      [Float](repeating: 2, count: 20),
      m: 1,
      k: 20,
      weight: [Float](repeating: 3, count: 20),
      bias: [Float](repeating: 0.25, count: 20),
      epsilon: 1e-6
    )
    #expect(y.allSatisfy { $0 == 0.25 })
  }
}
