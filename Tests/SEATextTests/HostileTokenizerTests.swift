// SPDX-License-Identifier: Apache-2.0
// Tokenizer files and tables that lie are refused with a reason, or harmless.

import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import TestSupport
import Testing

@Suite struct HostileTokenizerTests {
  /// Expects a refusal whose message contains `words`.
  private func expectRefusal(_ json: JSONValue, _ words: String) {
    do throws(CheckpointError) {
      _ = try HandMade.compile(json)
      Issue.record("accepted, expected: \(words)")
    } catch {
      #expect(error.description.contains(words), "\(error.description)")
      #expect(error.description.contains("tokenizer.json"), "\(error.description)")
    }
  }

  @Test func handMadeTokenizerWorks() throws {
    let tokenizer = try HandMade.open(HandMade.tokenizer)
    #expect(
      tokenizer.encode("<s>abcab", recognizesSpecial: true, addsTemplate: false) == [6, 5, 4]
    )
    #expect(tokenizer.encode("x", recognizesSpecial: true, addsTemplate: false) == [0])
  }

  // MARK: - Vocabulary

  @Test func idsMustBeDistinctAndWithoutGaps() {
    expectRefusal(HandMade.changing("vocab", to: ["a": -1]), "token 'a' has an id")
    expectRefusal(HandMade.changing("vocab", to: ["a": 1.5]), "token 'a' has an id")
    expectRefusal(HandMade.changing("vocab", to: ["a": 1_000_000_000]), "token 'a' has an id")
    expectRefusal(HandMade.changing("vocab", to: ["a": 0, "b": 0]), "have the same id 0")
    expectRefusal(HandMade.changing("vocab", to: ["a": 0, "b": 5]), "no token has id 1")
    expectRefusal(HandMade.changing("vocab", to: ["a": 0, "b": 9_000_000]), "far beyond")
    expectRefusal(HandMade.changing("vocab", to: [:]), "empty")
    expectRefusal(HandMade.changing("vocab", to: "a"), "model.vocab")
  }

  @Test func mergesMustNamePieces() {
    expectRefusal(HandMade.changing("merges", to: ["a x"]), "model.merges[0]")
    expectRefusal(HandMade.changing("merges", to: ["a b", "b c"]), "no piece 'bc'")
    expectRefusal(HandMade.changing("merges", to: ["a b", "a b"]), "the same pair")
    expectRefusal(HandMade.changing("merges", to: ["ab"]), "two pieces")
    expectRefusal(HandMade.changing("merges", to: ["a  b"]), "two pieces")
    expectRefusal(HandMade.changing("merges", to: [["a"]]), "two pieces")
    expectRefusal(HandMade.changing("merges", to: 3), "expected an array")
  }

  @Test func addedTokensMustAgreeWithTheVocabulary() {
    func added(_ tokens: JSONValue) -> JSONValue {
      guard case .object(var file) = HandMade.tokenizer else { return .null }
      file["added_tokens"] = tokens
      return .object(file)
    }
    expectRefusal(added([["id": 3, "content": "<s>"]]), "have the same id 3")
    expectRefusal(added([["id": 5, "content": "a"]]), "another id")
    expectRefusal(added([["id": -1, "content": "<s>"]]), "has an id")
    expectRefusal(added([["id": 6, "content": ""]]), "0 bytes")
    expectRefusal(added([["content": "<s>"]]), "added_tokens[0]")
    let long = String(repeating: "x", count: 5000)
    expectRefusal(added([["id": 6, "content": .string(long)]]), "5000 bytes")
  }

  @Test func oddPiecesArePlainText() throws {
    let vocabulary: JSONValue = [
      "<0x-1>": 0, "<0xGG>": 1, "<0x": 2, "": 3, "\u{0}": 4, "e\u{301}": 5, "\u{e9}": 6, "e": 7,
      "\u{301}": 8, "<0x041>": 9, "<unk>": 10,
    ]
    guard case .object(var file) = HandMade.changing("vocab", to: vocabulary),
      case .object(var model)? = file["model"]
    else { return }
    file["added_tokens"] = []
    model["merges"] = [["e", "\u{301}"]]
    model["byte_fallback"] = true
    file["model"] = .object(model)
    file["decoder"] = ["type": "ByteFallback"]
    let tokenizer = try HandMade.open(.object(file))
    // Two spellings of one letter are two pieces.
    #expect(tokenizer.encode("e\u{301}", recognizesSpecial: false, addsTemplate: false) == [5])
    #expect(tokenizer.encode("\u{e9}", recognizesSpecial: false, addsTemplate: false) == [6])
    let text = tokenizer.decode([0, 1, 2, 3, 9], skipsSpecial: false)
    #expect(String(decoding: text, as: UTF8.self) == "<0x-1><0xGG><0x<0x041>")
  }

  // MARK: - Components

  @Test func unknownComponentsAreRefusedByName() {
    func with(_ key: String, _ value: JSONValue) -> JSONValue {
      guard case .object(var file) = HandMade.tokenizer else { return .null }
      file[key] = value
      return .object(file)
    }
    expectRefusal(with("normalizer", ["type": "BertNormalizer"]), "'BertNormalizer'")
    expectRefusal(with("pre_tokenizer", ["type": "UnicodeScripts"]), "'UnicodeScripts'")
    expectRefusal(with("decoder", ["type": "CTC"]), "'CTC'")
    expectRefusal(with("post_processor", ["type": "Magic"]), "'Magic'")
    expectRefusal(HandMade.changing("type", to: "WordPiece"), "'WordPiece'")
    expectRefusal(HandMade.changing("dropout", to: 0.1), "dropout")
    expectRefusal(HandMade.changing("unk_token", to: "<none>"), "<none>")
    let split: JSONValue = [
      "type": "Split", "behavior": "Isolated", "invert": false, "pattern": ["Regex": "(a+)+$"],
    ]
    expectRefusal(with("pre_tokenizer", split), "(a+)+$")
    expectRefusal(
      with("post_processor", ["type": "BertProcessing", "sep": ["x", 999], "cls": ["x", 0]]),
      "suffix"
    )
    expectRefusal(
      with("normalizer", ["type": "Precompiled", "precompiled_charsmap": "?"]),
      "base64"
    )
    expectRefusal(
      with("normalizer", ["type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="]),
      "trie"
    )
  }

  @Test func hostileCharacterMapsAreHarmless() throws {
    var random = SeededRandom(seed: 11)
    for _ in 0..<200 {
      var bytes: [UInt8] = [64, 0, 0, 0]
      for _ in 0..<80 { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
      let map = try Charsmap(ByteView(bytes))
      let text = Array("Any text \u{0} \u{fffd} é".utf8)
      let result = try TextNormalization.apply(
        ["type": "Precompiled"],
        charsmap: ByteView(bytes),
        to: text
      )
      #expect(result.count < 10_000)
      _ = map
    }
    #expect(throws: TextError.self) { try Charsmap(ByteView([1, 2, 3])) }
    #expect(throws: TextError.self) { try Charsmap(ByteView([255, 255, 255, 255, 0, 0, 0, 0])) }
  }

  // MARK: - Tables

  @Test func tablesOfWrongLengthAreRefused() throws {
    let tables = try HandMade.compile(HandMade.tokenizer)
    for blob in tables.blobs {
      for change in [-1, 1, -blob.bytes.count] {
        let count = blob.bytes.count + change
        // Hash tables of any number of slots and added tokens with slack are sound.
        let changed = (0..<count).map { $0 < blob.bytes.count ? blob.bytes[$0] : 0 }
        let opened = Result {
          try Tokenizer(
            tables: TokenizerTables { name in
              name == blob.name ? ByteView(changed) : try? tables.bytes(name)
            }
          )
        }
        if case .success(let tokenizer) = opened { exercise(tokenizer) }
        if change == -blob.bytes.count { #expect(throws: TextError.self) { try opened.get() } }
      }
      #expect(throws: TextError.missingTable(name: blob.name)) {
        try Tokenizer(
          tables: TokenizerTables { $0 == blob.name ? nil : try? tables.bytes($0) }
        )
      }
    }
  }

  @Test(arguments: ["llama-tiny", "llama3-tiny", "clip-tiny", "siglip-standin"])
  func flippedBitsNeverCrash(name: String) throws {
    let files = try TokenizerFixture.files(
      TokenizerFixture.bundledRoot.appendingPathComponent(name)
    )
    let tables = try TokenizerCompiler.compile(files)
    var random = SeededRandom(seed: 5)
    for _ in 0..<300 {
      let victim = tables.blobs[Int(random.next() % UInt64(tables.blobs.count))]
      var bytes = victim.bytes.array()
      for _ in 0..<(1 + random.next() % 8) {
        let index = Int(random.next() % UInt64(bytes.count))
        bytes[index] ^= UInt8(truncatingIfNeeded: 1 << (random.next() % 8))
      }
      let changed = ByteView(bytes)
      let opened = try? Tokenizer(
        tables: TokenizerTables { $0 == victim.name ? changed : try? tables.bytes($0) }
      )
      if let opened { exercise(opened) }
    }
  }

  /// Runs text and ids through a tokenizer whose tables cannot be trusted.
  private func exercise(_ tokenizer: Tokenizer) {
    let text = "The quick <s> brown fox, it's 12345 <|eot_id|> é 日本 😀 \n\n  ab abc"
    for recognizes in [true, false] {
      let ids = tokenizer.encode(text, recognizesSpecial: recognizes, addsTemplate: true)
      #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.count })
      _ = tokenizer.decode(ids, skipsSpecial: recognizes)
    }
    _ = tokenizer.decode([0, 1, 2, 3, 4, 5], skipsSpecial: false)
    _ = tokenizer.id(of: "<s>")
  }
}
