// SPDX-License-Identifier: Apache-2.0
// The ways a training run can be refused or end early.

package import SEAFormat
package import SEATensor

/// Why a run did not start or did not finish.
package enum TrainerError: Error, Equatable, Sendable {
  /// The operating system refused.
  case file(FileError)
  /// A file of the run could not be written or read.
  case format(FormatError)
  /// Another process trains in this folder.
  case busy(path: String, process: Int?)
  /// The folder holds something, and going on with it was not asked for.
  case folderInUse(path: String)
  /// Settings or inputs differ from those that a checkpoint was made with.
  case differs(path: String, what: String, here: String, there: String)
  /// There are checkpoints and none of them is whole.
  case noValidCheckpoint(path: String, reason: String)
  /// One checkpoint cannot be used.
  case checkpoint(path: String, problem: String)
  /// A loss or gradient is no finite number.
  case notFinite(what: String, step: Int, batch: [String])
  /// The run was asked to stop and has saved its state.
  case interrupted(step: Int)
  /// What is planned does not fit in the memory allowed.
  case memory(needed: Int, limit: Int)
  /// Options that contradict each other, the model or the data.
  case usage(String)
  /// A file that the run reads is not what it should be.
  case badInput(path: String, problem: String)
}

extension TrainerError: CustomStringConvertible {
  /// What is wrong, where, and what was expected; one line.
  package var description: String {
    switch self {
    case .file(let error): error.description
    case .format(let error): error.description
    case .busy(let path, let process):
      "\(Self.name(path)): another trainer is at work here"
        + (process.map { " (process \($0))" } ?? "")
    case .folderInUse(let path):
      "\(Self.name(path)): the folder is not empty; --resume goes on with a run"
    case .differs(let path, let what, let here, let there):
      "\(Self.name(path)): made with another \(what): \(there.printable()) there, "
        + "\(here.printable()) here"
    case .noValidCheckpoint(let path, let reason):
      "\(Self.name(path)): no checkpoint is whole: \(reason)"
    case .checkpoint(let path, let problem):
      "\(Self.name(path)): \(problem)"
    case .notFinite(let what, let step, let batch):
      "step \(step): \(what) is not a finite number; the batch: "
        + batch.prefix(16).map { $0.printable(limit: 60) }.joined(separator: ", ")
        + (batch.count > 16 ? " and \(batch.count - 16) more" : "")
    case .interrupted(let step):
      "interrupted after step \(step); --resume goes on from there"
    case .memory(let needed, let limit):
      "the plan needs \(needed) bytes, --max-memory allows \(limit)"
    case .usage(let message): message
    case .badInput(let path, let problem): "\(Self.name(path)): \(problem)"
    }
  }

  private static func name(_ path: String) -> String { path.printable(limit: 4096) }
}
