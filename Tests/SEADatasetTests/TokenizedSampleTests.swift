// SPDX-License-Identifier: Apache-2.0
// Ids are those of the whole text, and exactly the answers and their ends are targets.

import SEACheckpoint
import SEADataset
import SEAText
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct TokenizedSampleTests {
  private func tokenizer(_ name: String) throws -> Tokenizer {
    let folder = (Fixtures.shared ?? "") + "/" + name
    return try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: folder)))
  }

  private let sample = Sample(
    id: "a",
    image: "x.png",
    rounds: [
      .init(question: "What is this?", hasImage: true, answer: "A small cat, asleep."),
      .init(question: "Really?", hasImage: false, answer: "Yes:\n\n1. it sleeps\n2.  it purrs"),
    ]
  )

  /// Templates whose marks the vocabulary has.
  static let pairs = [
    ("tokenizers/llama2", "vicuna_v1"), ("tokenizers/llama2", "llava_v1"),
    ("tokenizers/llama2", "llava_v0"), ("tokenizers/llama2", "plain"),
    ("tokenizers/phi3", "phi3"), ("tokenizers/phi3", "phi3_nosys"),
    ("tokenizers/gemma-standin", "tl_gemma"), ("tokenizers/gemma-standin", "mgm_gemma"),
    ("tokenizers/gemma-standin", "cam_gemma"), ("tokenizers/gemma-standin", "plain"),
  ]

  @Test(arguments: pairs)
  func agreesWithTheWholeText(folder: String, name: String) throws {
    let tokenizer = try tokenizer(folder)
    let template = try Template.named(name)
    let tokens = try SampleTokenizer(tokenizer, template: template).encode(sample)
    let whole = tokenizer.encode(try sample.prompt(for: template).segments(template))
    #expect(tokens.ids == whole)
    #expect(tokens.parts.count == whole.count && tokens.isTarget.count == whole.count)
    #expect(tokens.ids.count { $0 == Prompt.imageID } == 1)
    for (part, isTarget) in zip(tokens.parts, tokens.isTarget) {
      #expect(isTarget == (part == .answer || part == .stop))
    }
    // Each run of targets spells an answer and its end.
    var runs: [[Int32]] = []
    for (index, isTarget) in tokens.isTarget.enumerated() where isTarget {
      if index == 0 || !tokens.isTarget[index - 1] { runs.append([]) }
      runs[runs.count - 1].append(tokens.ids[index])
    }
    let spelled = runs.map {
      String(decoding: tokenizer.decode($0, skipsSpecial: false), as: UTF8.self)
    }
    let ends = sample.rounds.map { $0.answer + template.answerSuffix }
    let expected = name == "plain" ? [ends.joined()] : ends
    #expect(spelled.count == expected.count)
    for (found, wanted) in zip(spelled, expected) {
      let trimmed = found.drop { $0 == " " }
      #expect(trimmed == wanted[...], "\(name)")
    }
  }

  /// LLaVA's own masking of a Vicuna conversation, done by hand: everything up to the colon after
  /// ASSISTANT is ignored, the first word's blank belongs to the word.
  @Test func masksAsUpstreamDoes() throws {
    let tokenizer = try tokenizer("tokenizers/llama2")
    let template = try Template.named("vicuna_v1")
    let tokens = try SampleTokenizer(tokenizer, template: template).encode(
      Sample(id: "", image: nil, rounds: [.init(question: "Hi", hasImage: false, answer: "Yes.")])
    )
    let system = template.system ?? ""
    let context = tokenizer.encode(
      "\(system) USER: Hi ASSISTANT:",
      recognizesSpecial: false,
      addsTemplate: true
    )
    let first = tokens.isTarget.firstIndex(of: true)
    #expect(first == context.count)
    #expect(Array(tokens.ids[..<context.count]) == context)
    #expect(tokens.ids.last == 2 && tokens.isTarget.last == true)
    #expect(tokens.parts.first == .system)
  }

  @Test func ignoresTheInstructionOfACaption() throws {
    let tokenizer = try tokenizer("mllm/sea-gemma-tiny/llava")
    let caption = Sample(
      id: "",
      image: "x",
      system: "Be brief.",
      rounds: [.init(question: "Describe it.", hasImage: true, answer: "a cat")]
    )
    let tokens = try SampleTokenizer(tokenizer, template: try Template.named("plain"))
      .encode(caption)
    #expect(Array(tokens.ids.prefix(2)) == [2, Prompt.imageID])
    #expect(Array(tokens.isTarget.prefix(2)) == [false, false])
    #expect(!tokens.isTarget.dropFirst(2).contains(false))
    #expect(tokens.parts.last == .stop)
    #expect(tokens.rows(visualTokens: 16) == tokens.ids.count + 15)
  }

  @Test func refusesASystemTextWithoutAPlace() throws {
    let tokenizer = try tokenizer("tokenizers/gemma-standin")
    var sample = sample
    sample.system = "Be brief."
    let encoder = SampleTokenizer(tokenizer, template: try Template.named("mgm_gemma"))
    #expect(throws: TextError.noSystemText(template: "mgm_gemma")) { try encoder.encode(sample) }
  }

  @Test func cutsPicturesWholeOrNotAtAll() {
    let tokens = TokenizedSample(
      ids: [2, -200, 5, 6, 7],
      parts: [.system, .visual, .user, .answer, .stop],
      isTarget: [false, false, false, true, true]
    )
    #expect(tokens.rows(visualTokens: 16) == 20)
    #expect(tokens.cut(toRows: 20, visualTokens: 16) == tokens)
    #expect(tokens.cut(toRows: 18, visualTokens: 16).ids == [2, -200, 5])
    #expect(tokens.cut(toRows: 16, visualTokens: 16).ids == [2])
  }
}
