// SPDX-License-Identifier: Apache-2.0
// Picture to words: encoder, adapter, splice and language model together.

import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct MultimodalTests {
  static let name = "sea-gemma-tiny"

  struct Run {
    var seen: [String: [Float]]
    var ids: [Int32]
  }

  /// Runs picture `image` of the fixture with its prompt.
  static func run(
    image: Int,
    policy: PrecisionPolicy,
    isScaled: Bool,
    type: CacheType,
    threads: Int = 2
  ) throws -> Run {
    let hidden = 72.0
    let source = try FixtureModel.whole(
      fixture(name),
      visualScale: isScaled ? hidden.squareRoot() : 1
    )
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let weights = try MemoryWeights(source, policy: policy)
    let description = source.model
    let encoder = try #require(description.encoder)
    let vision = try VisionEncoder(encoder, weights: weights)
    let adapter = try Adapter(#require(description.adapter), weights: weights)
    let model = try LanguageModel(
      #require(description.language),
      visualScale: description.visualScale,
      weights: weights
    )
    let execution = Execution(kernels: try Kernels(.best), threads: threads)
    var seen: [String: [Float]] = [:]
    let tracing = Tracing { point, rows in seen[point.name, default: []] += rows.array() }
    let features = try vision.encode(
      #require(reference["image\(image).pixel_values"]).values,
      scratch: EncoderScratch(encoder, threads: threads),
      tracing: tracing,
      on: execution
    )
    let tokens = try adapter.run(features, tracing: tracing, on: execution)
    let prompt = try PromptEmbedding(
      ids: #require(reference["prompt_ids"]).ids,
      images: [tokens]
    )
    let context = try LanguageContext(
      model,
      options: ContextOptions(capacity: 64, cacheType: type, scoredRows: 4),
      on: execution
    )
    try context.prefill(prompt, tracing: tracing)
    return Run(seen: seen, ids: try LanguageModelTests.greedy(context, count: 24))
  }

  /// Scores of the first 1024 ids; the layout's added rows have no reference.
  static func known(_ logits: [Float], _ wanted: ReferenceTensor) -> [Float] {
    let width = wanted.shape[2]
    let rows = wanted.shape[1]
    let stored = logits.count / rows
    return (0..<rows).flatMap { logits[$0 * stored..<$0 * stored + width] }
  }

  @Test(arguments: [0, 1], [true, false])
  func floatWeightsReproduceTheReference(image: Int, isScaled: Bool) throws {
    let reference = try tensors(fixture(Self.name) + "/reference.safetensors")
    let run = try Self.run(
      image: image,
      policy: PrecisionPolicy(all: .float32),
      isScaled: isScaled,
      type: .float32
    )
    let prefix = "image\(image)."
    let scores = prefix + (isScaled ? "" : "visual_unscaled.")
    let features = try #require(reference[prefix + "encoder_features"]).values
    #expect(largestDifference(try #require(run.seen["vision.features"]), features) < 5e-4)
    let tokens = try #require(reference[prefix + "visual_tokens"]).values
    #expect(largestDifference(try #require(run.seen["visual_tokens"]), tokens) < 5e-4)
    if isScaled, let raw = reference[prefix + "inputs_embeds_raw"] {
      let scale = Float(72.0.squareRoot())
      let embedded = try #require(run.seen["inputs_embeds"])
      #expect(largestDifference(embedded, raw.values.map { $0 * scale }) < 5e-4 * scale)
    }
    let wanted = try #require(reference[scores + "logits"])
    let logits = Self.known(try #require(run.seen["logits"]), wanted)
    #expect(largestDifference(logits, wanted.values) < 3e-3)
    #expect(cosine(logits, wanted.values) > 0.99999)
    #expect(run.ids == reference[scores + "greedy.ids"]?.ids)
  }

  @Test(arguments: [0, 1], [32, 128, nil])
  func packedWeightsStayClose(image: Int, group: Int?) throws {
    let reference = try tensors(fixture(Self.name) + "/reference.safetensors")
    let run = try Self.run(
      image: image,
      policy: .int8(group: group),
      isScaled: true,
      type: .float16
    )
    let tokens = try #require(reference["image\(image).visual_tokens"])
    #expect(
      smallestCosine(
        try #require(run.seen["visual_tokens"]),
        tokens.values,
        width: tokens.shape[2]
      ) > 0.99
    )
    let wanted = try #require(reference["image\(image).logits"])
    let logits = Self.known(try #require(run.seen["logits"]), wanted)
    #expect(smallestCosine(logits, wanted.values, width: wanted.shape[2]) > 0.98)
  }

  @Test func threadsDoNotChangeABit() throws {
    let runs = try [1, 2, 3].map {
      try Self.run(
        image: 0,
        policy: .int8(group: 64),
        isScaled: true,
        type: .float16,
        threads: $0
      )
    }
    for other in runs.dropFirst() {
      #expect(other.seen.mapValues(bits) == runs[0].seen.mapValues(bits))
      #expect(other.ids == runs[0].ids)
    }
  }
}
