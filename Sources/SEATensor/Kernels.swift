// SPDX-License-Identifier: Apache-2.0
// The one door to C: a kernel table behind methods that check shapes.

internal import CSIMD
internal import Glibc

/// The kernels of one instruction-set level.
///
/// Methods are single-threaded, allocate nothing and trap on shapes that do not fit. All levels give
/// the same bits.
@safe package struct Kernels: @unchecked Sendable {  // the table is immutable static memory
  let table: UnsafePointer<csimd_infer_table>

  /// The level of this table.
  package let instructionSet: InstructionSet

  /// The kernels of `instructionSet`.
  ///
  /// - Throws: `InstructionSetError.unavailable` when this machine cannot run the level.
  package init(_ instructionSet: InstructionSet) throws(InstructionSetError) {
    guard let table = unsafe csimd_infer_table_for(instructionSet.code) else {
      throw .unavailable(name: instructionSet.rawValue)
    }
    unsafe self.table = table
    self.instructionSet = instructionSet
  }

  /// The kernels of a level by name; nil or "auto" means the variable `SEA_ISA`, and without that the
  /// best level this machine runs.
  ///
  /// - Throws: `InstructionSetError` when the name is unknown or the machine cannot run it.
  package init(named name: String?) throws(InstructionSetError) {
    var chosen = name == "auto" ? nil : name
    if chosen == nil, let variable = unsafe getenv("SEA_ISA") {
      let value = unsafe String(cString: variable)
      if !value.isEmpty && value != "auto" { chosen = value }
    }
    guard let chosen else {
      try self.init(InstructionSet.best)
      return
    }
    guard let level = InstructionSet(rawValue: chosen) else { throw .unknown(name: chosen) }
    try self.init(level)
  }
}
