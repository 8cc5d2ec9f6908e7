// SPDX-License-Identifier: Apache-2.0
// The packed int8 layout and its packer.

import CSIMD
import TestSupport
import Testing

@Suite struct PackingTests {
  private func unpack(_ w: PackedWeights, row: Int) -> [Float] {
    var out = [Float](repeating: 0, count: w.k)
    w.bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      var weights = csimd_q8_weights(panels: base, n: w.n, k: w.k, group: w.group)
      csimd_q8_unpack_row(&weights, row, &out)
    }
    return out
  }

  @Test(arguments: [(1, 1, 32), (33, 96, 32), (48, 200, 128), (32, 72, 96)])
  func codesAndScalesLieWhereTheLayoutSays(_ n: Int, _ k: Int, _ group: Int) {
    var random = SeededRandom(seed: 3)
    let values = random.floats(n * k)
    let w = PackedWeights(values, n: n, k: k, group: group)
    let groups = (k + group - 1) / group
    let block = 32 * group + 128
    #expect(w.bytes.count == (n + 31) / 32 * groups * block)
    for row in 0..<(n + 31) / 32 * 32 {
      for g in 0..<groups {
        let start = (row / 32 * groups + g) * block
        let inputs = g * group..<min((g + 1) * group, k)
        let weights = row < n ? inputs.map { values[row * k + $0] } : []
        let scale = (weights.map(abs).max() ?? 0) / 127
        let stored = (0..<4).reduce(UInt32(0)) {
          $0 | UInt32(w.bytes[start + 32 * group + row % 32 * 4 + $1]) << (8 * UInt32($1))
        }
        #expect(stored == scale.bitPattern)
        for i in 0..<group {
          let value = i < weights.count && scale > 0 ? weights[i] / scale : 0
          let code = UInt8(Int(value.rounded(.toNearestOrEven)) + 128)
          #expect(w.bytes[start + i / 4 * 128 + row % 32 * 4 + i % 4] == code)
        }
      }
    }
  }

  @Test(arguments: [(5, 70, 32), (40, 256, 128)])
  func unpackingIsWithinHalfAStep(_ n: Int, _ k: Int, _ group: Int) {
    var random = SeededRandom(seed: 4)
    let values = random.floats(n * k)
    let w = PackedWeights(values, n: n, k: k, group: group)
    for row in 0..<n {
      let original = values[row * k..<(row + 1) * k]
      for (a, b) in zip(unpack(w, row: row), original) {
        #expect(abs(a - b) <= 0.5001 / 127)
      }
    }
  }

  @Test func reportsSquaredErrorAndEnergy() {
    var random = SeededRandom(seed: 5)
    let values = random.floats(3 * 50)
    let w = PackedWeights(values, n: 3, k: 50, group: 32)
    var panel = [UInt8](repeating: 0, count: w.bytes.count)
    var error = -1.0
    var energy = -1.0
    csimd_q8_pack_panel(values, 50, 3, 50, 32, &panel, &error, &energy)
    #expect(panel == w.bytes)
    let unpacked = (0..<3).flatMap { unpack(w, row: $0) }
    let expectedError = zip(values, unpacked).reduce(0.0) {
      let lost = Double($1.0) - Double($1.1)
      return $0 + lost * lost
    }
    let expectedEnergy = values.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(error - expectedError) <= 1e-5 * expectedError)
    #expect(abs(energy - expectedEnergy) <= 1e-12 * expectedEnergy)
  }

  @Test func nanWeightsCountAsZero() {
    let w = PackedWeights([.nan, 1, -2], n: 1, k: 3, group: 32)
    #expect(unpack(w, row: 0)[0] == 0)
    #expect(unpack(w, row: 0)[2] == -2)
  }

  @Test(arguments: [1, 64, 100, 1152, 2048, 4304, 16384])
  func rowStrideIsAnOddNumberOfCacheLines(_ k: Int) {
    let stride = csimd_q8_row_stride(k, 128)
    #expect(stride >= (k + 127) / 128 * 128 && stride % 128 == 64)
  }
}
