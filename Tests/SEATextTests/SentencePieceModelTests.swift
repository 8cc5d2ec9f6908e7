// SPDX-License-Identifier: Apache-2.0
// Model files that lie are refused with a reason, or harmless.

import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import TestSupport
import Testing

@Suite struct SentencePieceModelTests {
  /// Expects a refusal whose message contains `words`.
  private func expectRefusal(_ bytes: [UInt8], _ words: String) {
    do throws(CheckpointError) {
      _ = try SentencePieceModel(ByteView(bytes), path: "tokenizer.model")
      Issue.record("accepted, expected: \(words)")
    } catch {
      #expect(error.description.contains(words), "\(error.description)")
      #expect(error.description.contains("tokenizer.model"), "\(error.description)")
      #expect(error.category == .badData)
    }
  }

  private func expectRefusal(_ words: String, _ change: (inout HandMadeModel) -> Void) {
    var model = HandMadeModel()
    change(&model)
    expectRefusal(model.bytes, words)
  }

  @Test func handMadeModelWorks() throws {
    let tokenizer = try Tokenizer(tables: HandMadeModel().compile())
    #expect(tokenizer.encode("abab", recognizesSpecial: true, addsTemplate: true) == [1, 7, 6])
    #expect(tokenizer.encode("axxb", recognizesSpecial: true, addsTemplate: false) == [3, 4, 0, 5])
    #expect(tokenizer.encode("a</s>", recognizesSpecial: true, addsTemplate: false) == [3, 4, 2])
    var unigram = HandMadeModel()
    unigram.modelType = 1
    let other = try Tokenizer(tables: unigram.compile())
    #expect(other.encode("abab", recognizesSpecial: true, addsTemplate: false) == [7, 6])
  }

  // MARK: - Wire format

  @Test func numbersMustEndAndFit() {
    expectRefusal([0x0a], "cut off")
    expectRefusal([0x80, 0x80], "cut off")
    expectRefusal([0xff] + [UInt8](repeating: 0xff, count: 8) + [0x7f], "64 bits")
    expectRefusal([0x18] + [UInt8](repeating: 0x80, count: 10) + [0x01], "64 bits")
    expectRefusal([0x1d, 1, 2, 3], "cut off")
    expectRefusal([0x19, 1, 2, 3, 4, 5, 6, 7], "cut off")
  }

  @Test func lengthsMustStayInside() {
    expectRefusal([0x0a, 0x05, 1, 2], "claims 5 bytes, 2 are left")
    expectRefusal([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "claims 4294967295 bytes")
    let most: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
    expectRefusal([0x0a] + most, "claims 18446744073709551615 bytes")
    // The piece is whole, what is in it is not.
    expectRefusal([0x0a, 0x02, 0x0a, 0x7f], "claims 127 bytes, 0 are left")
  }

  @Test func groupsAndUnknownWireTypesAreRefused() {
    let groups = [UInt8](repeating: 0x0b, count: 100_000)
    expectRefusal(groups, "group")
    expectRefusal([0x0c], "group")
    expectRefusal([0x0e, 0x00], "wire type 6")
    expectRefusal([0x00, 0x00], "field number 0")
  }

  @Test func fieldsOfAnotherKindAreSkipped() throws {
    var rest = ProtobufWriter()
    rest.message(200, [1, 2, 3])
    rest.number(201, .max)
    rest.float(202, .nan)
    var model = HandMadeModel()
    model.rest = rest.bytes
    _ = try model.compile()
  }

  @Test func everyTruncationIsRefusedOrWhole() throws {
    let bytes = try SentencePieceFixture.model("llama-tiny.model")
    for count in stride(from: 0, to: bytes.count, by: 37) {
      let cut = ByteView(Array(bytes[..<count]))
      guard let model = try? SentencePieceModel(cut, path: "tokenizer.model") else { continue }
      _ = try? TokenizerCompiler.compile(TokenizerFiles(source: .sentencePiece(model)))
    }
  }

  @Test(arguments: ["llama-tiny.model", "gemma-standin.model"])
  func flippedBitsNeverCrash(name: String) throws {
    let bytes = try SentencePieceFixture.model(name)
    var random = SeededRandom(seed: 23)
    for _ in 0..<60 {
      var changed = bytes
      for _ in 0..<(1 + random.next() % 4) {
        let index = Int(random.next() % UInt64(bytes.count))
        changed[index] ^= UInt8(truncatingIfNeeded: 1 << (random.next() % 8))
      }
      guard let model = try? SentencePieceModel(ByteView(changed), path: "m"),
        let tables = try? TokenizerCompiler.compile(TokenizerFiles(source: .sentencePiece(model)))
      else { continue }
      let tokenizer = try Tokenizer(tables: tables)
      let ids = tokenizer.encode(
        "The <s> quick é 日本\n\n ab",
        recognizesSpecial: true,
        addsTemplate: true,
      )
      #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.count })
      _ = tokenizer.decode(ids, skipsSpecial: false)
    }
  }

  @Test func flippedTablesNeverCrash() throws {
    for name in ["unigram-symbols", "bpe-unused", "siglip"] {
      let tables = try TokenizerCompiler.compile(SentencePieceFixture.files(name))
      var random = SeededRandom(seed: 29)
      for _ in 0..<200 {
        let victim = tables.blobs[Int(random.next() % UInt64(tables.blobs.count))]
        var bytes = victim.bytes.array()
        for _ in 0..<(1 + random.next() % 8) {
          let index = Int(random.next() % UInt64(bytes.count))
          bytes[index] ^= UInt8(truncatingIfNeeded: 1 << (random.next() % 8))
        }
        let changed = ByteView(bytes)
        guard
          let tokenizer = try? Tokenizer(
            tables: TokenizerTables { $0 == victim.name ? changed : try? tables.bytes($0) }
          )
        else { continue }
        let ids = tokenizer.encode(
          "The <mask> quick é\n\n ab</s> %$",
          recognizesSpecial: true,
          addsTemplate: true,
        )
        #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.count })
        _ = tokenizer.decode(ids, skipsSpecial: false)
      }
    }
  }

  // MARK: - Content

  @Test func piecesMustBeSound() {
    expectRefusal([], "no pieces")
    expectRefusal("score nan") { $0.append("x", score: .nan) }
    expectRefusal("score -inf") { $0.append("x", score: -.infinity) }
    expectRefusal("type: 7") { $0.append("x", type: 7) }
    expectRefusal("type: 0") { $0.append("x", type: 0) }
    expectRefusal("empty") { $0.append("") }
    expectRefusal("NUL") { $0.append("a\u{0}b") }
    expectRefusal("no UTF-8") { $0.pieces.append(([0xff, 0xfe], 0, 1)) }
    expectRefusal("8000 bytes") { $0.append(String(repeating: "x", count: 8000)) }
    expectRefusal("2 pieces of type unknown") { $0.append("?", type: 2) }
    expectRefusal("0 pieces of type unknown") { $0.pieces.removeFirst() }
    expectRefusal("byte_fallback is off") { $0.append("<0x0A>", type: 6) }
    expectRefusal("model_type 3") { $0.modelType = 3 }
    expectRefusal("256") { $0.hasByteFallback = true }
    for name in ["<0x-1>", "<0xGG>", "<0x0a>", "<0x00A>", "0x0A"] {
      expectRefusal("like <0x0A>") {
        $0.hasByteFallback = true
        $0.append(name, type: 6)
      }
    }
  }

  @Test func charactersMapsBackwardsAreRefused() {
    var normalizer = ProtobufWriter()
    normalizer.message(2, [1, 2, 3])
    var rest = ProtobufWriter()
    rest.message(5, normalizer.bytes)
    expectRefusal("denormalizer_spec") { $0.rest = rest.bytes }
  }

  @Test func brokenCharacterMapsAreRefused() throws {
    for map: [UInt8] in [[1], [255, 255, 255, 255, 0], [4, 0, 0, 0, 0, 0, 0, 0] + wide] {
      var normalizer = ProtobufWriter()
      normalizer.message(2, map)
      var rest = ProtobufWriter()
      rest.message(3, normalizer.bytes)
      var model = HandMadeModel()
      model.rest = rest.bytes
      #expect(throws: CheckpointError.self) { try model.compile() }
    }
  }

  /// A replacement longer than any real one, which would blow a prompt up.
  private var wide: [UInt8] { [UInt8](repeating: 0x61, count: 2000) }

  /// Expects compiling to fail with a message that contains `words`.
  private func expectRefusal(
    _ configuration: JSONValue,
    _ words: String,
    _ change: (inout HandMadeModel) -> Void = { _ in }
  ) {
    var model = HandMadeModel()
    change(&model)
    do throws(CheckpointError) {
      _ = try model.compile(configuration)
      Issue.record("accepted, expected: \(words)")
    } catch {
      #expect(error.description.contains(words), "\(error.description)")
    }
  }

  @Test func configurationsMustFitTheModel() {
    expectRefusal([:], "appears twice") { $0.append("ab") }
    expectRefusal([:], "no piece") { $0.append("az") }
    expectRefusal(["tokenizer_class": "BertTokenizer"], "BertTokenizer")
    expectRefusal(["legacy": "yes"], "legacy")
    expectRefusal(["added_tokens_decoder": ["3": ["content": "<s>"]]], "another id")
    expectRefusal(["added_tokens_decoder": ["3": ["content": "<x>"]]], "same id 3")
    expectRefusal(["added_tokens_decoder": ["12": ["content": "<x>"]]], "no token has id 8")
    expectRefusal(["bos_token": .null], "bos_token")
  }

  @Test func unknownTokensAreAddedAtTheEnd() throws {
    let tables = try HandMadeModel().compile(["pad_token": "[PAD]", "mask_token": "<mask>"])
    let tokenizer = try Tokenizer(tables: tables)
    #expect(tokenizer.count == 10)
    #expect(tokenizer.id(of: "[PAD]") == 8)
    #expect(tokenizer.settings.special.padding == 8)
  }
}
