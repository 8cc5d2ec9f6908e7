// SPDX-License-Identifier: Apache-2.0
// A verdict accepts what was written faithfully and refuses what was not.

import Foundation
import SEAFormat
import SEAImage
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import Testing

@Suite struct ParityVerdictTests {
  static func verdict(
    _ source: any WeightSource,
    in bench: Workbench,
    threads: Int = 2
  ) throws -> ParityVerdict {
    let execution = Execution(kernels: bench.kernels, threads: threads)
    return try ParityComparison(source: source, path: bench.path("out.sea"), on: execution).run()
  }

  @Test(arguments: TinyModels.all)
  func floatFilesAreTheirSource(model: ModelDescription) throws {
    let bench = try Workbench()
    let source = RandomWeights(model: model)
    try bench.build(source, PrecisionPolicy(all: .float32))
    let verdict = try Self.verdict(source, in: bench)
    #expect(verdict.isGood)
    #expect(verdict.precision == .float32)
    // The same kernels on the same values: the same bits, and cosines off by their own rounding.
    for rows in verdict.visionBlocks + verdict.languageBlocks {
      #expect(rows.worstCosine > 1 - 1e-14)
    }
    #expect((verdict.features != nil) == (model.encoder != nil))
    #expect((verdict.visualTokens != nil) == (model.adapter != nil))
    if let logits = verdict.logits {
      #expect(logits.meanDivergence < 1e-12)
      #expect(logits.agreed == 32 && logits.positions == 32)
    }
    #expect((verdict.logits != nil) == (model.language != nil))
  }

  @Test(
    arguments: TinyModels.all,
    [
      PrecisionPolicy(all: .bfloat16), .int8(group: 32), .int8(group: 128), .int8(group: nil),
      .int4,
    ]
  )
  func faithfulFilesPass(model: ModelDescription, policy: PrecisionPolicy) throws {
    let bench = try Workbench()
    let source = RandomWeights(model: model)
    try bench.build(source, policy)
    let verdict = try Self.verdict(source, in: bench)
    #expect(verdict.isGood, "\(model.name): \(verdict.text)")
    #expect(verdict.text.hasPrefix("parity: "))
    #expect(!verdict.text.contains("failed"))
  }

  @Test(arguments: [
    "vision.patch.weight", "vision.blk.0.mlp.fc2.weight", "vision.blk.1.attn.o.weight",
    "vision.position", "adapter.0.weight", "llm.embed.weight", "llm.blk.0.attn.o.weight",
    "llm.blk.1.mlp.down.weight", "llm.blk.0.norm2.weight",
  ])
  func aSpoiledTensorFails(name: String) throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.seaGemma)
    for policy in [PrecisionPolicy(all: .float32), .int8(group: 64)] {
      var spoiled = source
      spoiled.change = { tensor, _, values in
        if tensor == name { values = values.map { -$0 } }
      }
      try bench.build(spoiled, policy)
      let verdict = try Self.verdict(source, in: bench)
      #expect(!verdict.isGood, "\(name): \(verdict.text)")
      #expect(verdict.text.contains("failed: "))
      #expect(verdict.json["good"]?.bool == false)
    }
  }

  /// Every tensor of the towers and the adapter, which are not int4, and what decides the scores' sign.
  @Test(arguments: [
    "vision.patch.weight", "vision.blk.0.mlp.fc2.weight", "vision.position", "adapter.0.weight",
    "llm.norm.weight",
  ])
  func aSpoiledTensorFailsInInt4(name: String) throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.seaGemma)
    var spoiled = source
    spoiled.change = { tensor, _, values in
      if tensor == name { values = values.map { -$0 } }
    }
    try bench.build(spoiled, .int4)
    let verdict = try Self.verdict(source, in: bench)
    #expect(verdict.precision == .int4)
    #expect(!verdict.isGood, "\(name): \(verdict.text)")
  }

  @Test func valuesThatAreNotFiniteFail() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.llava)
    var spoiled = source
    spoiled.change = { tensor, row, values in
      if tensor == "llm.blk.1.norm1.weight" || tensor == "vision.prenorm.weight" {
        values[3] = .nan
      }
    }
    try bench.build(spoiled, PrecisionPolicy(all: .float32), allowsNonFinite: true)
    let verdict = try Self.verdict(source, in: bench)
    #expect(!verdict.isGood)
    #expect(verdict.logits?.agreed == 0)
    #expect(try JSONScanner.parse(Array(verdict.json.serialized().utf8))["good"] == false)
  }

  @Test func theVerdictDependsOnNoThreadCount() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.llava)
    try bench.build(source, .int8(group: 64))
    let one = try Self.verdict(source, in: bench, threads: 1)
    let three = try Self.verdict(source, in: bench, threads: 3)
    #expect(one == three)
  }

  @Test func largeMatricesReadInPiecesGiveTheSameBits() throws {
    let bench = try Workbench()
    // 17,000 × 512 values are 35 MB as f32, too much to be used in place.
    let model = ModelDescription(
      name: "wide",
      language: TinyModels.language(blocks: 1, hidden: 512, heads: 4, headDim: 128, ffn: 17_000)
    )
    let source = RandomWeights(model: model)
    try bench.build(source, PrecisionPolicy(all: .float32))
    let verdict = try Self.verdict(source, in: bench)
    #expect(verdict.languageBlocks.allSatisfy { $0.worstCosine > 1 - 1e-14 })
    #expect(try #require(verdict.logits).meanDivergence < 1e-12)
  }

  @Test func anAdapterAloneIsCompared() throws {
    let bench = try Workbench()
    let model = ModelDescription(
      name: "adapter",
      adapter: AdapterDescription(widths: [40, 72, 64], activation: .geluErf)
    )
    let source = RandomWeights(model: model)
    try bench.build(source, .int8(group: 64))
    let verdict = try Self.verdict(source, in: bench)
    #expect(verdict.isGood)
    #expect(verdict.features == nil && verdict.logits == nil)
    #expect(try #require(verdict.visualTokens).meanCosine > 0.9999)
    #expect(verdict.text == "parity: visual tokens cos 1.0000")
  }

  @Test func aFileOfAnotherModelIsRefused() throws {
    let bench = try Workbench()
    try bench.build(RandomWeights(model: TinyModels.llama), .int8(group: 64))
    #expect(throws: QuantizerError.self) {
      try Self.verdict(RandomWeights(model: TinyModels.phi), in: bench)
    }
  }

  @Test func workCanBeInterrupted() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.llava)
    try bench.build(source, .int8(group: 64))
    let comparison = try ParityComparison(
      source: source,
      path: bench.path("out.sea"),
      on: Execution(kernels: bench.kernels, threads: 2)
    )
    var steps: [Int] = []
    #expect(throws: QuantizerError.cancelled) {
      try comparison.run(
        progress: { done, total in
          #expect(total == 4)
          steps.append(done)
        },
        isCancelled: { steps.count == 3 }
      )
    }
    #expect(steps == [1, 2, 3])
  }
}

@Suite struct LogitComparisonTests {
  @Test(arguments: [0.01, 0.3, 4] as [Float])
  func streamingEqualsTheDefinition(noise: Float) {
    var generator = SplitMix(seed: 7)
    let a = (0..<1000).map { _ in generator.symmetric() * 12 }
    let b = a.map { $0 + generator.symmetric() * noise }
    var comparison = LogitComparison()
    for start in stride(from: 0, to: 1000, by: 77) {
      let range = start..<min(start + 77, 1000)
      comparison.add(source: Array(a[range]).span, file: Array(b[range]).span, first: start)
    }
    let p = Self.softmax(a)
    let q = Self.softmax(b)
    let expected = zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
    #expect(abs(comparison.divergence - expected) < 1e-11)
    #expect(comparison.agrees == (a.firstIndex(of: a.max()!) == b.firstIndex(of: b.max()!)))
  }

  @Test func shiftedScoresAreTheSameDistribution() {
    let a: [Float] = [1, 2, 3, 2.5]
    var comparison = LogitComparison()
    comparison.add(source: a.span, file: a.map { $0 + 8 }.span, first: 0)
    #expect(comparison.divergence < 1e-14)
    #expect(comparison.agrees)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func valuesThatAreNotFiniteNeverAgree(value: Float) {
    var comparison = LogitComparison()
    comparison.add(source: [1, 2].span, file: [value, 2].span, first: 0)
    comparison.add(source: [1, 2].span, file: [1, 2].span, first: 2)
    #expect(comparison.divergence == .infinity)
    #expect(comparison.cosine == 0)
    #expect(!comparison.agrees)
  }

  private static func softmax(_ scores: [Float]) -> [Double] {
    let weights = scores.map { exp(Double($0)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }
}
