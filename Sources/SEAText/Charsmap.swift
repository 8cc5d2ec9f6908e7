// SPDX-License-Identifier: Apache-2.0
// The character map inside a SentencePiece model: a double-array trie and the texts it leads to.

package import SEATensor

/// Rewrites text by the entries of a map.
///
/// Layout: byte length of the trie (u32), the trie (u32 units), the replacements (ending in NUL).
/// A unit keeps the byte that leads to it in bits 0–7, "a value follows" in bit 8, and the
/// distance to its children in bits 10–30, counted in steps of 256 when bit 9 is set.
/// - Source: sentencepiece `normalizer.cc`; darts-clone `darts.h`.
package struct Charsmap: Sendable {
  private let bytes: ByteView
  private let unitCount: Int
  private let textStart: Int

  /// Checks the layout.
  ///
  /// - Throws: `TextError.badTable` when the lengths contradict each other.
  package init(_ bytes: ByteView) throws(TextError) {
    guard bytes.count >= 8 else {
      throw .badTable(name: TokenizerTables.Name.charsmap, problem: "shorter than 8 bytes")
    }
    let trieBytes = Int(bytes.loadLittleEndian(at: 0, as: UInt32.self))
    guard trieBytes >= 4, trieBytes % 4 == 0, trieBytes <= bytes.count - 4 else {
      throw .badTable(
        name: TokenizerTables.Name.charsmap,
        problem: "a trie of \(trieBytes) bytes in \(bytes.count)",
      )
    }
    self.bytes = bytes
    unitCount = trieBytes / 4
    textStart = 4 + trieBytes
    guard longestText <= Self.maximumText else {
      throw .badTable(
        name: TokenizerTables.Name.charsmap,
        problem: "a replacement of \(longestText) bytes, expected at most \(Self.maximumText)",
      )
    }
  }

  /// Longest replacement in bytes; real ones stay below 40.
  private static let maximumText = 1 << 10

  /// The longest run of bytes without a NUL after the trie.
  private var longestText: Int {
    bytes.withSpan { bytes in
      var longest = 0
      var length = 0
      for index in textStart..<bytes.count {
        length = bytes[index] == 0 ? 0 : length + 1
        longest = max(longest, length)
      }
      return longest
    }
  }

  private func unit(_ index: Int) -> UInt32? {
    guard index >= 0, index < unitCount else { return nil }
    return bytes.loadLittleEndian(at: 4 + index * 4, as: UInt32.self)
  }

  /// The longest entry that starts at `start`, or the shortest one, looking no further than `limit`.
  private func match(
    _ text: Span<UInt8>,
    at start: Int,
    limit: Int,
    isShortest: Bool
  ) -> (length: Int, value: Int)? {
    guard let root = unit(0) else { return nil }
    var node = Self.offset(root)
    var found: (length: Int, value: Int)?
    var index = start
    while index < limit, text[index] != 0 {
      node ^= Int(text[index])
      guard let next = unit(node), next & 0x8000_00ff == UInt32(text[index]) else { break }
      node ^= Self.offset(next)
      index += 1
      if next >> 8 & 1 == 1, let leaf = unit(node) {
        found = (index - start, Int(leaf & 0x7fff_ffff))
        if isShortest { break }
      }
    }
    return found
  }

  /// Gives the bytes that replace the longest match at `index` and returns its length, or nil.
  func replacement(_ text: Span<UInt8>, at index: Int, _ body: (UInt8) -> Void) -> Int? {
    guard let match = match(text, at: index, limit: text.count, isShortest: false) else {
      return nil
    }
    give(match.value, body)
    return match.length
  }

  private func give(_ value: Int, _ body: (UInt8) -> Void) {
    var position = textStart + value
    while position < bytes.count, bytes[position] != 0 {
      body(bytes[position])
      position += 1
    }
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int(unit >> 10) << (unit & 0x200 == 0 ? 0 : 8)
  }
}

// MARK: - As tokenizer files use it

extension Charsmap {
  /// Longest character, as a reader sees one, that is looked up whole.
  private static let wholeCharacter = 5

  /// The text with every character replaced that the map has an entry for.
  ///
  /// The library that reads tokenizer files looks up what a reader takes for one character, where
  /// that is short, and puts the shortest entry at its start in the place of all of it.
  /// - Source: Hugging Face tokenizers, `normalizers/precompiled.rs`.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    let source = text.span
    var output: [UInt8] = []
    output.reserveCapacity(source.count)
    var index = 0
    while index < source.count {
      let end = stretch(source, from: index)
      if end - index == 1 || ScalarReader.read(source, at: index).value == ScalarReader.stray {
        appendCharacter(source, index..<end, to: &output)
        index = end
        continue
      }
      for character in String(decoding: text[index..<end], as: UTF8.self) {
        let next = index + character.utf8.count
        appendCharacter(source, index..<next, to: &output)
        index = next
      }
    }
    return output
  }

  /// The end of the characters from `start` on that must be told apart: two ASCII characters never
  /// belong together but for CR LF, and a stray byte stands alone.
  private func stretch(_ text: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index < text.count {
      let scalar = ScalarReader.read(text, at: index)
      if scalar.value == ScalarReader.stray { return max(index, start + 1) }
      index += scalar.length
      guard index < text.count else { break }
      let isCut = scalar.value < 0x80 && text[index] < 0x80
      if isCut, scalar.value != 0x0d || text[index] != 0x0a { break }
    }
    return index
  }

  private func appendCharacter(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    to output: inout [UInt8]
  ) {
    if range.count <= Self.wholeCharacter, appendEntry(text, range, to: &output) { return }
    var index = range.lowerBound
    while index < range.upperBound {
      let scalar = index..<index + ScalarReader.read(text, at: index).length
      if !appendEntry(text, scalar, to: &output) {
        for position in scalar { output.append(text[position]) }
      }
      index = scalar.upperBound
    }
  }

  private func appendEntry(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    to output: inout [UInt8]
  ) -> Bool {
    let start = range.lowerBound
    guard let match = match(text, at: start, limit: range.upperBound, isShortest: true) else {
      return false
    }
    give(match.value) { output.append($0) }
    return true
  }
}
