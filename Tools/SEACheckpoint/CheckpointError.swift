// SPDX-License-Identifier: Apache-2.0
// Every way a foreign checkpoint can be wrong, told with file, field and value.

package import SEAFormat
package import SEAModel
package import SEATensor

/// Says why a checkpoint cannot be read or converted.
///
/// Each case carries the facts; `description` puts them in one line, and `category` tells a command
/// which exit code they deserve.
package enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file that must exist does not, or cannot be opened or read.
  case file(FileError)
  /// A safetensors or JSON file breaks a rule of its format.
  case format(FormatError)
  /// What the configuration describes is no model that can be run.
  case model(path: String, ModelError)
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
  case contradiction(path: String, field: String, says: String, found: String)
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
    case .missing: .missingInput
    case .file(let error): Self.category(of: error)
    case .format(let error): error.systemError.map { Self.category(of: $0) } ?? .badData
    case .usage: .usage
    default: .badData
    }
  }

  private static func category(of error: FileError) -> Category {
    switch error {
    case .missing, .notRegular: .missingInput
    case .permission: .permission
    case .shrunk, .system, .outOfMemory: .inputOutput
    }
  }

  package var description: String {
    switch self {
    case .file(let error): error.description
    case .format(let error): error.description
    case .model(let path, let error): "\(Self.show(path)): \(error)"
    case .missing(let path, let advice): "\(Self.show(path)): \(advice)"
    case .malformed(let path, let problem): "\(Self.show(path)): \(problem)"
    case .refusedImport(let path, let name):
      "\(Self.show(path)): refused import \(name); a weights file may only name tensors, nothing of it is run"
    case .truncated(let path, let expected, let found):
      "\(Self.show(path)): expected \(expected) bytes, have \(found); the download is incomplete"
    case .badTensor(let path, let tensor, let problem):
      "\(Self.show(path)): tensor \(tensor): \(problem)"
    case .badField(let path, let field, let problem): "\(Self.show(path)): \(field): \(problem)"
    case .contradiction(let path, let field, let says, let found):
      "\(Self.show(path)): \(field) is \(says), but \(found)"
    case .unsupported(let path, let what): "\(Self.show(path)): not supported: \(what)"
    case .unknownTensors(let path, let names):
      "\(Self.show(path)): \(names.count) unknown \(Self.plural(names)): \(Self.list(names))"
    case .missingTensors(let path, let names):
      "\(Self.show(path)): \(names.count) missing \(Self.plural(names)): \(Self.list(names))"
    case .notFinite(let path, let tensor, let count):
      "\(Self.show(path)): tensor \(tensor): \(count) values are NaN or infinite; "
        + "--allow-nonfinite converts them as they are"
    case .usage(let problem): problem
    }
  }

  private static func show(_ path: String) -> String { path.printable(limit: 4096) }

  private static func plural(_ names: [String]) -> String {
    names.count == 1 ? "tensor" : "tensors"
  }

  /// The first dozen names: enough to see the pattern without flooding a terminal.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(12).joined(separator: ", ")
    return names.count > 12 ? shown + " and \(names.count - 12) more" : shown
  }
}
