// SPDX-License-Identifier: Apache-2.0
// Opening model files: whole, in part, and wrong.

import Foundation
import SEAFormat
import SEAModel
import SEARuntime
import SEATensor
import SEAText
import Testing

@Suite struct ModelTests {
  @Test func everyPartIsBound() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    let model = try fixture.open()
    #expect(model.description.name == "tiny")
    #expect(model.encoder?.blocks.count == 3 && model.language?.blocks.count == 3)
    #expect(model.adapter?.adapter.widths == [72, 72, 72])
    #expect(model.tokenizer != nil)
    #expect(model.defaultCacheType == .float16)
    #expect(try ModelFixture().open().defaultCacheType == .float32)
  }

  @Test func partsMayBeAbsent() throws {
    let fixture = try ModelFixture(hasTokenizer: false) {
      $0.encoder = nil
      $0.recipe = nil
      $0.adapter = nil
    }
    let model = try fixture.open()
    #expect(model.encoder == nil && model.tokenizer == nil && model.language != nil)
    #expect(throws: RuntimeError.missingPart(name: "vision encoder", model: fixture.path)) {
      _ = try model.requireEncoder()
    }
    let generator = try fixture.generator()
    #expect(throws: RuntimeError.missingPart(name: "adapter", model: fixture.path)) {
      _ = try generator.encode([Float](repeating: 0, count: 3 * 60 * 60))
    }
    try generator.read([2, 9, 912])
    let answer = try generator.generate(GenerationOptions(maxTokens: 3))
    #expect(answer.ids.count == 3 && answer.text.isEmpty)
  }

  @Test func copiedWeightsGiveTheSameBits() throws {
    let fixture = try ModelFixture(policy: .int8(group: 64))
    let logits = try WeightPlacement.allCases.map { placement in
      let generator = try fixture.generator(GeneratorOptions(placement: placement))
      try generator.read([2, 9, 912, 818])
      return bits(generator.context.logits.array())
    }
    #expect(logits[0] == logits[1])
  }

  @Test func theWrongFileIsNamed() throws {
    #expect(throws: RuntimeError.format(.file(.missing(path: "/nonexistent.sea")))) {
      _ = try Model(path: "/nonexistent.sea")
    }
    let path = try SEARuntimeTests.fixture("llama-tiny") + "/model.safetensors"
    #expect(throws: RuntimeError.self) { _ = try Model(path: path) }
  }

  /// Rewrites a fixture's file with another manifest or other tensors.
  static func rewrite(
    _ fixture: ModelFixture,
    description: (inout ModelDescription) -> Void = { _ in },
    tensors: ([SafetensorsTensor]) -> [SafetensorsTensor] = { $0 }
  ) throws -> ModelError? {
    let file = try ModelFile(path: fixture.path)
    var model = try ModelDescription(json: file.descriptionJSON)
    description(&model)
    let declared = tensors(file.tensors.map { SafetensorsTensor($0.name, $0.type, $0.shape) })
    let path = fixture.path + ".wrong"
    var writer = try ModelFileWriter(
      path: path,
      manifest: ModelManifest(
        description: model.json,
        quantization: file.manifest.quantization
      ),
      tensors: declared
    )
    for tensor in declared {
      let size = tensor.shape.reduce(tensor.type.size, *)
      var bytes = file.info(tensor.name).map { file.bytes(of: $0).array() } ?? []
      bytes = Array((bytes + [UInt8](repeating: 0, count: size)).prefix(size))
      try writer.write(bytes, to: tensor.name)
    }
    try writer.finish()
    defer { try? FileManager.default.removeItem(atPath: path) }
    do throws(RuntimeError) {
      _ = try Model(path: path)
      return nil
    } catch {
      guard case .model(let found, let reason) = error else {
        Issue.record("unexpected \(error)")
        return nil
      }
      #expect(found == path)
      return reason
    }
  }

  @Test func tensorsThatDoNotFitTheDescriptionAreNamed() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    #expect(try Self.rewrite(fixture) == nil)
    let name = "llm.blk.1.attn.k.weight"
    #expect(
      try Self.rewrite(fixture, tensors: { $0.filter { $0.name != name } })
        == .missingTensor(name: name)
    )
    #expect(
      try Self.rewrite(fixture, tensors: { $0 + [SafetensorsTensor("llm.extra", .float32, [4])] })
        == .unexpectedTensor(name: "llm.extra")
    )
    #expect(
      try Self.rewrite(
        fixture,
        tensors: {
          $0.map { $0.name == "llm.norm.weight" ? SafetensorsTensor($0.name, .float32, [71]) : $0 }
        }
      )
        == .mismatch(
          tensor: "llm.norm.weight",
          what: "the shape",
          expected: "[72]",
          found: "[71]"
        )
    )
    #expect(
      try Self.rewrite(
        fixture,
        tensors: {
          $0.map { $0.name == "llm.norm.weight" ? SafetensorsTensor($0.name, .bfloat16, [72]) : $0 }
        }
      )
        == .mismatch(
          tensor: "llm.norm.weight",
          what: "the element type",
          expected: "F32",
          found: "BF16"
        )
    )
    let packed = try Self.rewrite(fixture, description: { $0.language?.vocab = 1087 })
    #expect(packed == nil, "1,088 and 1,087 rows fill the same panels")
    guard case .mismatch = try Self.rewrite(fixture, description: { $0.language?.vocab = 2000 })
    else {
      Issue.record("a larger vocabulary was accepted")
      return
    }
    #expect(
      try Self.rewrite(fixture, description: { $0.language?.blocks = 4 })
        == .missingTensor(name: "llm.blk.3.attn.q.weight")
    )
    #expect(
      try Self.rewrite(fixture, description: { $0.language?.blocks = 2 })
        == .unexpectedTensor(name: "llm.blk.2.attn.q.weight")
    )
    #expect(
      try Self.rewrite(fixture, description: { $0.language?.hidden = 80 })
        == .invalid(
          field: "adapter.widths",
          found: "72 outputs",
          expected: "the language model's hidden size 80"
        )
    )
  }

  @Test func plansAddUpAndAreKept() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    let model = try fixture.open()
    let options = ContextOptions(capacity: 64)
    let plan = MemoryPlan(model.header, options: options, threads: 2)
    let mapped = plan.parts.filter { $0.kind == .mapped && $0.name != "tokenizer" }
    #expect(mapped.reduce(0) { $0 + $1.bytes } == model.plan.byteCount)
    #expect(plan.anonymousBytes < plan.peakBytes)
    let language = try #require(model.description.language)
    let cache = 2 * 3 * 32 * 64 * 2
    #expect(plan.parts.contains { $0.name == "keys and values" && $0.bytes == cache })
    let wider = MemoryPlan(model.header, options: ContextOptions(capacity: 128), threads: 2)
    #expect(wider.anonymousBytes > plan.anonymousBytes)
    #expect(language.kvHeads == 1)
    func limited(_ bytes: Int) throws -> GeneratorPlan {
      try GeneratorPlan(
        model.header,
        options: GeneratorOptions(context: 64),
        threads: 2,
        limit: MemoryLimit(bytes, .request)
      )
    }
    try limited(plan.peakBytes).check()
    #expect(throws: RuntimeError.self) { try limited(1 << 20).check() }
  }

  @Test func lessMemoryThanTheWeightsGivesThemBack() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32)) {
      ($0.encoder, $0.recipe, $0.adapter) = (nil, nil, nil)
    }
    let roomy = try fixture.generator()
    let limit = roomy.memory.peakBytes - 1
    let tight = try fixture.generator(GeneratorOptions(maxMemory: limit))
    #expect(tight.memory.releasesWeights && tight.memory.peakBytes <= limit)
    for generator in [roomy, tight] { try generator.read([2, 9, 912, 818, 11]) }
    #expect(bits(roomy.context.logits.array()) == bits(tight.context.logits.array()))
    #expect(throws: RuntimeError.self) {
      _ = try fixture.generator(GeneratorOptions(maxMemory: 1 << 20))
    }
  }

  @Test func contextsTheModelWasNotMadeForAreRefused() throws {
    let fixture = try ModelFixture { $0.language?.maxPositions = 50 }
    #expect(try fixture.generator().context.cache.capacity == 50)
    #expect(
      throws: RuntimeError.input(what: "the context", found: "51", expected: "1 to 50 positions")
    ) {
      _ = try fixture.generator(GeneratorOptions(context: 51))
    }
    #expect(throws: RuntimeError.self) { _ = try fixture.generator(GeneratorOptions(context: 0)) }
  }
}
