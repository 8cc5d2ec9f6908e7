// SPDX-License-Identifier: Apache-2.0
// `sea label bench`: how long matching takes on random directions of a given shape.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEALabels
import SEARuntime
import SEATensor

struct LabelBenchCommand: LabelSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time the matching of patches with words on random directions.",
    shouldDisplay: false
  )

  @Option(transform: Checked.integer(1...65_536)) var patches = 576
  @Option(transform: Checked.integer(1...65_536)) var width = 768
  @Option(transform: Checked.integer(1...WordList.limit)) var words = 41_242
  @Option(name: .customLong("top-n"), transform: Checked.integer(1...255)) var topN = 10
  @Option(transform: Checked.integer(1...1000)) var `repeat` = 5
  /// How much of a direction all words and patches share: 0 none, 1 all but nothing else.
  @Option(transform: Checked.number(0...0.99, expected: "a share below 1")) var common = 0.5

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
    func median(_ times: [Double]) -> Double {
      // The first pass warms caches and pages.
      let sorted = times.dropFirst().sorted()
      return sorted[sorted.count / 2]
    }
    let (best, plain) = (median(matching), median(product))
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
