// SPDX-License-Identifier: Apache-2.0
// The words that patches are compared with: one a line of a text file.

package import SEATensor

/// A word list: distinct words or phrases, numbered from 0 in the order of the file.
package struct WordList: Sendable {
  /// The words.
  package let pool: TextPool
  /// SHA-256 of the words, each followed by a line feed: independent of line ends and repetitions.
  package let digest: String
  /// Lines that repeated an earlier word.
  package let repetitions: Int

  /// Most words that a label file can number.
  package static let limit = 1 << 24

  /// Longest word in bytes.
  package static let wordBytes = 1024

  /// Number of words.
  package var count: Int { pool.count }

  /// Word `index`.
  package subscript(index: Int) -> String { pool[index] }

  /// Reads a file: UTF-8, lines that end in LF or CRLF, blanks at either end dropped, empty lines and
  /// repetitions left out.
  ///
  /// - Throws: `LabelError` naming the line that cannot be used; `.empty` when there are no words.
  package init(path: String) throws(LabelError) {
    let file: MappedFile
    do throws(FileError) { file = try MappedFile(path: path) } catch { throw .file(error) }
    try self.init(file.bytes, path: path)
  }

  /// Reads the bytes of a word list; `path` is what errors call it.
  ///
  /// - Throws: as for a file.
  package init(_ bytes: ByteView, path: String) throws(LabelError) {
    var reader = LineReader(bytes)
    var pool = TextPool()
    var repetitions = 0
    while let line = reader.next() {
      func refuse(_ problem: String) -> LabelError {
        .line(path: path, line: reader.number, problem: problem)
      }
      guard let text = String(validating: line, as: UTF8.self) else {
        throw refuse("not valid UTF-8")
      }
      let word = Self.trimmed(text)
      guard !word.isEmpty else { continue }
      guard !word.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
        throw refuse("a control character inside a word")
      }
      guard word.utf8.count <= Self.wordBytes else {
        throw refuse("a word of \(word.utf8.count) bytes, at most \(Self.wordBytes) are taken")
      }
      guard pool.count < Self.limit else {
        throw refuse("more than \(Self.limit) words, the most that a label can number")
      }
      if !pool.insert(word.utf8).isNew { repetitions += 1 }
    }
    guard pool.count > 0 else { throw .empty(path: path, what: "words") }
    self.init(pool, repetitions: repetitions)
  }

  /// A list of words that are known to be distinct and trimmed.
  package init(_ pool: TextPool, repetitions: Int = 0) {
    self.pool = pool
    self.repetitions = repetitions
    var hash = Digest()
    for index in 0..<pool.count {
      hash.update(pool.bytes[pool.range(index)])
      hash.update([UInt8(ascii: "\n")])
    }
    digest = hash.hexadecimal
  }

  private static func trimmed(_ text: String) -> Substring {
    let scalars = text.unicodeScalars
    let isBlank: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace || $0 == "\u{feff}" }
    guard let first = scalars.firstIndex(where: { !isBlank($0) }),
      let last = scalars.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return Substring(scalars[first...last])
  }
}
