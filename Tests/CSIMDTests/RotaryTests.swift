// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding.

import CSIMD
import Glibc
import TestSupport
import Testing

@Suite struct RotaryTests {
  @Test(arguments: Level.vector, [2, 8, 30, 32, 34, 64, 72, 128, 256])
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ dim: Int) throws {
    var random = SeededRandom(seed: 60)
    let (m, heads) = (3, 2)
    let (stride, angleStride) = (heads * dim + 3, dim / 2 + 1)
    let x = random.floats((m - 1) * stride + heads * dim)
    let cosines = random.floats((m - 1) * angleStride + dim / 2)
    let sines = random.floats(cosines.count)
    for edge in GuardedEdge.allCases {
      let results = try [Level.scalar, level].map {
        try $0.kernels(edge: edge).rotate(
          x,
          stride: stride,
          m: m,
          heads: heads,
          dim: dim,
          cosines: cosines,
          sines: sines,
          angleStride: angleStride
        )
      }
      expectSameBits(results[1], results[0])
    }
  }

  @Test(arguments: Level.allCases) func publishedRotationIsMet(_ level: Level) throws {
    // d = 8, theta 10,000, position 3, input 1 … 8, halves split.
    let angles = (0..<4).map { 3 * pow(10_000, -Double($0) / 4) }
    let y = try level.kernels().rotate(
      [1, 2, 3, 4, 5, 6, 7, 8],
      stride: 8,
      m: 1,
      heads: 1,
      dim: 8,
      cosines: angles.map { Float(cos($0)) },
      sines: angles.map { Float(sin($0)) },
      angleStride: 4
    )
    let published = [
      -1.695593, 0.137552, 2.788682, 3.975982, -4.808842, 6.323059, 7.086837, 8.011964,
    ]
    #expect(maxDifference(y, published) <= 1.5e-6)
  }
}
