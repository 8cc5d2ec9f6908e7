// SPDX-License-Identifier: Apache-2.0
// Standard input, read with a limit: an input that never ends is refused, not waited for.

import Glibc
import SEATensor

/// Reads standard input as a whole or line by line.
package enum StandardInput {
  private static let chunk = 1 << 16

  /// Everything up to the end of the input.
  ///
  /// - Throws: `CommandError` (65) beyond `limit` bytes, `FileError` when reading fails.
  package static func readAll(limit: Int, what: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      try Interruption.check()
      let piece = try System.read(STDIN_FILENO, limit: chunk, name: "standard input")
      guard !piece.isEmpty else { return bytes }
      bytes.append(contentsOf: piece)
      guard bytes.count <= limit else {
        throw CommandError(
          .badData,
          "standard input: more than \(limit) bytes, the most that \(what) may have"
        )
      }
    }
  }

  /// Hands over each line without its line end, as soon as it is complete.
  ///
  /// - Parameters:
  ///   - limit: most bytes of a line.
  ///   - pause: called when all that has arrived is handed over; the moment to flush answers.
  ///   - body: called with each line.
  /// - Throws: `CommandError` (65) for a line beyond `limit` bytes, `FileError` when reading fails, and
  ///   what `body` throws.
  package static func forEachLine(
    limit: Int,
    pause: () throws -> Void,
    _ body: ([UInt8]) throws -> Void
  ) throws {
    var rest: [UInt8] = []
    while true {
      try Interruption.check()
      let piece = try System.read(STDIN_FILENO, limit: chunk, name: "standard input")
      guard !piece.isEmpty else { break }
      var start = piece.startIndex
      while let end = piece[start...].firstIndex(of: UInt8(ascii: "\n")) {
        try body(rest + piece[start..<end])
        rest.removeAll(keepingCapacity: true)
        start = end + 1
      }
      rest.append(contentsOf: piece[start...])
      guard rest.count <= limit else {
        throw CommandError(.badData, "standard input: a line of more than \(limit) bytes")
      }
      try pause()
    }
    if !rest.isEmpty { try body(rest) }
  }
}
