// SPDX-License-Identifier: Apache-2.0
// Which exit code the host wing's errors deserve.

package import SEACheckpoint
package import SEACommandLine
package import SEADataset
package import SEALabels
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

extension DatasetError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .imageMissing: .missingInput
    default: .badData
    }
  }
}

extension LabelError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch category {
    case .badData: .badData
    case .missingInput: .missingInput
    case .usage: .usage
    case .busy: .busy
    case .cancelled: Interruption.status ?? .failure
    case .inner: if case .format(let error) = self { error.exitStatus } else { .badData }
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
