// SPDX-License-Identifier: Apache-2.0
// The loops that measure a machine: they do what they count, and read all that they are given.

import CSIMD
import TestSupport
import Testing

@Suite struct LimitTests {
  private static let limits: [csimd_limit] = [.i8, .bf16, .f32]

  @Test(arguments: Level.allCases) func operationsGrowWithIterations(_ level: Level) {
    for limit in Self.limits {
      let one = csimd_limit_run(limit, level.code, 1)
      #expect((one > 0) == csimd_limit_available(limit, level.code))
      #expect(csimd_limit_run(limit, level.code, 1000) == 1000 * one)
    }
  }

  @Test func aLevelThatRunsHasIntegersAndFloats() {
    for level in Level.vector {
      let runs = csimd_isa_available(level.code)
      #expect(csimd_limit_available(.i8, level.code) == runs)
      #expect(csimd_limit_available(.f32, level.code) == runs)
    }
    for limit in Self.limits { #expect(!csimd_limit_available(limit, .scalar)) }
    #expect(!csimd_limit_available(.bf16, .avx2))
  }

  @Test(arguments: Level.allCases) func everyWordIsRead(_ level: Level) {
    var random = SeededRandom(seed: 4)
    for words in [0, 1, 63, 64, 65, 640, 1000] {
      let data = (0..<words).map { _ in random.next() }
      // A rest of less than 512 bytes is not read.
      let expected = data.prefix(words / 64 * 64).reduce(0, ^)
      let found = data.withUnsafeBytes { bytes in
        bytes.baseAddress.map { csimd_limit_read($0, words * 8, level.code) } ?? 0
      }
      #expect(found == expected, "\(words) words")
    }
  }
}
