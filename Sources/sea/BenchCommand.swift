// SPDX-License-Identifier: Apache-2.0
// `sea bench`: how fast a model runs here, and how near that is to what the machine can do.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEARuntime
import SEATensor

struct BenchCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure a model's stages, memory, and this machine's limits.",
    discussion: """
      Stages: \(BenchStage.allCases.map(\.rawValue).joined(separator: ", ")). Medians of all rounds are \
      told with their ranges. 'sea preset' lists the presets; a model of one is made on first use and \
      kept in the cache folder.
      """
  )

  @Argument(help: ArgumentHelp("The model file.", valueName: "model"))
  var path: String?

  @Option(help: ArgumentHelp("Measure a preset's shapes instead.", valueName: "name"))
  var preset: String?

  @Option(
    help: ArgumentHelp("How a preset's weights are stored (default: int8).", valueName: "type"),
    transform: Checked.choice(["f32", "bf16", "int8", "int4"].map { ($0, $0) })
  )
  var weights: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stages to measure, between commas.", valueName: "stages"),
    transform: BenchCommand.stages
  )
  var only: Set<BenchStage>?

  @Option(
    name: .customLong("prompt-tokens"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "Prompt lengths, between commas (default: a picture and 32 tokens, or 64).",
      valueName: "n"
    ),
    transform: BenchCommand.counts(1...1_048_576)
  )
  var promptTokens: [Int] = []

  @Option(
    name: .customLong("decode"),
    parsing: .unconditional,
    help: ArgumentHelp("Tokens of an answer.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var decodeTokens = 64

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Positions before the answer, between commas.", valueName: "n"),
    transform: BenchCommand.counts(0...1_048_576)
  )
  var depth = [0]

  @Option(
    name: .customLong("repeat"),
    parsing: .unconditional,
    help: ArgumentHelp("Times that each stage is measured.", valueName: "n"),
    transform: Checked.integer(1...1000)
  )
  var repeats = 5

  @Option(
    help: ArgumentHelp(
      "Stored keys and values: f32, bf16, f16 or int8 (default: f32 for f32 weights, else f16).",
      valueName: "type"
    ),
    transform: Checked.choice(CacheType.allCases.map { ($0.rawValue, $0) })
  )
  var kv: CacheType?

  @Option(
    name: .customLong("weights-in"),
    help: ArgumentHelp("Where weights are used from: mapped or copied.", valueName: "place"),
    transform: Checked.choice(WeightPlacement.allCases.map { ($0.rawValue, $0) })
  )
  var placement = WeightPlacement.mapped

  @Flag(help: "Measure this machine's limits between the stages and tell each stage's share.")
  var limits = false

  @Flag(help: "Tell where the threads' time of each stage goes.")
  var profile = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Compare with the --json of an older run.", valueName: "file"),
    transform: Checked.text
  )
  var compare: String?

  @Flag(help: "Print a Markdown table.")
  var markdown = false

  @Flag(help: "Print comma-separated values.")
  var csv = false

  @OptionGroup(title: "Machine") var compute: ComputeOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  /// The largest older result that is read.
  private static let maxResultBytes = 64 << 20

  func validate() throws {
    guard (path != nil) != (preset != nil) else {
      throw ValidationError("give either a model file or --preset")
    }
    guard weights == nil || preset != nil else {
      throw ValidationError("--weights needs --preset: a model file has its own")
    }
    guard [markdown, csv, output.json].count(where: { $0 }) <= 1 else {
      throw ValidationError("give one of --json, --markdown and --csv")
    }
  }

  func run(_ console: Console) throws {
    let kernels = try compute.kernels()
    let older = try compare.map(Self.result)
    let model =
      try path
      ?? PresetModel.path(
        of: preset ?? "",
        weights: weights ?? "int8",
        isQuiet: output.quiet,
        console
      )
    let bench = try Bench(
      path: model,
      options: options,
      on: Execution(kernels: kernels, threads: compute.threadCount)
    )
    let start = System.seconds
    let report: BenchReport
    do {
      report = try bench.run(
        progress: { stage, done, total in
          console.terminal.progress(
            stage,
            done: done,
            total: total,
            unit: { "\($0) stages" },
            since: start
          )
        },
        isCancelled: { Interruption.status != nil }
      )
    } catch BenchError.cancelled {
      try Interruption.check()
      throw BenchError.cancelled
    }
    console.terminal.clearProgress()
    try write(report, older: older, console)
  }

  private func write(_ report: BenchReport, older: JSONValue?, _ console: Console) throws {
    let comparisons = try older.map { json throws(CommandError) in
      do throws(BenchError) {
        return try BenchComparison.compare(report, with: json)
      } catch {
        throw CommandError(.badData, "\((compare ?? "").printable(limit: 4096)): \(error)")
      }
    }
    guard !console.isJSON else {
      var fields = report.fields
      if let comparisons { fields.append(("comparison", .array(comparisons.map(\.json)))) }
      return try console.output.object(schema: BenchReport.schema, fields)
    }
    let table = BenchTable(report, comparisons: comparisons ?? [])
    let lines = csv ? table.csv : markdown ? table.markdown : table.text
    for line in lines { try console.output.line(line) }
  }

  private var options: BenchOptions {
    var options = BenchOptions()
    if let only { options.stages = only }
    options.promptTokens = promptTokens
    options.decodeTokens = decodeTokens
    options.depths = depth
    options.repeats = repeats
    options.measuresLimits = limits
    options.profiles = profile
    options.cacheType = kv
    options.placement = placement
    return options
  }

  private static func result(_ path: String) throws -> JSONValue {
    let file = try MappedFile(path: path)
    guard file.count <= maxResultBytes else {
      throw CommandError(
        .badData,
        "\(path.printable(limit: 4096)): \(file.count) bytes: no result of sea bench is so long"
      )
    }
    do {
      return try JSONScanner.parse(file.bytes.array())
    } catch {
      throw CommandError(.badData, "\(path.printable(limit: 4096)): \(error)")
    }
  }

  // MARK: - Values

  private static let stages: @Sendable (String) throws -> Set<BenchStage> = { text in
    let names = BenchStage.allCases.map(\.rawValue).joined(separator: ", ")
    let stages = text.split(separator: ",", omittingEmptySubsequences: false).map {
      BenchStage(rawValue: String($0))
    }
    guard !stages.contains(where: { $0 == nil }) else {
      throw ValidationError("expected some of \(names)")
    }
    return Set(stages.compactMap(\.self))
  }

  private static func counts(
    _ range: ClosedRange<Int>
  ) -> @Sendable (String) throws -> [Int] {
    { text in
      let counts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      let known = counts.compactMap(\.self).filter(range.contains)
      guard known.count == counts.count, Set(known).count == known.count else {
        throw ValidationError(
          "expected different whole numbers from \(range.lowerBound) to \(range.upperBound)"
        )
      }
      return known
    }
  }
}
