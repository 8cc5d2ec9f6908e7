// SPDX-License-Identifier: Apache-2.0
// Every stored encoding and decoding of every tokenizer, exactly.

import SEAFormat
import SEAText
import Testing

@Suite struct TokenizerCasesTests {
  @Test(arguments: TokenizerFixture.bundled)
  func bundledTokenizersGiveTheStoredIDs(name: String) throws {
    try check(TokenizerFixture(name))
  }

  @Test(
    .enabled(if: TokenizerFixture.hasShared, "shared fixtures are not beside the repository"),
    arguments: TokenizerFixture.shared
  )
  func releasedTokenizersGiveTheStoredIDs(name: String) throws {
    try check(TokenizerFixture(name, isShared: true))
  }

  @Test(arguments: TokenizerFixture.bundled)
  func untrustedTextNeverGivesControlTokens(name: String) throws {
    let fixture = try TokenizerFixture(name)
    let unknown = fixture.tokenizer.settings.special.unknown
    for test in try fixture.lines("cases.jsonl") {
      let text = try #require(test["text"]?.string)
      let ids = fixture.tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
      let control = ids.filter {
        fixture.tokenizer.flags($0).contains(.control) && $0 != unknown
      }
      #expect(control == [], "\(text.debugDescription)")
    }
  }

  private func check(_ fixture: TokenizerFixture) throws {
    let tokenizer = fixture.tokenizer
    let cases = try fixture.lines("cases.jsonl")
    try #require(cases.count > 100)
    for test in cases {
      let text = try #require(test["text"]?.string)
      let ids = tokenizer.encode(text, recognizesSpecial: true, addsTemplate: true)
      // SigLIP's ids are those of the model beside this file; the file's own differ in places.
      #expect(ids == (test["json_ids"] ?? test["ids"])?.ids, "\(text.debugDescription)")
      if let expected = test["ids_no_special"]?.ids {
        let ids = tokenizer.encode(text, recognizesSpecial: true, addsTemplate: false)
        #expect(ids == expected, "\(text.debugDescription)")
      }
      // Stored for the SentencePiece route, which takes turn marks for text of its own kind.
      if let expected = test["spm_ids"]?.ids, !text.contains("_of_turn>") {
        let ids = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
        #expect(ids == expected, "\(text.debugDescription)")
      }
    }
    for test in cases + (try fixture.lines("decode_cases.jsonl")) {
      // The SigLIP route decodes with another library.
      guard let expected = test["decoded_with_special"]?.string else { continue }
      let ids = try #require(test["ids"]?.ids)
      #expect(Array(expected.utf8) == tokenizer.decode(ids, skipsSpecial: false), "\(ids)")
      let plain = try #require(test["decoded"]?.string)
      #expect(Array(plain.utf8) == tokenizer.decode(ids, skipsSpecial: true), "\(ids)")
    }
  }
}
