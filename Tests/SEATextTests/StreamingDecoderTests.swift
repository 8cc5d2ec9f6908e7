// SPDX-License-Identifier: Apache-2.0
// Text given out token by token is the text of the whole.

import SEAText
import TestSupport
import Testing

@Suite struct StreamingDecoderTests {
  @Test(arguments: TokenizerFixture.bundled)
  func partsAreWholeCharactersAndJoinToTheWhole(name: String) throws {
    let fixture = try TokenizerFixture(name)
    let cases = try fixture.lines("cases.jsonl") + fixture.lines("decode_cases.jsonl")
    for test in cases {
      let ids = try #require(test["ids"]?.ids)
      for skipsSpecial in [true, false] {
        var decoder = StreamingDecoder(fixture.tokenizer, skipsSpecial: skipsSpecial)
        var parts = ids.map { decoder.push($0) }
        parts.append(decoder.finish())
        for part in parts {
          #expect(String(validating: part, as: UTF8.self) != nil, "\(ids)")
        }
        let whole = fixture.tokenizer.decode(ids, skipsSpecial: skipsSpecial)
        #expect(parts.flatMap { $0 } == whole, "\(ids)")
      }
    }
  }

  @Test func plainTokensComeOutAtOnce() throws {
    let tokenizer = try TokenizerFixture("llama-tiny").tokenizer
    let ids = tokenizer.encode("the cat", recognizesSpecial: false, addsTemplate: false)
    var decoder = StreamingDecoder(tokenizer, skipsSpecial: true)
    let parts = ids.map { String(decoding: decoder.push($0), as: UTF8.self) }
    #expect(parts.joined() == "the cat")
    #expect(parts.first?.hasPrefix(" ") == false)
    #expect(decoder.finish() == [])
  }

  @Test func byteTokensWaitForTheWholeCharacter() throws {
    let tokenizer = try TokenizerFixture("llama-tiny").tokenizer
    let bytes = Array("€".utf8)
    let ids = try bytes.map { byte in
      try #require(tokenizer.id(of: "<0x" + String(byte, radix: 16, uppercase: true) + ">"))
    }
    var decoder = StreamingDecoder(tokenizer, skipsSpecial: true)
    for id in ids { #expect(decoder.push(id) == []) }
    let next = try #require(tokenizer.id(of: "a"))
    #expect(decoder.push(next) == bytes + Array("a".utf8))
  }

  @Test func brokenByteRunsBecomeReplacementCharacters() throws {
    let tokenizer = try TokenizerFixture("llama-tiny").tokenizer
    let ids = try ["<0xE2>", "<0x82>"].map { try #require(tokenizer.id(of: $0)) }
    let text = String(decoding: tokenizer.decode(ids, skipsSpecial: true), as: UTF8.self)
    #expect(text == "\u{fffd}\u{fffd}")
  }

  @Test func idsThatDoNotExistHaveNoText() throws {
    let tokenizer = try TokenizerFixture("llama3-tiny").tokenizer
    #expect(tokenizer.decode([-1, -200, 1_000_000, .max, .min], skipsSpecial: false) == [])
    #expect(tokenizer.piece(-1) == nil)
    #expect(tokenizer.flags(.max) == [])
  }
}
