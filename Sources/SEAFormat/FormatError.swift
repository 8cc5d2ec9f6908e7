// SPDX-License-Identifier: Apache-2.0
// The ways a file can fail to be what it says it is, and an output can fail to be written.

package import SEATensor

/// Why a file was refused or could not be written; every case names the file.
package enum FormatError: Error, Equatable, Sendable {
  /// The operating system refused.
  case file(FileError)
  /// The output path cannot be written to by design: a folder, a device.
  case outputRefused(path: String, reason: String)
  /// Another writer holds the output.
  case busy(path: String)
  /// A JSON text is malformed.
  case json(path: String, part: String, error: JSONError)
  /// A header breaks a rule of the container.
  case header(path: String, rule: String)
  /// One tensor breaks a rule.
  case tensor(path: String, name: String, rule: String)
  /// A tensor that is needed is not there.
  case missingTensor(path: String, name: String)
  /// A metadata entry is missing or wrong.
  case metadata(path: String, key: String, rule: String)
  /// A sound file of another kind.
  case notAModel(path: String, reason: String)
  /// A model file of a format this build does not know.
  case newerVersion(path: String, madeBy: String, version: String)
  /// Stored and computed checksums differ.
  case checksum(path: String, part: String, stored: String, computed: String)
}

extension FormatError: CustomStringConvertible {
  /// What is wrong, where, and what to do; one line.
  package var description: String {
    switch self {
    case .file(let error):
      error.description
    case .outputRefused(let path, let reason):
      "\(Self.name(path)): cannot be written: \(reason)"
    case .busy(let path):
      "\(Self.name(path)): another process is writing this file"
    case .json(let path, let part, let error):
      "\(Self.name(path)): \(part): \(error)"
    case .header(let path, let rule):
      "\(Self.name(path)): \(rule)"
    case .tensor(let path, let name, let rule):
      "\(Self.name(path)): tensor '\(name.printable())': \(rule)"
    case .missingTensor(let path, let name):
      "\(Self.name(path)): tensor '\(name.printable())' is missing"
    case .metadata(let path, let key, let rule):
      "\(Self.name(path)): metadata '\(key.printable())': \(rule)"
    case .notAModel(let path, let reason):
      "\(Self.name(path)): not a sea model file: \(reason)"
    case .newerVersion(let path, let madeBy, let version):
      "\(Self.name(path)): made by \(madeBy.printable()) in format version \(version), "
        + "this is \(ModelFile.toolVersion) and reads version \(ModelFile.formatVersion); "
        + "update sea or convert the model again"
    case .checksum(let path, let part, let stored, let computed):
      "\(Self.name(path)): checksum of \(part.printable()) is \(computed), "
        + "the file says \(stored.printable()): the file is damaged"
    }
  }

  /// Whether the cause is the operating system, not the content.
  package var systemError: FileError? {
    if case .file(let error) = self { error } else { nil }
  }

  private static func name(_ path: String) -> String {
    path.printable(limit: 4096)
  }
}
