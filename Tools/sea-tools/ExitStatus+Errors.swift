// SPDX-License-Identifier: Apache-2.0
// Which exit code the host wing's errors deserve.

package import SEACheckpoint
package import SEACommandLine
package import SEAQuantizer

extension CheckpointError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch category {
    case .badData: .badData
    case .missingInput: .missingInput
    case .usage: .usage
    case .inputOutput: .inputOutput
    case .permission: .permission
    }
  }
}

extension QuantizerError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .cancelled: Interruption.status ?? .failure
    default: .badData
    }
  }
}

extension PresetError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .unknown: .usage
    case .file(let error): error.exitStatus
    case .json, .invalid: .badData
    }
  }
}
