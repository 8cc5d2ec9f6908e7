// SPDX-License-Identifier: Apache-2.0
// The two layouts of packed weights and their sizes.

internal import CSIMD

/// How a packed matrix holds its weights; both layouts have panels of 32 output rows.
package enum PackedFormat: Sendable, Equatable, Hashable {
  /// int8 codes with a scale for each row and group of inputs, a multiple of 32.
  case int8(group: Int)
  /// int4 codes with a whole factor for each row and 32 inputs, and a scale for each row and 128.
  case int4

  /// Inputs of a row that share a scale, and so the group of the activations that it multiplies.
  package var group: Int {
    switch self {
    case .int8(let group): group
    case .int4: Int(CSIMD_Q4_INPUTS)
    }
  }

  /// Bytes of a packed matrix, or nil when the shape has no layout.
  package func byteCount(rows: Int, columns: Int) -> Int? {
    guard rows > 0, columns > 0, group > 0, group % 32 == 0, group <= PackedMatrix.maximumGroup
    else { return nil }
    let panels = (rows - 1) / PackedMatrix.panelRows + 1
    let groups = (columns - 1) / group + 1
    // A word of four bytes stands beside the codes of every row and group.
    let codes = self == .int4 ? group / 2 : group
    let block = PackedMatrix.panelRows * (codes + MemoryLayout<UInt32>.size)
    let (perPanel, overflow) = groups.multipliedReportingOverflow(by: block)
    let (total, overflowTotal) = panels.multipliedReportingOverflow(by: perPanel)
    return overflow || overflowTotal ? nil : total
  }
}

extension Kernels {
  /// Bytes of scratch that a thread needs to multiply several tokens with int4 weights.
  package static func unpackedBytes(columns: Int) -> Int {
    precondition(columns > 0, "no columns")
    return csimd_q4_scratch(columns)
  }
}
