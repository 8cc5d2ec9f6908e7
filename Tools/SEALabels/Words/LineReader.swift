// SPDX-License-Identifier: Apache-2.0
// Lines of bytes, one at a time.

import SEATensor

/// Reads lines without their line ends; a last line needs none.
struct LineReader {
  private let bytes: ByteView
  private var position = 0
  /// Number of the line read last, from 1.
  private(set) var number = 0

  /// Lines of `bytes`.
  init(_ bytes: ByteView) { self.bytes = bytes }

  /// The next line, or nil after the last.
  mutating func next() -> [UInt8]? {
    guard position < bytes.count else { return nil }
    var line: [UInt8] = []
    let start = position
    bytes.withSpan { span in
      var end = start
      while end < span.count, span[end] != UInt8(ascii: "\n") { end += 1 }
      line.reserveCapacity(end - start)
      for index in start..<end { line.append(span[index]) }
      position = end + 1
    }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    number += 1
    return line
  }
}
