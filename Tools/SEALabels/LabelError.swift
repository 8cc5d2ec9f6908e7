// SPDX-License-Identifier: Apache-2.0
// Every way that making or reading labels can fail, told with file, place and what was expected.

package import SEAFormat
import SEATensor

/// Says why labels cannot be made or read.
package enum LabelError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file or memory was refused by the operating system, or a file breaks a rule of its format.
  case format(FormatError)
  /// A line of a text file cannot be used.
  case line(path: String, line: Int, problem: String)
  /// A picture that the data name cannot be used.
  case picture(path: String, problem: String)
  /// A picture that the data name is not there.
  case missingPicture(path: String, record: String)
  /// A list that must hold something is empty.
  case empty(path: String, what: String)
  /// A label file is damaged or not one.
  case labelFile(path: String, problem: String)
  /// Two label files, or a run and what it goes on with, disagree in a field.
  case mismatch(path: String, field: String, stored: String, wanted: String)
  /// The encoder lacks what labels need, or has not the kind of feature asked for.
  case encoder(path: String, problem: String)
  /// An embedding or a feature that has no direction.
  case noDirection(what: String)
  /// The caller asked for something impossible.
  case usage(String)
  /// Another process works on the same output.
  case busy(path: String)
  /// The caller ended the work.
  case cancelled

  /// The classes of failure that commands answer with different exit codes.
  package enum Category: Sendable {
    /// The content of a file is wrong (exit 65).
    case badData
    /// An input does not exist (exit 66).
    case missingInput
    /// The caller asked for something impossible (exit 64).
    case usage
    /// Another process holds the output (exit 75).
    case busy
    /// As the error inside says.
    case inner
    /// The caller ended the work.
    case cancelled
  }

  /// The class this error belongs to.
  package var category: Category {
    switch self {
    case .format: .inner
    case .missingPicture: .missingInput
    case .usage, .empty: .usage
    case .busy: .busy
    case .cancelled: .cancelled
    case .mismatch: .usage
    default: .badData
    }
  }

  package var description: String {
    switch self {
    case .format(let error): error.description
    case .line(let path, let line, let problem): "\(Self.show(path)): line \(line): \(problem)"
    case .picture(let path, let problem): "\(Self.show(path)): \(problem)"
    case .missingPicture(let path, let record):
      "\(Self.show(path)): no such picture, named by \(record)"
    case .empty(let path, let what): "\(Self.show(path)): holds no \(what)"
    case .labelFile(let path, let problem): "\(Self.show(path)): \(problem)"
    case .mismatch(let path, let field, let stored, let wanted):
      "\(Self.show(path)): \(field) is \(stored.printable(limit: 200)), "
        + "this run has \(wanted.printable(limit: 200))"
    case .encoder(let path, let problem): "\(Self.show(path)): \(problem)"
    case .noDirection(let what): "\(what) has no direction: its values are zero or not finite"
    case .usage(let problem): problem
    case .busy(let path): "\(Self.show(path)): another process works on these labels"
    case .cancelled: "interrupted"
    }
  }

  private static func show(_ path: String) -> String { path.printable(limit: 4096) }

  static func file(_ error: FileError) -> LabelError { .format(.file(error)) }
}
