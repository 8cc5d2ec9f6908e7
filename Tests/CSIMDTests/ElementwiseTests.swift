// SPDX-License-Identifier: Apache-2.0
// Sums and multiples of vectors.

import CSIMD
import TestSupport
import Testing

@Suite struct ElementwiseTests {
  @Test(arguments: Level.allCases, [1, 8, 15, 16, 17, 32, 33, 1000])
  func addAndScaleAreTheOperators(_ level: Level, _ count: Int) throws {
    var random = SeededRandom(seed: 70)
    let (x, y) = (random.anyFloats(count), random.anyFloats(count))
    for edge in GuardedEdge.allCases {
      let kernels = try level.kernels(edge: edge)
      expectSameBits(kernels.add(x, to: y), zip(x, y).map { $1 + $0 }, "add")
      expectSameBits(kernels.scale(x, by: 1.7), x.map { $0 * 1.7 }, "scale")
    }
  }
}
