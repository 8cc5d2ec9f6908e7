// SPDX-License-Identifier: Apache-2.0
// Every way a foreign checkpoint can be wrong, told with file, field and value.

package import SEATensor

/// Says why a checkpoint cannot be read or converted.
///
/// Each case carries the facts; `description` puts them in one line, and `category` tells a command
/// which exit code they deserve.
package enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file that must exist does not, or cannot be opened or read.
  case file(FileError)
  /// Something that must exist does not; the advice says what to do about it.
  case missing(path: String, advice: String)
  /// A file is not in the format its place or name promises.
  case malformed(path: String, problem: String)
  /// A pickle names something that a tensor file has no business to import.
  case refusedImport(path: String, name: String)
  /// A weights file has fewer bytes than its own directory needs.
  case truncated(path: String, expected: Int, found: Int)
  /// One tensor of a file cannot be taken.
  case badTensor(path: String, tensor: String, problem: String)
  /// One key of a configuration file has a value that cannot be used.
  case badField(path: String, field: String, problem: String)
  /// A configuration file and the tensors beside it disagree.
  case contradiction(path: String, field: String, says: String, tensor: String, shape: [Int])
  /// The checkpoint is of a kind that is recognised and not supported.
  case unsupported(path: String, what: String)
  /// Tensors that no name map knows and that are not known to be expendable.
  case unknownTensors(path: String, names: [String])
  /// Tensors that the model needs and the checkpoint lacks.
  case missingTensors(path: String, names: [String])
  /// Values that are not finite where numbers are needed.
  case notFinite(path: String, tensor: String, count: Int)
  /// Options that contradict each other or the checkpoint.
  case usage(String)

  /// The classes of failure that commands answer with different exit codes.
  package enum Category: Sendable {
    /// The content of a file is wrong (exit 65).
    case badData
    /// An input does not exist (exit 66).
    case missingInput
    /// The caller asked for something impossible (exit 64).
    case usage
    /// Reading failed in the system (exit 74).
    case inputOutput
    /// Reading is not permitted (exit 77).
    case permission
  }

  /// The class this error belongs to.
  package var category: Category {
    switch self {
    case .missing, .file(.missing), .file(.notRegular): .missingInput
    case .file(.permission): .permission
    case .file: .inputOutput
    case .usage: .usage
    default: .badData
    }
  }

  package var description: String {
    switch self {
    case .file(let error): error.description
    case .missing(let path, let advice): "\(path): \(advice)"
    case .malformed(let path, let problem): "\(path): \(problem)"
    case .refusedImport(let path, let name):
      "\(path): refused import \(name); a weights file may only name tensors, nothing of it is run"
    case .truncated(let path, let expected, let found):
      "\(path): expected \(expected) bytes, have \(found); the download is incomplete"
    case .badTensor(let path, let tensor, let problem): "\(path): tensor \(tensor): \(problem)"
    case .badField(let path, let field, let problem): "\(path): \(field): \(problem)"
    case .contradiction(let path, let field, let says, let tensor, let shape):
      "\(path): \(field) is \(says), but tensor \(tensor) has shape \(shape)"
    case .unsupported(let path, let what): "\(path): not supported: \(what)"
    case .unknownTensors(let path, let names):
      "\(path): \(names.count) unknown \(Self.plural(names)): \(Self.list(names))"
    case .missingTensors(let path, let names):
      "\(path): \(names.count) missing \(Self.plural(names)): \(Self.list(names))"
    case .notFinite(let path, let tensor, let count):
      "\(path): tensor \(tensor): \(count) values are NaN or infinite; "
        + "--allow-nonfinite converts them as they are"
    case .usage(let problem): problem
    }
  }

  private static func plural(_ names: [String]) -> String {
    names.count == 1 ? "tensor" : "tensors"
  }

  /// The first dozen names: enough to see the pattern without flooding a terminal.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(12).joined(separator: ", ")
    return names.count > 12 ? shown + " and \(names.count - 12) more" : shown
  }
}
