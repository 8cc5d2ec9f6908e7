// SPDX-License-Identifier: Apache-2.0
// The packed int4 layout and its packer.

import CSIMD
import TestSupport
import Testing

@Suite struct Int4PackingTests {
  /// Roughly normal values: sums of twelve uniform ones.
  private static func normal(_ count: Int, seed: UInt64, deviation: Float = 1) -> [Float] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in
      deviation * random.floats(12, upTo: 0.5).reduce(0, +)
    }
  }

  private static func relativeError(_ values: [Float], _ w: Int4Weights) -> Double {
    var lost = 0.0
    var sum = 0.0
    for row in 0..<w.n {
      for (given, stored) in zip(values[row * w.k..<(row + 1) * w.k], w.unpack(row: row)) {
        lost += (Double(given) - Double(stored)) * (Double(given) - Double(stored))
        sum += Double(given) * Double(given)
      }
    }
    return sum > 0 ? (lost / sum).squareRoot() : 0
  }

  @Test(arguments: [(1, 1), (33, 96), (48, 200), (32, 128), (70, 300)])
  func codesFactorsAndScalesLieWhereTheLayoutSays(_ n: Int, _ k: Int) {
    let values = Self.normal(n * k, seed: 3)
    let w = Int4Weights(values, n: n, k: k)
    #expect(w.bytes.count == (n + 31) / 32 * ((k + 127) / 128) * 2176)
    #expect(w.bytes.count % 64 == 0)
    for row in 0..<w.panels * 32 {
      let stored = row < n ? w.unpack(row: row) : []
      for input in 0..<w.blocks * 128 {
        guard row < n, input < k else {
          #expect(w.code(row, input) == 0)
          if row >= n { #expect(w.word(row, input) == 0) }
          continue
        }
        let whole = Float(w.code(row, input) * w.factor(row, input))
        #expect(stored[input] == whole * w.scale(row, input))
      }
    }
  }

  @Test(arguments: [1e-6, 1e-3, 0.02, 1, 1000] as [Float])
  func theErrorIsSmallAtAnyMagnitude(deviation: Float) {
    let values = Self.normal(40 * 512, seed: 4, deviation: deviation)
    let error = Self.relativeError(values, Int4Weights(values, n: 40, k: 512))
    // The best scale for each group alone, without rounding it, gives 0.081.
    #expect(error < (deviation < 1e-5 ? 0.1 : 0.084))
  }

  @Test func theSearchBeatsTheLargestMagnitude() {
    let values = Self.normal(32 * 1024, seed: 5)
    let error = Self.relativeError(values, Int4Weights(values, n: 32, k: 1024))
    var lost = 0.0
    for start in stride(from: 0, to: values.count, by: 32) {
      let group = values[start..<start + 32]
      let step = (group.map(abs).max() ?? 0) / 7
      for value in group {
        let off = Double(value - (value / step).rounded(.toNearestOrEven) * step)
        lost += off * off
      }
    }
    let plain = (lost / values.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
    #expect(error < 0.87 * plain)
  }

  @Test func everyWeightIsNearItsCode() {
    var random = SeededRandom(seed: 6)
    let values = random.floats(40 * 256)
    let w = Int4Weights(values, n: 40, k: 256)
    for row in 0..<40 {
      for (given, stored) in zip(values[row * 256..<(row + 1) * 256], w.unpack(row: row)) {
        // A step is at most 1 / 6.5; the search may cut a value off that is 8 steps on the short side.
        #expect(abs(given - stored) < 1.2 / 6.5)
      }
    }
  }

  @Test func reportsSquaredErrorAndEnergy() {
    let values = Self.normal(70 * 200, seed: 7)
    var error = 0.0
    var energy = 0.0
    let w = Int4Weights(values, n: 70, k: 200) {
      error += $0
      energy += $1
    }
    let exact = values.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(energy - exact) <= 1e-12 * exact)
    #expect(abs((error / energy).squareRoot() - Self.relativeError(values, w)) < 1e-6)
  }

  @Test func specialValuesHaveAMeaning() {
    var values = [Float](repeating: 0, count: 256)
    values[0] = .nan
    values[1] = -2
    values[130] = .infinity
    let row = Int4Weights(values, n: 1, k: 256).unpack(row: 0)
    #expect(row[0] == 0 && abs(row[1] + 2) < 0.05)
    #expect(row[130].isFinite && row[130] > 100_000)
    #expect(row.allSatisfy { $0.isFinite })
    let zero = Int4Weights([Float](repeating: 0, count: 128), n: 1, k: 128)
    #expect(zero.word(0, 0) == 0 && zero.unpack(row: 0).allSatisfy { $0 == 0 })
    let tiny = Int4Weights([Float](repeating: 1e-30, count: 128), n: 1, k: 128)
    #expect(tiny.unpack(row: 0).allSatisfy { $0 == 0 })
  }

  @Test(arguments: [1, 128, 2048, 4304, 16_384, 65_536])
  func scratchHoldsWholePanels(_ k: Int) {
    let panel = (k + 127) / 128 * 4224
    #expect(csimd_q4_scratch(k) % panel == 0 && csimd_q4_scratch(k) >= panel)
    #expect(csimd_q4_scratch(k) <= max(512 * 1024, panel))
  }
}
