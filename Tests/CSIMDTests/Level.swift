// SPDX-License-Identifier: Apache-2.0
// Instruction-set levels as test arguments, and comparison by bits.

import CSIMD
import TestSupport
import Testing

/// An instruction-set level under test.
enum Level: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case scalar, avx2, avx512vnni, neondot, neoni8mm

  /// The levels that are compared with the reference.
  #if arch(arm64)
  static let vector: [Level] = [.neondot, .neoni8mm]
  #else
  static let vector: [Level] = [.avx2, .avx512vnni]
  #endif

  /// The levels of this architecture.
  static let allCases: [Level] = [.scalar] + vector

  /// The levels of all architectures.
  static let everywhere: [Level] = [.scalar, .avx2, .avx512vnni, .neondot, .neoni8mm]

  var testDescription: String { rawValue }

  var code: csimd_isa {
    switch self {
    case .scalar: .scalar
    case .avx2: .avx2
    case .avx512vnni: .avx512vnni
    case .neondot: .neondot
    case .neoni8mm: .neoni8mm
    }
  }

  /// The kernels of this level on buffers at `edge`; cancels the test case where the machine cannot
  /// run the level.
  func kernels(edge: GuardedEdge = .high) throws -> Kernels {
    guard let table = csimd_infer_table_for(code) else {
      try Test.cancel("this machine cannot run \(rawValue)")
    }
    return Kernels(table: table, edge: edge)
  }
}

extension GuardedEdge: CustomTestStringConvertible {
  /// How failures name the edge.
  public var testDescription: String { self == .low ? "guard below" : "guard above" }
}

/// Records an issue at the first element whose bits differ; all NaN count as equal.
func expectSameBits(
  _ actual: [Float],
  _ expected: [Float],
  _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(actual.count == expected.count, sourceLocation: sourceLocation)
  for (index, (a, e)) in zip(actual, expected).enumerated()
  where a.bitPattern != e.bitPattern && !(a.isNaN && e.isNaN) {
    Issue.record("\(what) element \(index): \(a) instead of \(e)", sourceLocation: sourceLocation)
    return
  }
}

/// Largest absolute difference.
func maxDifference(_ actual: [Float], _ expected: [Double]) -> Double {
  zip(actual, expected).map { abs(Double($0) - $1) }.max() ?? 0
}
