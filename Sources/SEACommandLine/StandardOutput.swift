// SPDX-License-Identifier: Apache-2.0
// Results on standard output, where a lost byte is a failure.

import Glibc
package import SEAFormat
import SEATensor

/// Standard output did not take what was written to it.
package enum OutputError: Error, Equatable {
  /// The reader has gone away, as with `sea … | head -1`: nobody is left to tell.
  case readerGone
  /// The system refused, as with a full disk.
  case failed(code: Int32)
}

extension OutputError: ExitStatusProviding, CustomStringConvertible {
  package var exitStatus: ExitStatus { .inputOutput }

  package var description: String {
    switch self {
    case .readerGone: "standard output: the reader has gone away"
    case .failed(let code): "standard output: cannot write: \(FileError.text(of: code))"
    }
  }
}

/// The one writer of results.
package final class StandardOutput {
  private var buffer: [UInt8] = []
  private static let chunk = 1 << 16

  /// A writer with nothing in its buffer.
  package init() {}

  /// Appends text; it reaches the reader at `flush` or when enough has come together.
  ///
  /// - Throws: `OutputError`.
  package func write(_ text: String) throws(OutputError) {
    try write(Array(text.utf8))
  }

  /// Appends bytes.
  ///
  /// - Throws: `OutputError`.
  package func write(_ bytes: [UInt8]) throws(OutputError) {
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.chunk { try flush() }
  }

  /// Appends text and a line end.
  ///
  /// - Throws: `OutputError`.
  package func line(_ text: String) throws(OutputError) {
    try write(text + "\n")
  }

  /// Appends one JSON object on a line of its own, its `schema` first.
  ///
  /// - Throws: `OutputError`.
  package func object(
    schema: String,
    _ fields: [(key: String, value: JSONValue)]
  ) throws(OutputError) {
    let object = JSONObject([(key: "schema", value: .string(schema))] + fields)
    try line(JSONValue.object(object).serialized())
  }

  /// Hands everything to the system.
  ///
  /// - Throws: `OutputError`.
  package func flush() throws(OutputError) {
    guard !buffer.isEmpty else { return }
    defer { buffer.removeAll(keepingCapacity: true) }
    switch System.write(buffer[...], to: STDOUT_FILENO) {
    case 0: return
    case EPIPE: throw .readerGone
    case let code: throw .failed(code: code)
    }
  }
}
