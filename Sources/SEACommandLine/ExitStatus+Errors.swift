// SPDX-License-Identifier: Apache-2.0
// Which exit code each library's errors deserve.

import ArgumentParser
import Glibc
package import SEAFormat
package import SEAImage
package import SEAModel
package import SEARuntime
package import SEATensor
package import SEAText

extension ExitStatus {
  /// The exit code for an error that reached the top of a command.
  package init(of error: any Error) {
    switch error {
    case let error as any ExitStatusProviding: self = error.exitStatus
    case is ValidationError: self = .usage
    default: self = .failure
    }
  }
}

extension FileError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .missing, .notRegular: .missingInput
    case .permission: .permission
    case .outOfMemory: .system
    case .shrunk: .inputOutput
    case .system(_, _, let code):
      switch code {
      case ENOMEM, EMFILE, ENFILE, EAGAIN: .system
      default: .inputOutput
      }
    }
  }
}

extension FormatError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .outputRefused: .usage
    case .busy: .busy
    default: .badData
    }
  }
}

extension JSONError: ExitStatusProviding {
  package var exitStatus: ExitStatus { .badData }
}

extension ModelError: ExitStatusProviding {
  package var exitStatus: ExitStatus { .badData }
}

extension ImageError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    if case .outOfMemory = self { .system } else { .badData }
  }
}

extension InstructionSetError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .unknown: .usage
    case .unavailable: .unavailable
    }
  }
}

extension TextError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .unknownTemplate, .noSystemText, .imageCount: .usage
    default: .badData
    }
  }
}

extension RuntimeError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .format(let error): error.exitStatus
    case .instructionSet(let error): error.exitStatus
    case .text(let error): error.exitStatus
    case .image(let error): error.exitStatus
    case .input, .images, .context: .usage
    case .memory: .system
    case .model, .missingPart, .weights, .token, .notFinite: .badData
    }
  }
}

extension BenchError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .nothingToMeasure, .notComparable: .badData
    case .cancelled: Interruption.status ?? .failure
    }
  }
}
