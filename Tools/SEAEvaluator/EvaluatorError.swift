// SPDX-License-Identifier: Apache-2.0
// The ways an evaluation can fail.

package import SEAFormat
package import SEAImage
package import SEARuntime
package import SEATensor

/// Why questions were not asked or answers not scored.
package enum EvaluatorError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The operating system refused a file.
  case file(FileError)
  /// A file is not of its form, or cannot be written.
  case format(FormatError)
  /// A record of a file is wrong.
  case record(path: String, place: String, problem: String)
  /// None of the names that a file may have is in the folder.
  case missingFile(folder: String, names: [String])
  /// Answers and questions do not belong together.
  case mismatch(path: String, problem: String)
  /// An output is there already, or settings contradict each other.
  case usage(String)
  /// The model cannot be opened or run.
  case runtime(RuntimeError)
  /// A picture cannot be decoded.
  case image(ImageError)
  /// The caller asked to stop; answers so far are kept.
  case cancelled(done: Int, count: Int)

  package var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .format(let error): "\(error)"
    case .record(let path, let place, let problem):
      "\(path.printable(limit: 4096)): \(place): \(problem)"
    case .missingFile(let folder, let names):
      "\(folder.printable(limit: 4096)): has none of \(names.joined(separator: ", "))"
    case .mismatch(let path, let problem): "\(path.printable(limit: 4096)): \(problem)"
    case .usage(let problem): problem
    case .runtime(let error): "\(error)"
    case .image(let error): "\(error)"
    case .cancelled(let done, let count):
      "interrupted after \(done) of \(count) answers; --resume continues"
    }
  }
}
