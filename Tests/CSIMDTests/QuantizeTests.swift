// SPDX-License-Identifier: Apache-2.0
// Activations → int8.

import CSIMD
import TestSupport
import Testing

@Suite struct QuantizeTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var m: Int
    var k: Int
    var group: Int
    var testDescription: String { "\(m)x\(k) group \(group)" }
  }

  static let shapes = [
    Shape(m: 1, k: 1, group: 32), Shape(m: 3, k: 15, group: 32), Shape(m: 2, k: 16, group: 32),
    Shape(m: 5, k: 33, group: 32), Shape(m: 2, k: 128, group: 128), Shape(m: 4, k: 129, group: 128),
    Shape(m: 3, k: 100, group: 64), Shape(m: 2, k: 4304, group: 128),
    Shape(m: 2, k: 1000, group: 1024),
  ]

  @Test(arguments: Level.vector, shapes)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: Shape) throws {
    var random = SeededRandom(seed: 1)
    let groups = (shape.k + shape.group - 1) / shape.group
    let xStride = shape.k + 3
    let x = random.floats((shape.m - 1) * xStride + shape.k, upTo: 5)
    for edge in GuardedEdge.allCases {
      let results = try [Level.scalar, level].map {
        try $0.kernels(edge: edge).quantize(
          x,
          m: shape.m,
          k: shape.k,
          group: shape.group,
          xStride: xStride,
          rowStride: groups * shape.group + 7,
          groupStride: groups + 2
        )
      }
      #expect(results[0].codes == results[1].codes)
      #expect(results[0].sums == results[1].sums)
      expectSameBits(results[1].scales, results[0].scales)
    }
  }

  @Test(arguments: Level.vector) func anyBitPatternGivesTheBitsOfScalar(_ level: Level) throws {
    var random = SeededRandom(seed: 2)
    let x = random.anyFloats(64 * 96)
    let results = try [Level.scalar, level].map {
      try $0.kernels().quantize(x, m: 64, k: 96, group: 32)
    }
    #expect(results[0].codes == results[1].codes)
    expectSameBits(results[1].scales, results[0].scales)
  }

  @Test(arguments: Level.allCases) func codesAreQuotientsRoundedToEven(_ level: Level) throws {
    // The scale is exactly 1, so halves are ties.
    let x: [Float] = [127, 0.5, 1.5, 2.5, -0.5, -1.5, -126.5, 126.5, 0.49, -127]
    let a = try level.kernels().quantize(x, m: 1, k: x.count, group: 32)
    #expect(a.scales == [1])
    #expect(Array(a.codes[..<10]) == [127, 0, 2, 2, 0, -2, -126, 126, 0, -127])
    #expect(a.sums == [-128 * a.codes.reduce(0) { $0 + Int32($1) }])
  }

  @Test(arguments: Level.allCases) func lastGroupIsPaddedWithZeros(_ level: Level) throws {
    let a = try level.kernels().quantize([Float](repeating: 2, count: 40), m: 1, k: 40, group: 32)
    #expect(a.codes.count == 64)
    #expect(a.codes[..<40].allSatisfy { $0 == 127 } && a.codes[40...].allSatisfy { $0 == 0 })
  }

  @Test(arguments: Level.allCases) func zeroGroupHasScaleZero(_ level: Level) throws {
    let a = try level.kernels().quantize([0, -0.0, 0], m: 1, k: 3, group: 32)
    #expect(a.scales == [0] && a.sums == [0] && a.codes.allSatisfy { $0 == 0 })
  }

  @Test(arguments: Level.allCases) func nanCountsAsZero(_ level: Level) throws {
    let a = try level.kernels().quantize([.nan, 1, -.nan], m: 1, k: 3, group: 32)
    #expect(Array(a.codes[..<3]) == [0, 127, 0])
    #expect(a.scales == [1 / 127])
  }

  @Test(arguments: Level.allCases) func infinityCountsAsTheLargestNumber(_ level: Level) throws {
    let a = try level.kernels().quantize([.infinity, -.infinity, 1], m: 1, k: 3, group: 32)
    #expect(Array(a.codes[..<3]) == [127, -127, 0])
    #expect(a.scales == [Float.greatestFiniteMagnitude / 127])
  }

  @Test(arguments: Level.allCases) func underflowingScaleMakesCodesZero(_ level: Level) throws {
    let tiny = Float.leastNonzeroMagnitude
    let a = try level.kernels().quantize([tiny, -tiny], m: 1, k: 2, group: 32)
    #expect(a.scales == [0] && a.codes.allSatisfy { $0 == 0 })
  }

  @Test(arguments: Level.allCases) func subnormalScaleClampsCodes(_ level: Level) throws {
    // 190 units / 127 rounds to a scale of 1 unit, of which the input is 190.
    let unit = Float.leastNonzeroMagnitude
    let a = try level.kernels().quantize([190 * unit, -190 * unit, unit], m: 1, k: 3, group: 32)
    #expect(a.scales == [unit] && Array(a.codes[..<3]) == [127, -127, 1])
  }
}
