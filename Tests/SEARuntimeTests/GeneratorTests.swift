// SPDX-License-Identifier: Apache-2.0
// Prompts in, answers out: prefixes, stops, limits and the seed.

import Foundation
import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import SEAText
import Testing

@Suite struct GeneratorTests {
  struct Fixture {
    let reference: [String: ReferenceTensor]

    init() throws {
      reference = try tensors(fixture(MultimodalTests.name) + "/reference.safetensors")
    }

    func ids() throws -> [Int32] { try #require(reference["prompt_ids"]).ids }

    func pixels(_ image: Int) throws -> [Float] {
      try #require(reference["image\(image).pixel_values"]).values
    }

    func greedy(_ image: Int) throws -> [Int32] {
      try #require(reference["image\(image).greedy.ids"]).ids
    }
  }

  @Test func answersAreTheReference() throws {
    let fixture = try Fixture()
    let generator = try ModelFixture().generator()
    for image in [0, 1] {
      let tokens = try generator.encode(fixture.pixels(image))
      try generator.read(fixture.ids(), images: [tokens])
      var streamed = ""
      var seen: [Int32] = []
      let answer = try generator.generate(GenerationOptions(maxTokens: 24)) { token in
        streamed += token.text
        seen.append(token.id)
        return true
      }
      #expect(try answer.ids == fixture.greedy(image))
      #expect(seen == answer.ids)
      #expect(answer.reason == .length)
      #expect(streamed + answer.rest == answer.text)
      let tokenizer = try generator.model.requireTokenizer()
      let whole = String(
        decoding: tokenizer.decode(answer.ids, skipsSpecial: true),
        as: UTF8.self
      )
      #expect(answer.text == whole.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }

  @Test func promptsAreRenderedAsTheReferenceRendersThem() throws {
    let model = try ModelFixture().open()
    let template = try model.template()
    let prompt = Prompt(turns: [Prompt.Turn("What is this?", images: 1)])
    #expect(try model.ids(of: prompt, template: template) == Fixture().ids())
    #expect(throws: RuntimeError.self) { _ = try model.template(named: "no such template") }
    let stops = try model.stops(template: template, texts: ["\n\n"])
    #expect(stops.ids.contains(1) && stops.texts.contains(Array("\n\n".utf8)))
  }

  @Test func sharedPrefixesAreKeptAndChangeNoBit() throws {
    let fixture = try Fixture()
    let file = try ModelFixture(policy: .int8(group: 32))
    let generator = try file.generator()
    let image = try generator.encode(fixture.pixels(0))
    let ids = try fixture.ids()
    try generator.read(ids, images: [image])
    let first = try generator.generate(GenerationOptions(maxTokens: 6))
    let longer = ids + first.ids + [11, 9, 912]
    var run: [Float] = []
    try generator.read(longer, images: [image])
    run = generator.context.logits.array()
    let fresh = try file.generator(GeneratorOptions(chunk: 7), threads: 1)
    try fresh.read(longer, images: [fresh.encode(fixture.pixels(0))])
    #expect(bits(run) == bits(fresh.context.logits.array()))
    #expect(generator.context.cache.count == fresh.context.cache.count)
    // Another picture at the same place is another prompt.
    let other = try generator.encode(fixture.pixels(1))
    try generator.read(longer, images: [other])
    try fresh.read(longer, images: [fresh.encode(fixture.pixels(1))])
    #expect(bits(generator.context.logits.array()) == bits(fresh.context.logits.array()))
    #expect(bits(generator.context.logits.array()) != bits(run))
    // The same prompt again runs its last position only.
    try generator.read(longer, images: [other])
    #expect(bits(generator.context.logits.array()) == bits(fresh.context.logits.array()))
    generator.reset()
    #expect(generator.context.cache.count == 0)
  }

  @Test func severalPicturesStandWhereTheyAreNamed() throws {
    let fixture = try Fixture()
    let generator = try ModelFixture().generator()
    let a = try generator.encode(fixture.pixels(0))
    let b = try generator.encode(fixture.pixels(1))
    var seen: [Float] = []
    let tracing = Tracing { point, rows in
      if point == .inputEmbeddings { seen += rows.array() }
    }
    try generator.read([2, -200, 9, -200, -200], images: [a, b, a], tracing: tracing)
    let scale = Float(72.0.squareRoot())
    let rows = 16 * 72
    #expect(seen.count == (2 + 3 * 16) * 72)
    #expect(Array(seen[72..<72 + rows]) == a.rows.array().map { $0 * scale })
    #expect(Array(seen[144 + rows..<144 + 2 * rows]) == b.rows.array().map { $0 * scale })
    #expect(seen.suffix(rows) == seen[72..<72 + rows])
    #expect(throws: RuntimeError.images(placeholders: 1, given: 2)) {
      try generator.read([2, -200], images: [a, b])
    }
  }

  @Test func answersEndWhereTheyShould() throws {
    let fixture = try Fixture()
    let generator = try ModelFixture().generator()
    let image = try generator.encode(fixture.pixels(0))
    let ids = try fixture.ids()
    let greedy = try fixture.greedy(0)
    func answer(
      _ options: GenerationOptions,
      _ onToken: (GeneratedToken) -> Bool = { _ in true }
    ) throws -> Generation {
      try generator.read(ids, images: [image])
      return try generator.generate(options, onToken: onToken)
    }
    let last = try #require(greedy.last { $0 != greedy[0] })
    let place = try #require(greedy.firstIndex(of: last))
    let stopped = try answer(
      GenerationOptions(maxTokens: 24, stops: StopRule(ids: [last]))
    )
    #expect(stopped.reason == .stop && stopped.ids == Array(greedy[..<place]))
    var count = 0
    let cancelled = try answer(GenerationOptions(maxTokens: 24)) { _ in
      count += 1
      return count < 5
    }
    #expect(cancelled.reason == .cancelled && cancelled.ids == Array(greedy.prefix(5)))
    #expect(try answer(GenerationOptions(maxTokens: 0)).ids.isEmpty)
    let whole = try answer(GenerationOptions(maxTokens: 24))
    let word = try #require(whole.text.split(separator: " ").dropFirst().first)
    let cut = try answer(
      GenerationOptions(maxTokens: 24, stops: StopRule(texts: ["never", String(word)]))
    )
    #expect(cut.reason == .stop && !cut.text.contains(word) && whole.text.hasPrefix(cut.text))
  }

  @Test func aFullContextEndsTheAnswer() throws {
    let fixture = try Fixture()
    let file = try ModelFixture()
    let generator = try file.generator(GeneratorOptions(context: 40))
    let image = try generator.encode(fixture.pixels(0))
    try generator.read(fixture.ids(), images: [image])
    let answer = try generator.generate(GenerationOptions(maxTokens: 24))
    // 36 positions are read; the scores of the fortieth still choose a token.
    #expect(answer.reason == .context)
    #expect(answer.ids == Array(try fixture.greedy(0).prefix(5)))
    let small = try file.generator(GeneratorOptions(context: 35))
    let tokens = try small.encode(fixture.pixels(0))
    #expect(throws: RuntimeError.context(needed: 36, capacity: 35)) {
      try small.read(fixture.ids(), images: [tokens])
    }
    #expect(
      throws: RuntimeError.input(what: "the prompt", found: "empty", expected: "at least one token")
    ) {
      try small.read([])
    }
  }

  @Test func theSeedFixesTheDraw() throws {
    let fixture = try Fixture()
    let file = try ModelFixture(policy: .int8(group: 32))
    func draw(_ seed: UInt64, threads: Int) throws -> [Int32] {
      let generator = try file.generator(threads: threads)
      try generator.read([2, 9, 912, 818, 11])
      var sampling = SamplingOptions()
      sampling.temperature = 1.5
      sampling.topK = 50
      sampling.topP = 0.9
      sampling.minP = 0.01
      sampling.repeatPenalty = 1.1
      sampling.seed = seed
      return try generator.generate(
        GenerationOptions(maxTokens: 16, sampling: sampling)
      ).ids
    }
    #expect(try draw(7, threads: 1) == draw(7, threads: 2))
    #expect(try draw(7, threads: 1) != draw(8, threads: 1))
    #expect(try fixture.ids().count == 21)
  }

  @Test func picturesPassThroughTheRecipe() throws {
    let generator = try ModelFixture().generator()
    let image = PixelImage(
      width: 30,
      height: 20,
      pixels: (0..<30 * 20 * 3).map { UInt8($0 % 256) }
    )
    let direct = try generator.encode(ImageRecipe.siglipPad(side: 60).run(image).values)
    #expect(try bits(generator.encode(image).rows.array()) == bits(direct.rows.array()))
  }
}
