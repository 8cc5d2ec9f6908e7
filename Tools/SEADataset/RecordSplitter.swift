// SPDX-License-Identifier: Apache-2.0
// Where the records of a JSON array or of JSON lines start and end, without reading the whole.

package import SEATensor

/// A record's place in its file.
package struct RecordPlace: Sendable, Equatable {
  /// The bytes of the record.
  package let bytes: Range<Int>
  /// Line on which it starts, counted from 1.
  package let line: Int
}

/// What comes next in a file of records.
package enum RecordStep: Sendable, Equatable {
  case record(RecordPlace)
  /// Something between records is wrong; splitting goes on where that is possible.
  case fault(line: Int, problem: String)
  case end
}

/// Splits a mapped file into records.
///
/// In an array only brackets and strings are followed; each record is then read by the strict JSON
/// scanner, so a record that is wrong inside does not hide the others. In JSON lines a record ends
/// with its line.
package struct RecordSplitter: Sendable {
  /// Longest record that is read.
  package static let maxRecordBytes = 16 << 20

  private let bytes: ByteView
  /// The file is one array.
  package let isArray: Bool
  /// The file starts with a byte order mark, which is passed over.
  package let hasByteOrderMark: Bool
  private var position = 0
  private var line = 1
  private var isFirst = true
  private var isOver = false

  /// Looks at the first bytes.
  package init(_ bytes: ByteView) {
    self.bytes = bytes
    hasByteOrderMark =
      bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf
    position = hasByteOrderMark ? 3 : 0
    var start = position
    while start < bytes.count, Self.isSpace(bytes[start]) { start += 1 }
    isArray = start < bytes.count && bytes[start] == UInt8(ascii: "[")
    if isArray {
      skipSpace()
      position += 1
    }
  }

  /// Bytes that have been passed; pages before them may be given back.
  package var offset: Int { position }

  /// The next record, fault, or the end.
  package mutating func next() -> RecordStep {
    guard !isOver else { return .end }
    return isArray ? nextElement() : nextLine()
  }

  // MARK: - JSON lines

  private mutating func nextLine() -> RecordStep {
    while position < bytes.count {
      let start = position
      let startLine = line
      let stop = lineEnd(from: start)
      position = min(stop + 1, bytes.count)
      line += stop < bytes.count ? 1 : 0
      var first = start
      var last = stop
      while first < last, Self.isSpace(bytes[first]) { first += 1 }
      while last > first, Self.isSpace(bytes[last - 1]) { last -= 1 }
      guard first < last else { continue }
      guard last - first <= Self.maxRecordBytes else {
        return .fault(line: startLine, problem: tooLong(last - first))
      }
      return .record(RecordPlace(bytes: first..<last, line: startLine))
    }
    isOver = true
    return .end
  }

  private func lineEnd(from start: Int) -> Int {
    bytes.withSpan { span in
      var index = start
      while index < span.count, span[index] != 0x0a { index += 1 }
      return index
    }
  }

  // MARK: - Array

  private mutating func nextElement() -> RecordStep {
    skipSpace()
    guard position < bytes.count else { return broken("the array does not end; expected ']'") }
    if bytes[position] == UInt8(ascii: "]") { return finish() }
    if !isFirst {
      guard bytes[position] == UInt8(ascii: ",") else {
        return broken("expected ',' or ']' after a record")
      }
      position += 1
      skipSpace()
      guard position < bytes.count else { return broken("the array does not end; expected ']'") }
    }
    isFirst = false
    let start = position
    let startLine = line
    guard skipValue() else {
      line = startLine
      return broken("the record does not end")
    }
    guard position > start else { return broken("expected a record") }
    guard position - start <= Self.maxRecordBytes else {
      return .fault(line: startLine, problem: tooLong(position - start))
    }
    return .record(RecordPlace(bytes: start..<position, line: startLine))
  }

  private mutating func finish() -> RecordStep {
    position += 1
    skipSpace()
    isOver = true
    guard position == bytes.count else {
      return .fault(line: line, problem: "something follows the array")
    }
    return .end
  }

  /// Ends the splitting with a fault.
  private mutating func broken(_ problem: String) -> RecordStep {
    isOver = true
    return .fault(line: line, problem: problem)
  }

  private func tooLong(_ count: Int) -> String {
    "the record has \(count) bytes, at most \(Self.maxRecordBytes) are read"
  }

  private mutating func skipSpace() {
    while position < bytes.count, Self.isSpace(bytes[position]) {
      if bytes[position] == 0x0a { line += 1 }
      position += 1
    }
  }

  /// Moves past one value; false when the file ends inside it.
  private mutating func skipValue() -> Bool {
    let (stop, lines, isWhole) = bytes.withSpan { span -> (Int, Int, Bool) in
      var index = position
      var depth = 0
      var lines = 0
      while index < span.count {
        switch span[index] {
        case UInt8(ascii: "\""):
          index += 1
          while index < span.count, span[index] != UInt8(ascii: "\"") {
            if span[index] == UInt8(ascii: "\\") { index += 1 }
            if index < span.count, span[index] == 0x0a { lines += 1 }
            index += 1
          }
          guard index < span.count else { return (span.count, lines, false) }
          if depth == 0 { return (index + 1, lines, true) }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
          depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          // A closing bracket that opens nothing belongs to the array around.
          if depth == 0 { return (index, lines, true) }
          depth -= 1
          if depth == 0 { return (index + 1, lines, true) }
        case UInt8(ascii: ",") where depth == 0:
          return (index, lines, true)
        case 0x0a:
          lines += 1
        default: break
        }
        index += 1
      }
      return (index, lines, false)
    }
    position = stop
    line += lines
    return isWhole
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
  }
}
