// SPDX-License-Identifier: Apache-2.0
// The files that benchmarks come in: JSON, JSON lines, and tables with separators.

package import SEAFormat
internal import SEATensor

/// Readers of whole data files.
package enum DataFile {
  /// The bytes of a file.
  ///
  /// - Throws: `EvaluatorError.file`.
  static func bytes(_ path: String) throws(EvaluatorError) -> [UInt8] {
    do throws(FileError) {
      return try MappedFile(path: path).bytes.array()
    } catch {
      throw .file(error)
    }
  }

  /// Whether a regular file is there.
  static func exists(_ path: String) -> Bool {
    (try? MappedFile(path: path)) != nil
  }

  /// The one JSON value of a file.
  ///
  /// - Throws: `EvaluatorError.format` with the place of the fault.
  package static func json(_ path: String) throws(EvaluatorError) -> JSONValue {
    let bytes = try bytes(path)
    do throws(JSONError) {
      return try JSONScanner.parse(
        bytes,
        limits: JSONLimits(bytes: 4 << 30, loneSurrogates: .replaced)
      )
    } catch {
      throw .format(.json(path: path, part: "the file", error: error))
    }
  }

  /// The JSON values of a file with one on each line, or of a file that is one array.
  ///
  /// - Throws: `EvaluatorError.format` with the line of the fault.
  package static func lines(_ path: String) throws(EvaluatorError) -> [JSONValue] {
    let bytes = try bytes(path)
    let first = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
    if first == UInt8(ascii: "["), let array = try json(path).array { return array }
    return try lines(bytes, path: path)
  }

  /// The JSON values on the lines of a text; empty lines are skipped.
  static func lines(_ bytes: [UInt8], path: String) throws(EvaluatorError) -> [JSONValue] {
    var values: [JSONValue] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      guard line.contains(where: { ![0x20, 0x09, 0x0d].contains($0) }) else { continue }
      do throws(JSONError) {
        values.append(
          try JSONScanner.parse(Array(line), limits: JSONLimits(loneSurrogates: .replaced))
        )
      } catch {
        throw .format(.json(path: path, part: "line \(number)", error: error))
      }
    }
    return values
  }

  /// The rows of a table; a cell in double quotes may hold separators, line ends and doubled quotes.
  ///
  /// - Throws: `EvaluatorError.record` when a quote is never closed or a byte is not UTF-8.
  package static func table(
    _ path: String,
    separator: Character
  ) throws(EvaluatorError) -> [[String]] {
    let bytes = try bytes(path)
    guard let separator = separator.asciiValue else { return [] }
    var rows: [[String]] = []
    var row: [String] = []
    var cell: [UInt8] = []
    var isQuoted = false
    var isFresh = true
    var index = 0
    func text(_ cell: [UInt8]) throws(EvaluatorError) -> String {
      guard let text = String(validating: cell, as: UTF8.self) else {
        throw .record(path: path, place: "row \(rows.count + 1)", problem: "is not UTF-8")
      }
      return text
    }
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if isQuoted {
        guard byte == UInt8(ascii: "\"") else {
          cell.append(byte)
          continue
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
          cell.append(byte)
          index += 1
        } else {
          isQuoted = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\"") where isFresh:
        isQuoted = true
        isFresh = false
      case separator:
        row.append(try text(cell))
        cell = []
        isFresh = true
      case UInt8(ascii: "\r") where index < bytes.count && bytes[index] == UInt8(ascii: "\n"):
        continue
      case UInt8(ascii: "\n"):
        row.append(try text(cell))
        if row.count > 1 || row[0] != "" { rows.append(row) }
        (row, cell, isFresh) = ([], [], true)
      default:
        cell.append(byte)
        isFresh = false
      }
    }
    guard !isQuoted else {
      throw .record(path: path, place: "row \(rows.count + 1)", problem: "a quote is never closed")
    }
    if !row.isEmpty || !cell.isEmpty { rows.append(row + [try text(cell)]) }
    return rows
  }
}
