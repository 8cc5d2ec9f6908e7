// SPDX-License-Identifier: Apache-2.0
// Which tables exist.

import CSIMD
import Testing

@Suite struct DispatchTests {
  @Test func scalarRunsEverywhere() {
    #expect(csimd_isa_available(.scalar))
    #expect(csimd_infer_table_for(.scalar) != nil)
  }

  @Test(arguments: Level.everywhere) func tableExistsExactlyWhereTheLevelRuns(_ level: Level) {
    let table = csimd_infer_table_for(level.code)
    #expect((table != nil) == csimd_isa_available(level.code))
    if let table {
      #expect(table.pointee.isa == level.code)
    }
  }

  @Test func betterLevelImpliesWorse() {
    #expect(csimd_isa_available(.avx2) || !csimd_isa_available(.avx512vnni))
    #expect(csimd_isa_available(.neondot) || !csimd_isa_available(.neoni8mm))
  }

  @Test func noMachineHasLevelsOfTwoArchitectures() {
    #expect(!csimd_isa_available(.avx2) || !csimd_isa_available(.neondot))
  }

  @Test(arguments: Level.everywhere) func nameIsWhatUsersType(_ level: Level) {
    #expect(String(cString: csimd_isa_name(level.code)) == level.rawValue)
  }

  // Cancelled cases of an absent level are not printed; these say in one line what was left out.

  #if arch(arm64)
  @Test(.enabled(if: csimd_isa_available(.neondot), "this machine cannot run the dot products"))
  func neonDotKernelsAreTested() throws {
    #expect(try Level.neondot.kernels().table.pointee.isa == .neondot)
  }

  @Test(
    .enabled(if: csimd_isa_available(.neoni8mm), "this machine cannot run the matrix products")
  )
  func neonMatrixKernelsAreTested() throws {
    #expect(try Level.neoni8mm.kernels().table.pointee.isa == .neoni8mm)
  }
  #else
  @Test(.enabled(if: csimd_isa_available(.avx2), "this machine cannot run the AVX2 kernels"))
  func avx2KernelsAreTested() throws {
    #expect(try Level.avx2.kernels().table.pointee.isa == .avx2)
  }

  @Test(
    .enabled(if: csimd_isa_available(.avx512vnni), "this machine cannot run the AVX-512 kernels")
  )
  func avx512KernelsAreTested() throws {
    #expect(try Level.avx512vnni.kernels().table.pointee.isa == .avx512vnni)
  }
  #endif
}
