// SPDX-License-Identifier: Apache-2.0
// What ends an answer, and the text that may be shown before it is certain.

/// Ids and texts that end an answer.
package struct StopRule: Sendable, Equatable {
  /// Tokens that end the answer and are not part of it.
  package var ids: [Int32]
  /// UTF-8 of texts that end the answer and are not part of it.
  package var texts: [[UInt8]]

  /// A rule of ids and texts; empty texts are left out.
  package init(ids: [Int32] = [], texts: [String] = []) {
    self.ids = ids
    self.texts = texts.map { Array($0.utf8) }.filter { !$0.isEmpty }
  }

  /// Nothing ends the answer but its length.
  package static let none = StopRule()
}

/// An answer's text as it grows, held back where it could become a stop text.
///
/// A stop text is found wherever tokens cut it; no part of one is ever given out. White space at both
/// ends of the answer is left out.
package struct AnswerText {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  private var hasBegun = false

  /// True once a stop text has appeared.
  package private(set) var isStopped = false

  /// An empty answer that the texts of `rule` end.
  package init(_ rule: StopRule) {
    stops = rule.texts
  }

  /// Adds decoded text.
  ///
  /// - Parameter text: well-formed UTF-8.
  /// - Returns: what has become certain to be part of the answer.
  package mutating func push(_ text: [UInt8]) -> [UInt8] {
    guard !isStopped, !text.isEmpty else { return [] }
    held += text
    if let place = firstStop() {
      isStopped = true
      held.removeLast(held.count - place)
      return finish()
    }
    return give(held.count - openLength())
  }

  /// Ends the answer and returns the rest of its text.
  package mutating func finish() -> [UInt8] {
    dropLeadingSpace()
    while let last = held.last, Self.isSpace(last) { held.removeLast() }
    defer { held.removeAll() }
    return held
  }

  /// Gives out the first `count` bytes, less white space that may turn out to be the end.
  private mutating func give(_ count: Int) -> [UInt8] {
    let dropped = dropLeadingSpace(upTo: count)
    var end = count - dropped
    while end > 0, Self.isSpace(held[end - 1]) { end -= 1 }
    guard end > 0 else { return [] }
    hasBegun = true
    let text = Array(held[..<end])
    held.removeFirst(end)
    return text
  }

  /// Where the earliest stop text starts.
  private func firstStop() -> Int? {
    held.indices.first { start in
      stops.contains { held[start...].starts(with: $0) }
    }
  }

  /// Bytes at the end that are the beginning of a stop text.
  private func openLength() -> Int {
    for start in held.indices {
      let tail = held[start...]
      if stops.contains(where: { $0.count > tail.count && $0.starts(with: tail) }) {
        return tail.count
      }
    }
    return 0
  }

  @discardableResult
  private mutating func dropLeadingSpace(upTo limit: Int = .max) -> Int {
    guard !hasBegun else { return 0 }
    let count = held.prefix(limit).prefix(while: Self.isSpace).count
    held.removeFirst(count)
    return count
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }
}
