// SPDX-License-Identifier: Apache-2.0
// Conversations of several turns as the code bases that made the templates tokenise them.

import Foundation
import SEAFormat
import SEAText
import Testing

@Suite struct MultiTurnTests {
  @Test(arguments: ["llama-new", "llama-tiny", "phi3-tiny", "gemma-standin", "llama3-tiny"])
  func conversationsGiveTheReferencesIDs(name: String) throws {
    let tokenizer =
      name == "llama-new"
      ? try SentencePieceFixture(name).tokenizer : try TokenizerFixture(name).tokenizer
    let cases = try #require(try TokenizerFixture.json("prompts/multi-turn.json").array)
    var count = 0
    for test in cases where test["tokenizer"]?.string == name {
      let template = try Template.named(#require(test["template"]?.string))
      let turns = try #require(test["turns"]?.array).map { turn in
        try Prompt.Turn(
          marked: #require(turn["user"]?.string),
          images: #require(turn["images"]?.int),
          answer: turn["answer"]?.string,
        )
      }
      let prompt = Prompt(system: test["system"]?.string, turns: turns)
      let text = try #require(test["text"]?.string)
      #expect(Array(try prompt.text(template).utf8) == Array(text.utf8))
      let ids = tokenizer.encode(try prompt.segments(template))
      #expect(ids == test["ids"]?.ids, "\(text.debugDescription)")
      count += 1
    }
    #expect(count == 16)
  }
}
