// SPDX-License-Identifier: Apache-2.0
// Instruction-set levels, as users name them.

internal import CSIMD

/// A level of vector instructions that a kernel table is built for.
package enum InstructionSet: String, Sendable, CaseIterable {
  case scalar
  case avx2
  case avx512vnni
  case neondot
  case neoni8mm

  var code: csimd_isa {
    switch self {
    case .scalar: .scalar
    case .avx2: .avx2
    case .avx512vnni: .avx512vnni
    case .neondot: .neondot
    case .neoni8mm: .neoni8mm
    }
  }

  /// True when this CPU and operating system can run the level.
  package var isAvailable: Bool { csimd_isa_available(code) }

  /// The levels this machine can run, best last.
  package static var available: [InstructionSet] { allCases.filter(\.isAvailable) }

  /// The best level this machine can run.
  package static var best: InstructionSet { available.last ?? .scalar }
}

/// The instruction set that was asked for cannot be used.
package enum InstructionSetError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The name is none of the levels.
  case unknown(name: String)
  /// This machine cannot run the level.
  case unavailable(name: String)

  package var description: String {
    switch self {
    case .unknown(let name):
      "unknown instruction set '\(name)': expected \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", "))"
    case .unavailable(let name): "this machine cannot run instruction set '\(name)'"
    }
  }
}
