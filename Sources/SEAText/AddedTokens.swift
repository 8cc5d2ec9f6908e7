// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in text before anything else, and how they are stored.

import SEATensor

/// One added token.
package struct AddedToken: Sendable, Equatable {
  /// How the token is looked for.
  package struct Options: OptionSet, Sendable {
    package let rawValue: UInt32

    /// The options with these bits.
    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// Only where no word character touches it.
    package static let singleWord = Options(rawValue: 1)
    /// Takes the white space before it along.
    package static let stripsLeft = Options(rawValue: 2)
    /// Takes the white space after it along.
    package static let stripsRight = Options(rawValue: 4)
    /// Looked for in normalised text.
    package static let normalized = Options(rawValue: 8)
    /// Only recognised in trusted text.
    package static let control = Options(rawValue: 16)
    /// Text that a SentencePiece normaliser leaves as it is.
    package static let symbol = Options(rawValue: 32)
    /// Never looked for by itself, because the model finds it.
    package static let found = Options(rawValue: 64)
  }

  package var id: Int32
  package var options: Options
  /// The bytes looked for: the token's text, normalised if it is looked for there.
  package var pattern: [UInt8]

  /// A token with every field given.
  package init(id: Int32, options: Options, pattern: [UInt8]) {
    self.id = id
    self.options = options
    self.pattern = pattern
  }
}

/// Where an added token was found.
struct AddedMatch {
  var id: Int32
  /// The bytes that the token stands for, white space that it takes along included.
  var range: Range<Int>
}

/// A set of added tokens, sorted by pattern so that a search narrows a range byte by byte.
struct AddedTokens: Sendable {
  private struct Entry: Sendable {
    var id: Int32
    var options: AddedToken.Options
    var start: Int
    var count: Int
  }

  private let entries: [Entry]
  private let pool: [UInt8]
  /// The entries that start with each byte.
  private let starts: [Range<Int>]
  /// Whether tokens take along what Python takes for white space.
  private let isPython: Bool

  var isEmpty: Bool { entries.isEmpty }

  /// The ids of the tokens, in no particular order.
  var ids: [Int32] { entries.map(\.id) }

  /// Sorts `tokens`; of two with the same pattern the earlier one is found.
  init(_ tokens: [AddedToken], isPython: Bool = false) {
    self.isPython = isPython
    let order = tokens.indices.filter { !tokens[$0].pattern.isEmpty }.sorted {
      let left = tokens[$0].pattern
      let right = tokens[$1].pattern
      return left == right ? $0 < $1 : left.lexicographicallyPrecedes(right)
    }
    var entries: [Entry] = []
    var pool: [UInt8] = []
    var starts = [Range<Int>](repeating: 0..<0, count: 256)
    for (index, position) in order.enumerated() {
      let token = tokens[position]
      entries.append(
        Entry(
          id: token.id,
          options: token.options,
          start: pool.count,
          count: token.pattern.count,
        )
      )
      pool += token.pattern
      let first = Int(token.pattern[0])
      starts[first] = (starts[first].isEmpty ? index : starts[first].lowerBound)..<(index + 1)
    }
    self.entries = entries
    self.pool = pool
    self.starts = starts
  }

  /// Finds tokens from left to right, the longest at each place, as they follow one another.
  ///
  /// - Parameters:
  ///   - text: the whole input.
  ///   - range: where to look; single-word and white-space rules look no further.
  ///   - isTrusted: whether control tokens may be recognised in a range of the text.
  /// - Returns: the tokens in order.
  /// - Source: Hugging Face tokenizers, `added_vocabulary.rs`, `find_matches`.
  func matches(
    in text: Span<UInt8>,
    range: Range<Int>,
    isTrusted: (Range<Int>) -> Bool
  ) -> [AddedMatch] {
    var matches: [AddedMatch] = []
    var covered = range.lowerBound
    var position = range.lowerBound
    while position < range.upperBound {
      guard let entry = longest(text, at: position, limit: range.upperBound, isTrusted) else {
        position += 1
        continue
      }
      var found = position..<position + entry.count
      position = found.upperBound
      if entry.options.contains(.singleWord), touchesWord(text, found, within: range) { continue }
      if entry.options.contains(.stripsLeft) {
        // White space that an earlier token took stays with that token.
        var start = found.lowerBound
        while start > max(covered, range.lowerBound) {
          let scalar = ScalarReader.readBackward(text, before: start, downTo: range.lowerBound)
          guard isSpace(scalar.value) else { break }
          start -= scalar.length
        }
        start = max(start, covered)
        // A token whose characters an earlier one took as white space is not there any more.
        guard start < found.upperBound else { continue }
        found = start..<found.upperBound
      }
      if entry.options.contains(.stripsRight) {
        var end = found.upperBound
        while end < range.upperBound {
          let scalar = ScalarReader.read(text, at: end)
          guard isSpace(scalar.value) else { break }
          end += scalar.length
        }
        found = found.lowerBound..<end
      }
      matches.append(AddedMatch(id: entry.id, range: found))
      covered = found.upperBound
    }
    return matches
  }

  /// The length of the longest token at `position`, or zero.
  func longestLength(_ text: Span<UInt8>, at position: Int) -> Int {
    longest(text, at: position, limit: text.count) { _ in true }?.count ?? 0
  }

  private func longest(
    _ text: Span<UInt8>,
    at position: Int,
    limit: Int,
    _ isTrusted: (Range<Int>) -> Bool
  ) -> Entry? {
    var candidates = starts[Int(text[position])]
    var found: Entry?
    var depth = 1
    while !candidates.isEmpty {
      // Patterns that end here sort first, the preferred one before its equals.
      while candidates.lowerBound < candidates.upperBound {
        let entry = entries[candidates.lowerBound]
        guard entry.count == depth else { break }
        if found?.count != depth {
          let isOpen = !entry.options.contains(.control)
          if isOpen || isTrusted(position..<position + depth) { found = entry }
        }
        candidates = (candidates.lowerBound + 1)..<candidates.upperBound
      }
      guard position + depth < limit else { break }
      candidates = narrow(candidates, at: depth, to: text[position + depth])
      depth += 1
    }
    return found
  }

  /// The entries of `range` whose byte at `depth` is `byte`; all of them are longer than `depth`.
  private func narrow(_ range: Range<Int>, at depth: Int, to byte: UInt8) -> Range<Int> {
    func firstIndex(where isBeyond: (UInt8) -> Bool) -> Int {
      var low = range.lowerBound
      var high = range.upperBound
      while low < high {
        let middle = (low + high) / 2
        if isBeyond(pool[entries[middle].start + depth]) { high = middle } else { low = middle + 1 }
      }
      return low
    }
    let low = firstIndex { $0 >= byte }
    return low..<max(low, firstIndex { $0 > byte })
  }

  private func isSpace(_ scalar: UInt32) -> Bool {
    isPython ? CharacterClass.isPythonSpace(scalar) : CharacterClass.isSpace(scalar)
  }

  private func touchesWord(
    _ text: Span<UInt8>,
    _ found: Range<Int>,
    within range: Range<Int>
  ) -> Bool {
    if found.lowerBound > range.lowerBound {
      let before = ScalarReader.readBackward(
        text,
        before: found.lowerBound,
        downTo: range.lowerBound,
      )
      if CharacterClass.isWord(before.value) { return true }
    }
    guard found.upperBound < range.upperBound else { return false }
    return CharacterClass.isWord(ScalarReader.read(text, at: found.upperBound).value)
  }
}

// MARK: - Storage

/// The table of added tokens: a count; id, options, start, length of each; the patterns.
package enum AddedTokenTable {
  private static let entryWords = 4
  /// The longest pattern; real ones stay below 100 bytes.
  package static let maximumPattern = 1 << 12

  /// The bytes of a table of these tokens.
  package static func build(_ tokens: [AddedToken]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(UInt32(tokens.count), to: &bytes)
    var start = 0
    for token in tokens {
      append(UInt32(bitPattern: token.id), to: &bytes)
      append(token.options.rawValue, to: &bytes)
      append(UInt32(start), to: &bytes)
      append(UInt32(token.pattern.count), to: &bytes)
      start += token.pattern.count
    }
    for token in tokens { bytes += token.pattern }
    return bytes
  }

  /// Reads a table and checks it against the number of ids.
  ///
  /// - Throws: `TextError.badTable`.
  static func read(_ bytes: ByteView, idCount: Int) throws(TextError) -> [AddedToken] {
    let name = TokenizerTables.Name.added
    guard bytes.count >= 4 else { throw .badTable(name: name, problem: "shorter than 4 bytes") }
    let count = Int(bytes.loadLittleEndian(at: 0, as: UInt32.self))
    let entryBytes = entryWords * 4
    guard count <= (bytes.count - 4) / entryBytes else {
      throw .badTable(name: name, problem: "\(count) entries in \(bytes.count) bytes")
    }
    let pool = 4 + count * entryBytes
    var tokens: [AddedToken] = []
    tokens.reserveCapacity(count)
    for entry in 0..<count {
      func word(_ index: Int) -> Int {
        Int(bytes.loadLittleEndian(at: 4 + entry * entryBytes + index * 4, as: UInt32.self))
      }
      let start = word(2)
      let length = word(3)
      guard word(0) < idCount, length <= maximumPattern, start <= bytes.count - pool,
        length <= bytes.count - pool - start
      else {
        throw .badTable(name: name, problem: "entry \(entry) points outside the table")
      }
      let range = (pool + start)..<(pool + start + length)
      tokens.append(
        AddedToken(
          id: Int32(word(0)),
          options: AddedToken.Options(rawValue: UInt32(word(1))),
          pattern: bytes.slice(range).array(),
        )
      )
    }
    return tokens
  }
}
