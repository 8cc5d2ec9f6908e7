// SPDX-License-Identifier: Apache-2.0
// Benchmarks: the work of a stage by its shapes, series, comparisons, and a whole run.

import SEAFormat
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct BenchTests {
  // MARK: - Work

  private static func preset(_ name: String) throws -> ModelDescription {
    try Preset(named: name, in: "\(Fixtures.repository)/Models/presets").model
  }

  /// Operations of one picture; reference.md A.1.
  @Test(arguments: [
    ("siglip-so400m-384", 642e9), ("clip-l-336", 366e9), ("clip-l-336-s2", 5.12e12),
  ])
  func aPictureTakesThePublishedOperations(name: String, expected: Double) throws {
    let work = try #require(try Self.preset(name).encodeWork(.int8(group: 128)))
    #expect(work.limit == "int8")
    #expect(abs(work.amount / expected - 1) < 0.005, "\(work.amount)")
  }

  /// Operations of a prompt's token and of the head; reference.md A.2.
  @Test(arguments: [
    ("gemma-2b", 3.96e9, 1.05e9), ("phi-3-mini", 7.25e9, 0.20e9), ("vicuna-7b", 12.95e9, 0.26e9),
    ("llama-3-8b", 13.96e9, 1.05e9),
  ])
  func aPromptTakesThePublishedOperations(name: String, linear: Double, head: Double) throws {
    let model = try Self.preset(name)
    let one = try #require(model.prefillWork(tokens: 1, .int8(group: 128))).amount
    let two = try #require(model.prefillWork(tokens: 2, .int8(group: 128))).amount
    #expect(abs((two - one) / linear - 1) < 0.005)
    #expect(abs((2 * one - two) / head - 1) < 0.03)
    let long = try #require(model.prefillWork(tokens: 1000, PrecisionPolicy(all: .bfloat16)))
    #expect(long.limit == "bf16" && long.amount > 1000 * linear + head)
  }

  @Test func aTokenReadsTheWeightsAndWhatIsStored() throws {
    let model = try Self.preset("gemma-2b")
    let plan = try TensorPlan(model, policy: .int8(group: 128))
    func bytes(_ depth: Int) throws -> Double {
      try #require(model.decodeWork(depth: depth, tokens: 2, cache: .float16, plan)).amount
    }
    #expect(try abs(bytes(0) / Double(plan.byteCount) - 1) < 0.001)
    // 18,432 bytes a position; reference.md A.2.
    #expect(try abs((bytes(1600) - bytes(0)) / (1600 * 18_432) - 1) < 0.02)
  }

  // MARK: - Series and comparisons

  @Test func aSeriesKnowsItsMiddleAndItsEnds() throws {
    let series = BenchSeries([5, 1, 4])
    #expect(series.median == 4 && series.minimum == 1 && series.maximum == 5)
    #expect(BenchSeries([1, 2, 4, 9]).median == 3)
    #expect(BenchSeries().isEmpty && BenchSeries().median == 0)
    #expect(BenchSeries(json: series.json) == series)
    #expect(BenchSeries(json: nil) == nil)
    #expect(BenchSeries(json: ["values": ["a"]]) == nil)
  }

  @Test(arguments: [
    ([1.0, 1.1], [2.0, 2.2], BenchComparison.Verdict.faster), ([3, 4], [1, 2], .slower),
    ([1, 3], [2, 4], .same), ([1, 2], [2, 3], .same),
  ])
  func onlyRangesThatDoNotMeetDiffer(
    now: [Double],
    older: [Double],
    verdict: BenchComparison.Verdict
  ) {
    #expect(BenchComparison(stage: .encode, now: now, older: older).verdict == verdict)
  }

  // MARK: - Runs

  private static func run(
    _ options: BenchOptions,
    threads: Int = 2,
    cancel: Bool = false
  ) throws -> BenchReport {
    let execution = Execution(kernels: try Kernels(InstructionSet.best), threads: threads)
    let path = "\(Fixtures.repository)/Models/demo.sea"
    return try Bench(path: path, options: options, on: execution).run(isCancelled: { cancel })
  }

  @Test func everyStageIsMeasuredAsOftenAsAsked() throws {
    var options = BenchOptions()
    options.repeats = 2
    options.decodeTokens = 3
    options.depths = [0, 5]
    options.promptTokens = [4, 20]
    options.profiles = true
    let report = try Self.run(options)
    #expect(
      report.measures.map(\.name) == [
        "load", "image", "encode", "adapter", "prefill 4", "prefill 20", "decode 3 at 0",
        "decode 3 at 5", "first-token \(report.measures.last?.tokens ?? 0)",
      ]
    )
    for measure in report.measures {
      #expect(measure.seconds.values.count == 2)
      #expect(measure.seconds.minimum > 0)
      let shares = try #require(measure.profile).parts.map(\.share)
      #expect(abs(shares.reduce(0, +) - 1) < 0.02, "\(measure.name): \(shares)")
    }
    let memory = try #require(report.memory)
    #expect(memory.anonymous > 0 && memory.file > 0)
    #expect(report.firstTokenRatio == nil)
  }

  @Test func aTokenOfAnAnswerAllocatesNothing() throws {
    var options = BenchOptions()
    options.stages = [.decode]
    options.repeats = 3
    let report = try Self.run(options)
    // Other tests of this process allocate at the same time: what counts is the least.
    let heap = try #require(report.measures.first).heap
    #expect(heap.minimum == 0, "\(heap)")
  }

  @Test func aStageThatTheModelLacksIsNotMeasured() throws {
    let bench = BenchOptions()
    #expect(bench.stages == Set(BenchStage.allCases))
    var options = BenchOptions()
    options.stages = []
    #expect(throws: BenchError.self) { try Self.run(options) }
    options.stages = [.adapter]
    options.repeats = 1
    #expect(try Self.run(options).measures.map(\.stage) == [.adapter])
    #expect(throws: BenchError.cancelled) { try Self.run(options, cancel: true) }
  }

  @Test func aContextThatIsTooLongIsRefused() throws {
    var options = BenchOptions()
    options.depths = [1 << 20]
    #expect(throws: RuntimeError.self) { try Self.run(options) }
  }
}
