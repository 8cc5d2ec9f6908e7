// SPDX-License-Identifier: Apache-2.0
// `sea train`: makes and improves models.

import ArgumentParser
package import SEACommandLine
package import SEALayers
package import SEATrainer

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a model.",
    discussion: """
      Every command but tokenizer keeps its run in a folder: --resume goes on with it, after whatever \
      ended it, to the same bits. --config FILE reads flags from YAML by the same names; the command \
      line wins.
      """,
    subcommands: [
      PretrainCommand.self, FinetuneCommand.self, LanguageCommand.self, TokenizerCommand.self,
      ContrastiveCommand.self,
    ]
  )
}

extension TrainerError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .format(let error): error.exitStatus
    case .busy: .busy
    case .folderInUse, .differs, .usage: .usage
    case .noValidCheckpoint, .checkpoint, .badInput: .badData
    case .notFinite: .failure
    case .interrupted: Interruption.status ?? .interrupted
    case .memory: .system
    }
  }
}

extension LayerError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .missingPart, .unsupported: .usage
    default: .badData
    }
  }
}
