// SPDX-License-Identifier: Apache-2.0
// `sea label bench`: how long matching takes on random directions of a given shape.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEALabels
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor

struct LabelBenchCommand: LabelSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time the matching of patches with words on random directions, or whole pictures.",
    shouldDisplay: false
  )

  @Option(transform: Checked.integer(1...65_536)) var patches = 576
  @Option(transform: Checked.integer(1...65_536)) var width = 768
  @Option(transform: Checked.integer(1...WordList.limit)) var words = 41_242
  @Option(name: .customLong("top-n"), transform: Checked.integer(1...255)) var topN = 10
  @Option(transform: Checked.integer(1...1000)) var `repeat` = 5
  /// How much of a direction all words and patches share: 0 none, 1 all but nothing else.
  @Option(transform: Checked.number(0...0.99, expected: "a share below 1")) var common = 0.5

  /// An encoder of this preset, with random weights, looks at whole pictures.
  @Option(transform: Checked.text) var preset: String?
  @Option(transform: Checked.choice(LabelWeights.allCases.map { ($0.rawValue, $0) }))
  var weights = LabelWeights.bfloat16

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let execution = Execution(kernels: try compute.kernels(), threads: compute.threadCount)
    var random = Noise(state: 7)
    let axis = (0..<width).map { _ in random.normal() }
    func directions(_ count: Int) throws -> MatrixView<Float> {
      let rows = try MatrixView<Float>(rows: count, columns: width)
      for row in 0..<count {
        var values = axis.map { common * $0 + (1 - common * common).squareRoot() * random.normal() }
        let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for index in values.indices { values[index] /= length }
        rows.rows(row..<row + 1).copy(from: values.map { Float($0) })
      }
      return rows
    }
    if let preset {
      try measurePictures(preset, on: execution, console, directions)
      return
    }
    let matrix = try WordMatrix(directions(words), pool: execution.pool)
    let rows = try directions(patches)
    let matcher = Matcher(matrix, topN: topN, on: execution)
    var (matching, product): ([Double], [Double]) = ([], [])
    var kept = 0
    for _ in 0...`repeat` {
      var start = System.seconds
      let found = try matcher.match(rows, sign: .positive)
      matching.append(System.seconds - start)
      kept = (0..<patches).reduce(0) { $0 + found.count($1) }
      start = System.seconds
      try matcher.multiplyOnly(rows)
      product.append(System.seconds - start)
    }
    let operations = 2 * Double(patches) * Double(words) * Double(width)
    let (best, plain) = (Self.median(matching), Self.median(product))
    try console.output.object(
      schema: "sea.label.bench/1",
      [
        ("patches", .number(JSONNumber(patches))), ("width", .number(JSONNumber(width))),
        ("words", .number(JSONNumber(words))), ("top_n", .number(JSONNumber(topN))),
        ("threads", .number(JSONNumber(execution.pool.threads))),
        ("labels", .number(JSONNumber(kept))),
        ("match_ms", .number(JSONNumber(best * 1000))),
        ("match_gops", .number(JSONNumber(operations / best / 1e9))),
        ("product_ms", .number(JSONNumber(plain * 1000))),
        ("product_gops", .number(JSONNumber(operations / plain / 1e9))),
      ]
    )
  }

  /// The first pass warms caches and pages.
  private static func median(_ times: [Double]) -> Double {
    let sorted = times.dropFirst().sorted()
    return sorted[sorted.count / 2]
  }

  /// Times what a label run does with a picture: decode a JPEG of 1920 × 1080, prepare, encode, match.
  private func measurePictures(
    _ name: String,
    on execution: Execution,
    _ console: Console,
    _ directions: (Int) throws -> MatrixView<Float>
  ) throws {
    let preset = try Preset(named: name, in: PresetCommand.folder())
    guard let encoder = preset.model.encoder, encoder.jointWidth == width else {
      throw CommandError(.usage, "preset '\(name)' has no encoder with a joint space of \(width)")
    }
    let folder = TemporaryModel()
    let policy: PrecisionPolicy
    switch weights {
    case .float32: policy = PrecisionPolicy(all: .float32)
    case .bfloat16: policy = PrecisionPolicy(all: .bfloat16)
    case .int8: policy = .int8(group: 128)
    }
    try PresetWriter(preset, policy: policy, seed: 0, pool: execution.pool).write(to: folder.path)
    let patches = try PatchEncoder(Model(path: folder.path), on: execution)
    let matrix = try WordMatrix(directions(words), pool: execution.pool)
    let matcher = Matcher(matrix, topN: topN, on: execution)
    guard let jpeg = BenchPicture.jpeg() else {
      throw CommandError(.internalBug, "the picture cannot be encoded")
    }
    let picture = ByteView(jpeg)
    var (seeing, matching): ([Double], [Double]) = ([], [])
    for _ in 0...`repeat` {
      let start = System.seconds
      let rows = try patches.directions(of: picture, name: "a drawn picture")
      let seen = System.seconds
      _ = try matcher.match(rows, sign: .negative).labels
      seeing.append(seen - start)
      matching.append(System.seconds - seen)
      try Interruption.check()
    }
    let (seen, matched) = (Self.median(seeing), Self.median(matching))
    try console.output.object(
      schema: "sea.label.bench.pictures/1",
      [
        ("preset", .string(name)), ("weights", .string(weights.rawValue)),
        ("words", .number(JSONNumber(words))),
        ("threads", .number(JSONNumber(execution.pool.threads))),
        ("encode_ms", .number(JSONNumber(seen * 1000))),
        ("match_ms", .number(JSONNumber(matched * 1000))),
        ("images_per_second", .number(JSONNumber(1 / (seen + matched)))),
      ]
    )
  }
}

/// A model file that goes with its owner.
private final class TemporaryModel {
  let path: String

  init() {
    let folder = System.environment("TMPDIR").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    var random = SystemRandomNumberGenerator()
    path = "\(folder)/sea-label-bench-\(String(random.next() as UInt64, radix: 16)).sea"
  }

  deinit { try? System.remove(path) }
}

/// SplitMix64 with normal values, for timing.
private struct Noise: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// The sum of twelve uniform values has variance 1.
  mutating func normal() -> Double {
    (0..<12).reduce(-6.0) { sum, _ in sum + Double(next() >> 11) * 0x1p-53 }
  }
}
