// SPDX-License-Identifier: Apache-2.0
// What a written file holds, and that nothing is written otherwise.

import Foundation
import SEAFormat
import SEAModel
import SEAQuantizer
import SEATensor
import SEAText
import Testing

@Suite struct ModelFileBuilderTests {
  static let policies: [PrecisionPolicy] = [
    PrecisionPolicy(all: .float32), PrecisionPolicy(all: .bfloat16), .int8(group: 32),
    .int8(group: 64), .int8(group: 128), .int8(group: nil),
    PrecisionPolicy(all: .int8(group: 128)), .int4, PrecisionPolicy(all: .int4),
  ]

  @Test(arguments: TinyModels.all, policies)
  func storesEveryTensorOfThePlan(model: ModelDescription, policy: PrecisionPolicy) throws {
    let bench = try Workbench()
    let report = try bench.build(RandomWeights(model: model), policy)
    let file = try ModelFile(path: bench.path("out.sea"))
    try file.verify()
    let plan = try TensorPlan(model, policy: policy)
    #expect(file.tensorNames == plan.all.map(\.name))
    for spec in plan.all {
      let info = try #require(file.info(spec.name))
      #expect(info.type == spec.elementType)
      #expect(info.shape == spec.storedShape)
    }
    #expect(try ModelDescription(json: file.manifest.description) == model)
    #expect(try PrecisionPolicy(json: file.manifest.quantization) == policy)
    #expect(file.manifest.provenance == ["layout": "test"])
    #expect(report.entries.map(\.spec) == plan.all)
    #expect(try bench.files == ["out.sea"])
  }

  @Test(arguments: [32, 64, 128, nil] as [Int?])
  func int8ErrorIsAtMostHalfAStep(group: Int?) throws {
    let model = TinyModels.seaGemma
    let source = RandomWeights(model: model)
    let bench = try Workbench()
    let policy = PrecisionPolicy(all: .int8(group: group))
    try bench.build(source, policy)
    let file = try ModelFile(path: bench.path("out.sea"))
    for spec in try TensorPlan(model, policy: policy).matrices {
      let size = try #require(spec.format).group
      for (row, stored) in try bench.stored(spec, in: file).enumerated() {
        let given = source.values(spec.name, row: row, columns: spec.columns)
        for start in stride(from: 0, to: spec.columns, by: size) {
          let range = start..<min(start + size, spec.columns)
          let largest = given[range].map(\.magnitude).max() ?? 0
          // Half a step; scale, quotient and product are each rounded once, at most 127 steps out.
          let bound = largest / 254 + largest * 4 * Float.ulpOfOne
          for column in range {
            #expect((given[column] - stored[column]).magnitude <= bound, "\(spec.name) \(row)")
          }
        }
      }
    }
  }

  @Test func int4SurvivesTheRoundTrip() throws {
    let model = TinyModels.seaGemma
    let source = RandomWeights(model: model)
    let bench = try Workbench()
    let report = try bench.build(source, PrecisionPolicy(all: .int4), threads: 3)
    let file = try ModelFile(path: bench.path("out.sea"))
    for entry in report.entries where entry.spec.storage == .int4 {
      var lost = 0.0
      var sum = 0.0
      for (row, stored) in try bench.stored(entry.spec, in: file).enumerated() {
        let given = source.values(entry.spec.name, row: row, columns: entry.spec.columns)
        for (one, other) in zip(given, stored) {
          lost += (Double(one) - Double(other)) * (Double(one) - Double(other))
          sum += Double(one) * Double(one)
        }
      }
      #expect(abs(entry.statistics.squaredError - lost) <= 1e-12 * lost)
      #expect((lost / sum).squareRoot() < 0.09, "\(entry.spec.name)")
      #expect(entry.statistics.cosine > 0.995)
    }
    #expect(report.worstFirst.first?.spec.storage == .int4)
  }

  @Test func plainStorageIsExact() throws {
    let source = RandomWeights(model: TinyModels.llava)
    for storage in [WeightStorage.float32, .bfloat16] {
      let bench = try Workbench()
      let policy = PrecisionPolicy(all: storage)
      let report = try bench.build(source, policy)
      let file = try ModelFile(path: bench.path("out.sea"))
      for entry in report.entries {
        let spec = entry.spec
        for (row, stored) in try bench.stored(spec, in: file).enumerated() {
          let given = source.values(spec.name, row: row, columns: spec.columns)
          let expected = spec.elementType == .float32 ? given : given.map(roundedToBFloat16)
          #expect(stored.map(\.bitPattern) == expected.map(\.bitPattern))
        }
        #expect((entry.statistics.squaredError == 0) == (spec.elementType == .float32))
      }
    }
  }

  @Test func bfloat16WeightsStayExactInBFloat16() throws {
    var source = RandomWeights(model: TinyModels.phi)
    source.change = { _, _, values in values = values.map(roundedToBFloat16) }
    let report = try Workbench().build(source, PrecisionPolicy(all: .bfloat16))
    #expect(report.worstFirst.isEmpty)
    #expect(report.entries.allSatisfy { $0.statistics.cosine == 1 })
  }

  @Test(arguments: [
    (rows: 33, columns: 72), (rows: 31, columns: 269), (rows: 1, columns: 1),
    (rows: 64, columns: 4304), (rows: 700, columns: 40),
  ])
  func oddShapesKeepTheirValues(rows: Int, columns: Int) throws {
    // An adapter alone gives one matrix of any shape.
    let model = ModelDescription(
      name: "adapter",
      adapter: AdapterDescription(widths: [columns, rows], activation: .geluErf)
    )
    let source = RandomWeights(model: model)
    for group in [32, 128, nil] as [Int?] {
      let bench = try Workbench()
      let report = try bench.build(source, PrecisionPolicy(all: .int8(group: group)), threads: 3)
      let spec = report.entries[0].spec
      let stored = try bench.stored(spec, in: ModelFile(path: bench.path("out.sea")))
      var error = 0.0
      var largest = 0.0
      for row in 0..<rows {
        let given = source.values(spec.name, row: row, columns: columns)
        for (one, other) in zip(given, stored[row]) {
          let lost = Double(one) - Double(other)
          error += lost * lost
          largest = max(largest, Double((one - other).magnitude))
        }
      }
      let statistics = report.entries[0].statistics
      #expect(abs(statistics.squaredError - error) <= 1e-12 * error)
      #expect(statistics.maximumError == largest)
      #expect(statistics.relativeError < (columns == 1 ? 1e-6 : 0.02))
    }
  }

  @Test func largeTensorsCrossChunks() throws {
    // 20,000 rows of 700 inputs are 14 MB of codes: two chunks, the last one ragged.
    let model = ModelDescription(
      name: "adapter",
      adapter: AdapterDescription(widths: [700, 20_001], activation: .geluErf)
    )
    let source = RandomWeights(model: model)
    let bench = try Workbench()
    let report = try bench.build(source, PrecisionPolicy(all: .int8(group: 128)))
    let file = try ModelFile(path: bench.path("out.sea"))
    try file.verify()
    let stored = try bench.stored(report.entries[0].spec, in: file)
    for row in [0, 9_343, 9_344, 11_839, 11_840, 20_000] {
      let given = source.values("adapter.0.weight", row: row, columns: 700)
      let worst = zip(given, stored[row]).map { ($0 - $1).magnitude }.max() ?? 1
      #expect(worst < 1.7 / 26 / 254 * 1.01, "row \(row)")
    }
  }

  @Test func bytesDependOnNothingButTheInputs() throws {
    let source = RandomWeights(model: TinyModels.seaGemma)
    let tokenizer = TokenizerTables { name in
      name == TokenizerTables.Name.settings ? ByteView(Array("{}".utf8)) : nil
    }
    var files: [[UInt8]] = []
    for threads in [1, 2, 3, 5] {
      let bench = try Workbench()
      try bench.build(source, .int8(group: 64), tokenizer: tokenizer, threads: threads)
      files.append(try bench.bytes("out.sea"))
    }
    for file in files.dropFirst() { #expect(file == files[0]) }
  }

  @Test func tokenizerTablesStandBetweenMatricesAndVectors() throws {
    let bench = try Workbench()
    let settings = Array("{\"count\":3}".utf8)
    let pool: [UInt8] = Array(0..<200)
    let tokenizer = TokenizerTables { name in
      switch name {
      case TokenizerTables.Name.settings: ByteView(settings)
      case TokenizerTables.Name.pool: ByteView(pool)
      default: nil
      }
    }
    try bench.build(
      RandomWeights(model: TinyModels.gemma),
      .int8(group: 32),
      tokenizer: tokenizer
    )
    let file = try ModelFile(path: bench.path("out.sea"))
    let names = file.tensorNames
    let plan = try TensorPlan(TinyModels.gemma, policy: .int8(group: 32))
    #expect(
      names == plan.matrices.map(\.name) + ["tokenizer.settings", "tokenizer.pool"]
        + plan.vectors.map(\.name)
    )
    #expect(try file.tensor("tokenizer.settings").bytes.array() == settings)
    #expect(try file.tensor("tokenizer.pool").bytes.array() == pool)
  }

  @Test func progressEndsAtTheTotal() throws {
    var steps: [BuildProgress] = []
    try Workbench().build(RandomWeights(model: TinyModels.llama), .int8(group: 32)) {
      steps.append($0)
    }
    let plan = try TensorPlan(TinyModels.llama, policy: .int8(group: 32))
    #expect(steps.allSatisfy { $0.total == plan.byteCount })
    #expect(steps.last?.done == plan.byteCount)
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.done < $1.done })
  }
}

// MARK: - Refusals

@Suite struct ModelFileBuilderRefusalTests {
  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func refusesValuesThatAreNotFinite(value: Float) throws {
    var source = RandomWeights(model: TinyModels.llama)
    source.change = { name, row, values in
      if name == "llm.blk.1.mlp.up.weight", row % 50 == 3 { values[7] = value }
    }
    let bench = try Workbench()
    let expected = QuantizerError.nonFinite(
      tensor: "llm.blk.1.mlp.up.weight",
      count: 4,
      values: 176 * 64
    )
    let refused = source
    #expect(throws: expected) { try bench.build(refused, .int8(group: 32)) }
    #expect(expected.description.contains("'llm.blk.1.mlp.up.weight': 4 of 11264 values"))
    #expect(try bench.files.isEmpty)
  }

  @Test func allowedNonFiniteValuesHaveDefinedForms() throws {
    var source = RandomWeights(model: TinyModels.llama)
    source.change = { name, row, values in
      guard row == 2 else { return }
      (values[1], values[2], values[3]) = (.nan, .infinity, -.infinity)
    }
    let name = "llm.blk.0.attn.q.weight"
    let given = source.values(name, row: 2, columns: 64)
    let kept = given.enumerated().filter { !(1...3).contains($0.offset) }.map(\.element)
    let largest = try #require(kept.map(\.magnitude).max())

    let bench = try Workbench()
    let report = try bench.build(source, .int8(group: 64), allowsNonFinite: true)
    let spec = try #require(report.entries.first { $0.spec.name == name }?.spec)
    let int8 = try bench.stored(spec, in: ModelFile(path: bench.path("out.sea")))[2]
    let scale = largest / 127
    #expect(int8[1] == 0)
    #expect(int8[2] == 127 * scale)
    #expect(int8[3] == -127 * scale)
    let statistics = try #require(report.entries.first { $0.spec.name == name }?.statistics)
    #expect(statistics.nonFinite == 3)
    #expect(statistics.relativeError < 0.02)

    try bench.build(source, PrecisionPolicy(all: .float32), to: "f32.sea", allowsNonFinite: true)
    let plain = try TensorPlan(TinyModels.llama, policy: PrecisionPolicy(all: .float32))
    let plainSpec = try #require(plain.all.first { $0.name == name })
    let f32 = try bench.stored(plainSpec, in: ModelFile(path: bench.path("f32.sea")))[2]
    #expect(f32[1].isNaN && f32[2] == .infinity && f32[3] == -.infinity)
  }

  @Test func zeroGroupsGetScaleZero() throws {
    var source = RandomWeights(model: TinyModels.llama)
    source.change = { _, row, values in
      if row == 5 { values = values.map { _ in 0 } }
      if row == 6 { for index in 0..<32 { values[index] = -0.0 } }
      // Weights so small that the scale itself rounds to 0.
      if row == 7 { values = values.map { _ in Float.leastNonzeroMagnitude } }
    }
    let bench = try Workbench()
    let report = try bench.build(source, PrecisionPolicy(all: .int8(group: 32)))
    let file = try ModelFile(path: bench.path("out.sea"))
    for entry in report.entries where !entry.spec.isVector {
      let rows = try bench.stored(entry.spec, in: file)
      #expect(rows[5].allSatisfy { $0 == 0 })
      #expect(rows[6][..<32].allSatisfy { $0 == 0 })
      #expect(rows[6][32...].contains { $0 != 0 })
      #expect(rows[7].allSatisfy { $0 == 0 })
      #expect(entry.statistics.relativeError < 0.02)
    }
  }

  @Test func interruptedWorkLeavesNothing() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.llama)
    for limit in [1, 5, 16] {
      var calls = 0
      func isCancelled() -> Bool {
        calls += 1
        return calls >= limit
      }
      #expect(throws: QuantizerError.cancelled) {
        try bench.build(source, .int8(group: 32), isCancelled: isCancelled)
      }
      #expect(try bench.files.isEmpty)
    }
  }

  @Test func interruptedWorkKeepsTheOldFile() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.llama)
    try bench.build(source, .int8(group: 32))
    let old = try bench.bytes("out.sea")
    #expect(throws: QuantizerError.cancelled) {
      try bench.build(source, .int8(group: 128), isCancelled: { true })
    }
    #expect(try bench.bytes("out.sea") == old)
    #expect(try bench.files == ["out.sea"])
  }

  @Test func aFailingSourceIsReportedByTheFirstFailure() throws {
    struct Failing: WeightSource {
      struct Broken: Error, Equatable { let name: String; let row: Int }
      let model = TinyModels.llama
      func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
        if name == "llm.blk.0.mlp.gate.weight", rows.lowerBound >= 64 {
          throw Broken(name: name, row: rows.lowerBound)
        }
      }
      func release(_ name: String) {}
    }
    let bench = try Workbench()
    #expect(throws: Failing.Broken(name: "llm.blk.0.mlp.gate.weight", row: 64)) {
      try bench.build(Failing(), .int8(group: 32), threads: 3)
    }
    #expect(try bench.files.isEmpty)
  }

  @Test func refusesAFolderAsOutput() throws {
    let bench = try Workbench()
    try FileManager.default.createDirectory(
      atPath: bench.path("folder"),
      withIntermediateDirectories: false
    )
    #expect(throws: FormatError.self) {
      try bench.build(RandomWeights(model: TinyModels.llama), .int8(group: 32), to: "folder")
    }
  }
}
