// SPDX-License-Identifier: Apache-2.0
// Stored encodings of SentencePiece models, by the library itself and through those that wrap it.

import Foundation
import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import TestSupport
import Testing

@Suite struct SentencePieceCasesTests {
  @Test(arguments: SentencePieceFixture.bare)
  func bareModelsGiveTheLibrarysIDs(name: String) throws {
    let fixture = try SentencePieceFixture(name)
    try #require(fixture.cases.count >= 50)
    for test in fixture.cases {
      let text = try #require(test["text"]?.string)
      let ids = fixture.tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
      #expect(ids == test["ids"]?.ids, "\(text.debugDescription)")
    }
  }

  @Test(arguments: SentencePieceFixture.wrapped)
  func wrappedModelsGiveTheWrappersIDs(name: String) throws {
    let fixture = try SentencePieceFixture(name)
    try #require(fixture.cases.count >= 50)
    for test in fixture.cases {
      let text = try #require(test["text"]?.string)
      let framed = fixture.tokenizer.encode(text, recognizesSpecial: true, addsTemplate: true)
      #expect(framed == test["ids"]?.ids, "\(text.debugDescription)")
      let plain = fixture.tokenizer.encode(text, recognizesSpecial: true, addsTemplate: false)
      #expect(plain == test["plain"]?.ids, "\(text.debugDescription)")
    }
  }

  @Test func siglipTextIsDefinedByItsModel() throws {
    let fixture = try TokenizerFixture("siglip-standin")
    let model = try SentencePieceFixture("siglip").tokenizer
    for test in try fixture.lines("cases.jsonl") {
      let text = try #require(test["text"]?.string)
      let ids = model.encode(text, recognizesSpecial: true, addsTemplate: true)
      #expect(ids == test["ids"]?.ids, "\(text.debugDescription)")
      let plain = try #require(test["decoded"]?.string)
      #expect(model.decode(ids, skipsSpecial: true) == Array(plain.utf8), "\(ids)")
    }
  }

  @Test func gemmaModelsTakeTurnMarksOnlyFromTemplates() throws {
    let fixture = try TokenizerFixture("gemma-standin")
    let model = try SentencePieceFixture("gemma").tokenizer
    for test in try fixture.lines("cases.jsonl") {
      let text = try #require(test["text"]?.string)
      let ids = model.encode(text, recognizesSpecial: false, addsTemplate: false)
      if text.contains("_of_turn>") {
        #expect(ids.allSatisfy { !model.flags($0).contains(.control) })
      } else {
        #expect(ids == test["spm_ids"]?.ids, "\(text.debugDescription)")
      }
    }
  }

  @Test(.enabled(if: TokenizerFixture.hasShared, "shared fixtures are not beside the repository"))
  func releasedModelGivesTheStoredIDs() throws {
    let fixture = try TokenizerFixture("llama2", isShared: true)
    var files = try TokenizerFixture.files(fixture.folder)
    let path = fixture.folder.appendingPathComponent("tokenizer.model")
    let model = ByteView([UInt8](try Data(contentsOf: path)))
    files.source = .sentencePiece(try SentencePieceModel(model, path: path.path))
    let tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(files))
    #expect(tokenizer.count == 32000)
    for test in try fixture.lines("cases.jsonl") {
      let text = try #require(test["text"]?.string)
      let ids = tokenizer.encode(text, recognizesSpecial: true, addsTemplate: true)
      #expect(ids == test["ids"]?.ids, "\(text.debugDescription)")
      let plain = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
      #expect(plain == test["spm_ids"]?.ids, "\(text.debugDescription)")
      #expect(
        tokenizer.decode(ids, skipsSpecial: true) == test["decoded"]?.string.map { Array($0.utf8) }
      )
    }
  }

  // MARK: - Words of text towers

  @Test func clipWordsAreFramed() throws {
    let file = try TokenizerFixture.json("words/clip-tiny.json")
    let tokenizer = try TokenizerFixture("clip-tiny").tokenizer
    let words = try #require(file["words"]?.array)
    for (word, ids) in zip(words, try #require(file["ids"]?.array)) {
      let text = try #require(word.string)
      #expect(tokenizer.encode(text, recognizesSpecial: false, addsTemplate: true) == ids.ids)
    }
    #expect(words.count == 40)
  }

  @Test(.enabled(if: TokenizerFixture.hasShared, "shared fixtures are not beside the repository"))
  func siglipWordsEndAndArePaddedWithTheSameToken() throws {
    let file = try TokenizerFixture.json("words/siglip-tiny.json")
    let folder = TokenizerFixture.sharedRoot.appendingPathComponent("../vision/siglip-tiny")
    let files = try TokenizerFiles(folder: folder.path)
    let tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(files))
    let padding = try #require(tokenizer.settings.special.padding)
    let words = try #require(file["words"]?.array)
    for (word, expected) in zip(words, try #require(file["ids"]?.array)) {
      let text = try #require(word.string)
      let row = try #require(expected.ids)
      let ids = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: true)
      #expect(ids.last == padding)
      #expect(ids + [Int32](repeating: padding, count: row.count - ids.count) == row)
    }
    #expect(words.count == 40)
  }

  // MARK: - Text that is hard

  @Test(arguments: SentencePieceFixture.bare + SentencePieceFixture.wrapped)
  func anyBytesAreAccepted(name: String) throws {
    let tokenizer = try SentencePieceFixture(name).tokenizer
    var random = SeededRandom(seed: 17)
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let ids = tokenizer.encode(bytes: bytes, recognizesSpecial: true, addsTemplate: false)
      #expect(ids.allSatisfy { Int($0) < tokenizer.count })
      let text = tokenizer.decode(ids, skipsSpecial: false)
      #expect(String(validating: text, as: UTF8.self) != nil)
    }
  }

  @Test func strayBytesBecomeByteTokens() throws {
    let tokenizer = try SentencePieceFixture("llama-new").tokenizer
    let bytes: [UInt8] = [0x61, 0xff, 0xc3, 0x62, 0xed, 0xa0, 0x80]
    let ids = tokenizer.encode(bytes: bytes, recognizesSpecial: true, addsTemplate: false)
    let pieces = ids.compactMap { tokenizer.piece($0) }.map { String(decoding: $0, as: UTF8.self) }
    #expect(pieces == ["▁a", "<0xFF>", "<0xC3>", "b", "<0xED>", "<0xA0>", "<0x80>"])
  }

  @Test(arguments: SentencePieceFixture.bare + SentencePieceFixture.wrapped)
  func hostileTextTakesNoQuadraticTime(name: String) throws {
    let tokenizer = try SentencePieceFixture(name).tokenizer
    for text in TextRulesTests.hostile {
      let time = ContinuousClock().measure {
        _ = tokenizer.encode(text, recognizesSpecial: true, addsTemplate: true)
      }
      // Quadratic time would be a thousand times this.
      #expect(time < .seconds(20), "\(text.prefix(8).debugDescription)")
    }
  }

  @Test(arguments: SentencePieceFixture.wrapped)
  func usersCannotForgeTokens(name: String) throws {
    let tokenizer = try SentencePieceFixture(name).tokenizer
    let unknown = tokenizer.settings.special.unknown
    let texts = [
      "<s>", "</s>", "<unk>", "a</s>b <s>", "<image>", "<|im_end|>", "USER: x</s>ASSISTANT:",
      "<start_of_turn>model\n", "<end_of_turn>", "<bos><eos><pad>", "<0x0A>", "</S>", "< /s>",
      "<|end|>", "<|end|>x", "[PAD]", "▁</s>", "<ctl>",
    ]
    for text in texts {
      let ids = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
      let control = ids.filter { tokenizer.flags($0).contains(.control) && $0 != unknown }
      #expect(control == [], "\(text)")
      // The name of a byte piece is no byte.
      #expect(text != "<0x0A>" || !ids.contains { tokenizer.piece($0) == Array(text.utf8) })
    }
  }

  @Test func longTextIsSettledInParts() throws {
    // Cut where no piece reaches across, a long text gives the ids of its parts.
    let tokenizer = try SentencePieceFixture("unigram").tokenizer
    let sentence = "The parser adds an argument to the group and formats its help. "
    let one = tokenizer.encode(sentence, recognizesSpecial: false, addsTemplate: false)
    let many = tokenizer.encode(
      String(repeating: sentence, count: 2000),
      recognizesSpecial: false,
      addsTemplate: false,
    )
    #expect(many == Array((0..<2000).map { _ in one }.joined()))
  }

  // MARK: - Decoding

  @Test func bytesOfAModelAreDecodedOneCharacterAtATime() throws {
    let tokenizer = try SentencePieceFixture("llama-new").tokenizer
    func ids(_ bytes: [UInt8]) -> [Int32] {
      bytes.compactMap {
        tokenizer.id(
          of: "<0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) + ">"
        )
      }
    }
    var decoder = StreamingDecoder(tokenizer, skipsSpecial: true)
    let euro = ids(Array("€".utf8))
    #expect(decoder.push(euro[0]) == [] && decoder.push(euro[1]) == [])
    #expect(decoder.push(euro[2]) == Array("€".utf8))
    let broken = ids([0xe2, 0x82, 0x61, 0xff, 0xc3])
    let text = String(decoding: tokenizer.decode(broken, skipsSpecial: true), as: UTF8.self)
    #expect(text == "\u{fffd}\u{fffd}a\u{fffd}\u{fffd}")
  }
}
