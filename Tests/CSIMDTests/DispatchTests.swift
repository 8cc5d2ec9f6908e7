// SPDX-License-Identifier: Apache-2.0
// Which tables exist.

import CSIMD
import Testing

@Suite struct DispatchTests {
  @Test func scalarRunsEverywhere() {
    #expect(csimd_isa_available(.scalar))
    #expect(csimd_infer_table_for(.scalar) != nil)
  }

  @Test(arguments: Level.allCases) func tableExistsExactlyWhereTheLevelRuns(_ level: Level) {
    let table = csimd_infer_table_for(level.code)
    #expect((table != nil) == csimd_isa_available(level.code))
    if let table {
      #expect(table.pointee.isa == level.code)
    }
  }

  @Test func betterLevelImpliesWorse() {
    #expect(csimd_isa_available(.avx2) || !csimd_isa_available(.avx512vnni))
  }

  @Test(arguments: Level.allCases) func nameIsWhatUsersType(_ level: Level) {
    #expect(String(cString: csimd_isa_name(level.code)) == level.rawValue)
  }
}
