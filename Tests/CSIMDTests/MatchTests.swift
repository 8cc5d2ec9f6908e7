// SPDX-License-Identifier: Apache-2.0
// Scores above thresholds, and products with chosen rows.

import CSIMD
import TestSupport
import Testing

extension Kernels {
  /// The positions of the scores above their row's threshold.
  func select(
    _ x: [Float],
    m: Int,
    n: Int,
    stride: Int? = nil,
    above thresholds: [Float]
  )
    -> [UInt32]
  {
    let scores = guarded(x)
    let limits = guarded(thresholds)
    let positions = guarded([UInt32](repeating: .max, count: m * n))
    let count = table.pointee.select_above(
      scores.pointer,
      stride ?? n,
      m,
      n,
      limits.pointer,
      positions.pointer
    )
    let found = finish(positions)
    #expect(found[Int(count)...].allSatisfy { $0 == .max })
    return Array(found.prefix(Int(count)))
  }

  /// Products of `x` with chosen rows of `w`.
  func dot(_ x: [Float], _ w: [Float], rows: [UInt32]) -> [Float] {
    let input = guarded(x)
    let weights = guarded(w)
    let chosen = guarded(rows)
    let output = guarded([Float](repeating: unwritten, count: rows.count))
    table.pointee.dot_rows(
      input.pointer,
      weights.pointer,
      x.count,
      chosen.pointer,
      rows.count,
      output.pointer
    )
    return finish(output)
  }
}

@Suite struct MatchTests {
  @Test(arguments: Level.allCases, [1, 7, 15, 16, 17, 31, 64, 128])
  func selectionIsTheComparison(_ level: Level, _ n: Int) throws {
    var random = SeededRandom(seed: 81)
    let m = 5
    let stride = n + 3
    var x = random.floats((m - 1) * stride + n)
    // A tie with the threshold, a NaN and both infinities.
    x[0] = 0.25
    x[n - 1] = .nan
    x[stride] = .infinity
    x[2 * stride] = -.infinity
    for thresholds: [Float] in [
      [0.25, 0.5, -0.5, 2, -2], [.infinity, -.infinity, .nan, 0, -0.0],
    ] {
      var expected: [UInt32] = []
      for i in 0..<m {
        for j in 0..<n where x[i * stride + j] > thresholds[i] {
          expected.append(UInt32(i * n + j))
        }
      }
      for edge in GuardedEdge.allCases {
        let kernels = try level.kernels(edge: edge)
        #expect(kernels.select(x, m: m, n: n, stride: stride, above: thresholds) == expected)
      }
    }
  }

  @Test(arguments: Level.allCases, [1, 15, 16, 17, 40, 768])
  func productsWithChosenRowsHaveTheBitsOfTheMatrixProduct(_ level: Level, _ k: Int) throws {
    var random = SeededRandom(seed: 82)
    let n = 9
    let (x, w) = (random.floats(k), random.floats(n * k))
    let scalar = try Level.scalar.kernels()
    for rows: [UInt32] in [[8], [0, 3], [2, 2, 7], [8, 0, 1, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8]] {
      let expected = scalar.dot(x, w, rows: rows)
      for (row, value) in zip(rows, expected) {
        let sum = (0..<k).reduce(0.0) { $0 + Double(x[$1]) * Double(w[Int(row) * k + $1]) }
        #expect(abs(sum - Double(value)) <= Double(k) * 1.2e-7 * Double(k))
      }
      for edge in GuardedEdge.allCases {
        let kernels = try level.kernels(edge: edge)
        expectSameBits(kernels.dot(x, w, rows: rows), expected, "dot")
        let all = kernels.gemm(x, m: 1, f32: w, n: n, k: k)
        expectSameBits(rows.map { all[Int($0)] }, expected, "gemm")
      }
    }
  }
}
