// SPDX-License-Identifier: Apache-2.0
// The ways an operating system can refuse a file or memory.

import Glibc

/// What went wrong below the level of any format.
package enum FileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing exists at the path.
  case missing(path: String)
  /// The path is a folder, pipe, socket or device.
  case notRegular(path: String)
  /// The process may not read or write the path.
  case permission(path: String)
  /// A system call failed.
  case system(path: String, operation: String, code: Int32)
  /// A file became shorter while it was in use.
  case shrunk(path: String, expected: Int, found: Int)
  /// Memory could not be had.
  case outOfMemory(bytes: Int)

  package var description: String {
    switch self {
    case .missing(let path): "\(path): no such file"
    case .notRegular(let path): "\(path): not a regular file"
    case .permission(let path): "\(path): permission denied"
    case .system(let path, let operation, let code):
      "\(path): cannot \(operation): \(FileError.text(of: code))"
    case .shrunk(let path, let expected, let found):
      "\(path): the file shrank from \(expected) to \(found) bytes while it was in use"
    case .outOfMemory(let bytes): "cannot allocate \(bytes) bytes"
    }
  }

  /// The error for a failed system call on a path.
  package static func from(path: String, operation: String, code: Int32) -> FileError {
    switch code {
    case ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG: .missing(path: path)
    case EACCES, EPERM: .permission(path: path)
    default: .system(path: path, operation: operation, code: code)
    }
  }

  /// The C library's text for an error number.
  package static func text(of code: Int32) -> String {
    guard let message = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: message)
  }
}
