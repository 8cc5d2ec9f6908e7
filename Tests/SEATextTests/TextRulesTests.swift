// SPDX-License-Identifier: Apache-2.0
// Bytes that are no text, text that is hard to normalise, and text made to be slow.

import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import TestSupport
import Testing

@Suite struct TextRulesTests {
  @Test func strayBytesBecomeByteTokens() throws {
    let tokenizer = try TokenizerFixture("llama-tiny").tokenizer
    let bytes: [UInt8] = [0x61, 0xff, 0xc3, 0x62, 0xed, 0xa0, 0x80, 0xe2, 0x82]
    let ids = tokenizer.encode(bytes: bytes, recognizesSpecial: true, addsTemplate: false)
    let pieces = ids.compactMap { tokenizer.piece($0) }.map { String(decoding: $0, as: UTF8.self) }
    #expect(
      pieces == [
        "▁a", "<0xFF>", "<0xC3>", "b", "<0xED>", "<0xA0>", "<0x80>", "<0xE2>", "<0x82>",
      ]
    )
  }

  @Test(arguments: TokenizerFixture.bundled)
  func anyBytesAreAccepted(name: String) throws {
    let tokenizer = try TokenizerFixture(name).tokenizer
    var random = SeededRandom(seed: 3)
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let ids = tokenizer.encode(bytes: bytes, recognizesSpecial: true, addsTemplate: false)
      #expect(ids.allSatisfy { Int($0) < tokenizer.count })
      let text = tokenizer.decode(ids, skipsSpecial: false)
      #expect(String(validating: text, as: UTF8.self) != nil)
    }
  }

  @Test func byteLevelTextSurvivesTheRoundTrip() throws {
    let tokenizer = try TokenizerFixture("llama3-tiny").tokenizer
    let text = "NUL \u{0}, BOM \u{feff}, bidi \u{202e}abc\u{202c}, é e\u{301}, 日本語, 😀\r\n\t end  "
    let ids = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
    #expect(tokenizer.decode(ids, skipsSpecial: false) == Array(text.utf8))
  }

  // MARK: - Canonical form

  @Test func longPilesOfMarksAreOrderedLikeShortOnes() throws {
    // Repeating a mark of each class: sorted, each class keeps its order, and the first acute joins.
    let marks = ["\u{301}", "\u{316}", "\u{315}", "\u{334}"]
    let pile = (0..<40).map { _ in marks.joined() }.joined()
    let normalizer: JSONValue = ["type": "NFC"]
    let result = try TextNormalization.apply(
      normalizer,
      charsmap: nil,
      to: Array(("x e" + pile + "y").utf8)
    )
    let repeated = { (mark: String, count: Int) in String(repeating: mark, count: count) }
    let expected =
      "x \u{e9}" + repeated("\u{334}", 40) + repeated("\u{316}", 40) + repeated("\u{301}", 39)
      + repeated("\u{315}", 40) + "y"
    #expect(result == Array(expected.utf8))
    let decomposed = try TextNormalization.apply(
      ["type": "NFD"],
      charsmap: nil,
      to: Array(("\u{e9}" + pile).utf8)
    )
    let separate =
      "e" + repeated("\u{334}", 40) + repeated("\u{316}", 40) + repeated("\u{301}", 41)
      + repeated("\u{315}", 40)
    #expect(decomposed == Array(separate.utf8))
  }

  @Test func strayBytesSurviveNormalising() throws {
    for name in ["NFC", "NFD", "Lowercase", "StripAccents"] {
      let bytes: [UInt8] = [0x41, 0xcc, 0x81, 0xff, 0xe2, 0x82, 0x42, 0xc3]
      let result = try TextNormalization.apply(
        ["type": .string(name)],
        charsmap: nil,
        to: bytes
      )
      #expect(result.suffix(4).filter { $0 >= 0x80 } == [0xe2, 0x82, 0xc3], "\(name)")
      #expect(result.contains(0xff))
    }
  }

  // MARK: - Slow text

  /// Texts on which a backtracking pattern or a quadratic merge takes minutes.
  static let hostile = [
    String(repeating: "a", count: 1 << 18),
    String(repeating: " ", count: 1 << 18),
    String(repeating: "\n ", count: 1 << 17),
    String(repeating: "\u{301}\u{316}", count: 1 << 16),
    String(repeating: "'", count: 1 << 18),
    String(repeating: "<|", count: 1 << 17),
    String(repeating: "\t\u{a0}", count: 1 << 16),
  ]

  @Test(arguments: TokenizerFixture.bundled)
  func hostileTextTakesNoQuadraticTime(name: String) throws {
    let tokenizer = try TokenizerFixture(name).tokenizer
    for text in Self.hostile {
      let clock = ContinuousClock()
      let time = clock.measure {
        _ = tokenizer.encode(text, recognizesSpecial: true, addsTemplate: true)
      }
      // Quadratic time would be a thousand times this.
      #expect(time < .seconds(20), "\(text.prefix(8).debugDescription)")
    }
  }

  @Test func cuttingDoesNotChangeTheIDs() throws {
    // Without a token for every byte nothing is cut, so both tokenizers must agree on known text.
    let folder = TokenizerFixture.bundledRoot.appendingPathComponent("llama-tiny")
    var files = try TokenizerFixture.files(folder)
    let cut = try Tokenizer(tables: TokenizerCompiler.compile(files))
    guard case .json(let source) = files.source, case .object(var file) = source.json,
      case .object(var model)? = file["model"]
    else { return }
    model["byte_fallback"] = false
    file["model"] = .object(model)
    files.source = .json(.init(path: "tokenizer.json", json: .object(file)))
    let whole = try Tokenizer(tables: TokenizerCompiler.compile(files))
    guard case .bytePair(let left) = cut.settings.model,
      case .bytePair(let right) = whole.settings.model
    else { return }
    #expect(left.hasJoints && !right.hasJoints)
    var random = SeededRandom(seed: 9)
    let words = [
      "the", "and", "class", "--", "====", "  ", "\t", "import", "x=1", "it's", "a", ".",
    ]
    for _ in 0..<200 {
      let text = (0..<30).map { _ in words[Int(random.next() % UInt64(words.count))] }
        .joined(separator: random.next() % 2 == 0 ? " " : "")
      #expect(
        cut.encode(text, recognizesSpecial: false, addsTemplate: false)
          == whole.encode(text, recognizesSpecial: false, addsTemplate: false)
      )
    }
  }
}
