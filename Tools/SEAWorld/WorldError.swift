// SPDX-License-Identifier: Apache-2.0
// The ways a world can fail to be written.

package import SEAFormat
package import SEATensor

/// Why a world was not written.
package enum WorldError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The operating system refused a file.
  case file(FileError)
  /// A file cannot be written or read.
  case format(FormatError)
  /// The folder holds something else, or a world with other settings.
  case folder(path: String, reason: String)
  /// A picture could not be encoded.
  case encoding(path: String, reason: String)
  /// The caller asked to stop; what was written stays and can be continued.
  case cancelled(done: Int, count: Int)

  package var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .format(let error): "\(error)"
    case .folder(let path, let reason): "\(path.printable(limit: 4096)): \(reason)"
    case .encoding(let path, let reason):
      "\(path.printable(limit: 4096)): the picture cannot be encoded: \(reason)"
    case .cancelled(let done, let count):
      "interrupted after \(done) of \(count) pictures; --resume continues"
    }
  }
}
