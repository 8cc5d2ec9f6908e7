// SPDX-License-Identifier: Apache-2.0
// The character map inside a SentencePiece model: a double-array trie and the texts it leads to.

package import SEATensor

/// Rewrites text by the longest entry of a map that starts at each place.
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
  }

  /// The text with every longest match replaced.
  func normalize(_ text: Span<UInt8>) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if let match = longestMatch(text, at: index) {
        appendReplacement(match.value, to: &output)
        index += match.length
      } else {
        let length = ScalarReader.read(text, at: index).length
        for offset in 0..<length { output.append(text[index + offset]) }
        index += length
      }
    }
    return output
  }

  private func unit(_ index: Int) -> UInt32? {
    guard index >= 0, index < unitCount else { return nil }
    return bytes.loadLittleEndian(at: 4 + index * 4, as: UInt32.self)
  }

  private func longestMatch(_ text: Span<UInt8>, at start: Int) -> (length: Int, value: Int)? {
    guard let root = unit(0) else { return nil }
    var node = Self.offset(root)
    var found: (length: Int, value: Int)?
    var index = start
    while index < text.count, text[index] != 0 {
      node ^= Int(text[index])
      guard let next = unit(node), next & 0x8000_00ff == UInt32(text[index]) else { break }
      node ^= Self.offset(next)
      index += 1
      if next >> 8 & 1 == 1, let leaf = unit(node) {
        found = (index - start, Int(leaf & 0x7fff_ffff))
      }
    }
    return found
  }

  private func appendReplacement(_ value: Int, to output: inout [UInt8]) {
    var index = textStart + value
    while index < bytes.count, bytes[index] != 0 {
      output.append(bytes[index])
      index += 1
    }
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int(unit >> 10) << (unit & 0x200 == 0 ? 0 : 8)
  }
}
