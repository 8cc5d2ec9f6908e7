// SPDX-License-Identifier: Apache-2.0
// The language model against references, and against itself under every way of running it.

import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct LanguageModelTests {
  static let fixtures = ["llama-tiny", "phi3-tiny"]
  static let groups: [Int?] = [32, 64, 128, nil]

  /// A context over a fixture.
  static func context(
    _ name: String,
    policy: PrecisionPolicy,
    isa: InstructionSet = .best,
    threads: Int = 2,
    capacity: Int = 80,
    chunk: Int = 256,
    type: CacheType = .float32,
    scoredRows: Int = 5
  ) throws -> LanguageContext {
    let source = try FixtureModel.language(fixture(name))
    let language = try #require(source.model.language)
    let model = try LanguageModel(
      language,
      visualScale: 1,
      weights: try MemoryWeights(source, policy: policy)
    )
    return try context(
      model,
      isa: isa,
      threads: threads,
      options: ContextOptions(
        capacity: capacity,
        chunk: chunk,
        cacheType: type,
        scoredRows: scoredRows
      )
    )
  }

  static func context(
    _ model: LanguageModel,
    isa: InstructionSet,
    threads: Int,
    options: ContextOptions
  ) throws -> LanguageContext {
    let execution = Execution(kernels: try Kernels(isa), threads: threads)
    return try LanguageContext(model, options: options, on: execution)
  }

  /// Everything that a traced prefill shows, by name.
  static func trace(
    _ context: LanguageContext,
    _ prompt: PromptEmbedding
  ) throws -> [String: [Float]] {
    var seen: [String: [Float]] = [:]
    try context.prefill(
      prompt,
      tracing: Tracing { point, rows in seen[point.name, default: []] += rows.array() }
    )
    return seen
  }

  static func greedy(_ context: LanguageContext, count: Int) throws -> [Int32] {
    var ids: [Int32] = []
    while ids.count < count {
      let scores = context.logits.array()
      let best = scores.indices.max { scores[$0] < scores[$1] } ?? 0
      ids.append(Int32(best))
      if ids.count < count { try context.decode(Int32(best)) }
    }
    return ids
  }

  @Test(arguments: fixtures, InstructionSet.available)
  func floatWeightsReproduceTheReference(name: String, isa: InstructionSet) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let ids = try #require(reference["input_ids"]).ids
    let context = try Self.context(name, policy: PrecisionPolicy(all: .float32), isa: isa)
    let seen = try Self.trace(context, PromptEmbedding([.tokens(ids)]))
    let embedded = try #require(seen["inputs_embeds"])
    let scaled = try #require(reference["hidden.0.embed_scaled"])
    #expect(embedded == scaled.values)
    for block in 1...context.model.language.blocks {
      let hidden = try #require(seen["llm.hidden.\(block)"])
      let wanted = try #require(reference["hidden.\(block).layer_out"])
      #expect(largestDifference(hidden, wanted.values) < 5e-4)
    }
    let logits = try #require(seen["logits"])
    let wanted = try #require(reference["logits"])
    #expect(largestDifference(logits, wanted.values) < 2e-3)
    #expect(cosine(logits, wanted.values) > 0.99999)
    #expect(try Self.greedy(context, count: 24) == reference["greedy.ids"]?.ids)
  }

  /// Shared query heads, a tied head and scaled embeddings, another rotary base.
  @Test(
    .enabled(if: SharedFixtures.isPresent, "needs ../shared or SEA_SHARED"),
    arguments: ["llm/gemma-tiny", "llm/llama3-tiny"]
  )
  func otherFamiliesReproduceTheReference(name: String) throws {
    try floatWeightsReproduceTheReference(name: name, isa: .best)
    try embeddingsOfTheTableSpaceReproduceTheReference(name: name)
    try packedWeightsStayClose(name: name, group: 32)
    try packedWeightsStayClose(name: name, group: nil)
    try threadsAndChunksDoNotChangeABit(name: name, storage: .int8(group: 64))
    try decodingEqualsPrefill(name: name)
  }

  @Test(arguments: fixtures)
  func embeddingsOfTheTableSpaceReproduceTheReference(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let raw = try #require(reference["mixed.inputs_embeds_raw"])
    let rows = try MatrixView(raw.values, columns: raw.shape[2])
    let context = try Self.context(name, policy: PrecisionPolicy(all: .float32))
    let seen = try Self.trace(context, PromptEmbedding([.table(rows)]))
    let wanted = try #require(reference["mixed.logits_last8"])
    let logits = try #require(seen["logits"])
    #expect(largestDifference(logits.suffix(wanted.values.count), wanted.values) < 2e-3)
    #expect(try Self.greedy(context, count: 24) == reference["mixed.greedy.ids"]?.ids)
  }

  @Test(arguments: fixtures, groups)
  func packedWeightsStayClose(name: String, group: Int?) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let ids = try #require(reference["input_ids"]).ids
    let context = try Self.context(name, policy: PrecisionPolicy(all: .int8(group: group)))
    let seen = try Self.trace(context, PromptEmbedding([.tokens(ids)]))
    let wanted = try #require(reference["logits"])
    let logits = try #require(seen["logits"])
    #expect(smallestCosine(logits, wanted.values, width: wanted.shape[2]) > 0.99)
    for block in 1...context.model.language.blocks {
      let hidden = try #require(seen["llm.hidden.\(block)"])
      let float = try #require(reference["hidden.\(block).layer_out"])
      #expect(smallestCosine(hidden, float.values, width: float.shape[2]) > 0.99)
    }
  }

  @Test(arguments: fixtures)
  func halfWeightsStayClose(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let ids = try #require(reference["input_ids"]).ids
    let context = try Self.context(
      name,
      policy: PrecisionPolicy(all: .bfloat16),
      type: .float16
    )
    let seen = try Self.trace(context, PromptEmbedding([.tokens(ids)]))
    let wanted = try #require(reference["logits"])
    let logits = try #require(seen["logits"])
    #expect(smallestCosine(logits, wanted.values, width: wanted.shape[2]) > 0.999)
  }

  /// Storage, thread count, chunk size and cache type that may not interact.
  static let storages: [WeightStorage] = [
    .float32, .bfloat16, .int8(group: 32), .int8(group: 128), .int4,
  ]

  @Test(arguments: fixtures, storages)
  func threadsAndChunksDoNotChangeABit(name: String, storage: WeightStorage) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let prompt = PromptEmbedding([.tokens(try #require(reference["input_ids"]).ids)])
    for type in CacheType.allCases {
      var first: [String: [Float]]?
      var firstIDs: [Int32]?
      for (threads, chunk, scoredRows) in [
        (1, 256, 64), (2, 7, 1), (3, 64, 5), (5, 1, 2), (2, 36, 3),
      ] {
        let context = try Self.context(
          name,
          policy: PrecisionPolicy(all: storage),
          threads: threads,
          chunk: chunk,
          type: type,
          scoredRows: scoredRows
        )
        let seen = try Self.trace(context, prompt)
        let ids = try Self.greedy(context, count: 8)
        if let first {
          #expect(seen.mapValues(bits) == first.mapValues(bits))
          #expect(ids == firstIDs)
        } else {
          (first, firstIDs) = (seen, ids)
        }
      }
    }
  }

  @Test(arguments: fixtures, storages)
  func instructionSetsAgree(name: String, storage: WeightStorage) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let prompt = PromptEmbedding([.tokens(try #require(reference["input_ids"]).ids)])
    let all = try InstructionSet.available.map { isa in
      let context = try Self.context(name, policy: PrecisionPolicy(all: storage), isa: isa)
      return try Self.trace(context, prompt).mapValues(bits)
    }
    for other in all.dropFirst() { #expect(other == all[0]) }
  }

  @Test(arguments: fixtures)
  func decodingEqualsPrefill(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let ids = try #require(reference["input_ids"]).ids
    let policy = PrecisionPolicy(all: .int8(group: 64))
    let whole = try Self.context(name, policy: policy, type: .float16)
    try whole.prefill(PromptEmbedding([.tokens(ids)]))
    let stepwise = try Self.context(name, policy: policy, type: .float16)
    try stepwise.prefill(PromptEmbedding([.tokens(Array(ids.prefix(3)))]))
    for id in ids.dropFirst(3) { try stepwise.decode(id) }
    #expect(bits(whole.logits.array()) == bits(stepwise.logits.array()))
  }

  @Test(arguments: fixtures)
  func streamedWeightsEqualPlainOnes(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let prompt = PromptEmbedding([.tokens(try #require(reference["input_ids"]).ids)])
    let source = try FixtureModel.language(fixture(name))
    let language = try #require(source.model.language)
    let model = try LanguageModel(language, visualScale: 1, weights: StreamedWeights(source))
    let options = ContextOptions(capacity: 80, cacheType: .float32, scoredRows: 8)
    let streamed = try Self.context(model, isa: .best, threads: 2, options: options)
    let plain = try Self.context(name, policy: PrecisionPolicy(all: .float32))
    #expect(
      try Self.trace(streamed, prompt).mapValues(bits)
        == Self.trace(plain, prompt).mapValues(bits)
    )
  }

  @Test func mixedStoragesRunTogether() throws {
    let reference = try tensors(fixture("llama-tiny") + "/reference.safetensors")
    let ids = try #require(reference["input_ids"]).ids
    var policy = PrecisionPolicy(all: .int8(group: 32))
    policy.exceptions["llm.blk.0.attn.k.weight"] = .bfloat16
    policy.exceptions["llm.blk.1.mlp.up.weight"] = .int8(group: 64)
    policy.exceptions["llm.blk.2.mlp.gate.weight"] = .float32
    let context = try Self.context("llama-tiny", policy: policy)
    let seen = try Self.trace(context, PromptEmbedding([.tokens(ids)]))
    let wanted = try #require(reference["logits"])
    let logits = try #require(seen["logits"])
    #expect(smallestCosine(logits, wanted.values, width: wanted.shape[2]) > 0.99)
  }

  @Test func refusesWhatDoesNotFit() throws {
    let context = try Self.context(
      "llama-tiny",
      policy: PrecisionPolicy(all: .float32),
      capacity: 4
    )
    #expect(throws: RuntimeError.context(needed: 5, capacity: 4)) {
      try context.prefill(PromptEmbedding([.tokens([1, 2, 3, 4, 5])]))
    }
    #expect(throws: RuntimeError.token(id: 768, vocab: 768)) {
      try context.prefill(PromptEmbedding([.tokens([1, 768])]))
    }
    #expect(throws: RuntimeError.token(id: -1, vocab: 768)) { try context.decode(-1) }
    #expect(throws: RuntimeError.images(placeholders: 2, given: 0)) {
      _ = try PromptEmbedding(ids: [1, -200, 3, -200], images: [])
    }
    try context.prefill(PromptEmbedding([.tokens([1, 2, 3, 4])]))
    #expect(throws: RuntimeError.context(needed: 5, capacity: 4)) { try context.decode(5) }
  }

  @Test func truncatingForgetsPositions() throws {
    let policy = PrecisionPolicy(all: .int8(group: 32))
    let context = try Self.context("phi3-tiny", policy: policy)
    try context.prefill(PromptEmbedding([.tokens([1, 2, 3, 4])]))
    let first = bits(context.logits.array())
    try context.prefill(PromptEmbedding([.tokens([9, 8, 7])]))
    context.cache.truncate(to: 2)
    try context.prefill(PromptEmbedding([.tokens([3, 4])]))
    #expect(bits(context.logits.array()) == first)
  }

  @Test(arguments: CacheType.allCases)
  func shortConversationsInLongContextsStaySmall(type: CacheType) throws {
    let fixture = try ModelFixture(policy: .int8(group: 32)) {
      $0.language?.maxPositions = 1 << 22
    }
    let language = try #require(try fixture.open().description.language)
    let position = KVCache.byteCount(language, capacity: 1 << 16, type: type) >> 16
    // Room for 256 MB of keys and values; a conversation of a few hundred positions.
    let capacity = (256 << 20) / position
    let cache = try KVCache(language, capacity: capacity, type: type)
    let rows = try MatrixView<Float>(rows: 300, columns: language.headDim)
    rows.fill(0.5)
    let kernels = try Kernels(.best)
    for store in cache.stores {
      for head in 0..<language.kvHeads {
        kernels.store(keys: rows, values: rows, head: head, first: 0, in: store)
      }
    }
    // Every head begins a page of keys, of values and of scales of its own.
    let ragged = language.blocks * language.kvHeads * 8 * 4096
    #expect(cache.residentBytes >= 300 * position)
    #expect(cache.residentBytes <= 300 * position + ragged)
  }
}
