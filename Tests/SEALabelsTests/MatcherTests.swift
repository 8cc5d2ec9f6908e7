// SPDX-License-Identifier: Apache-2.0
// Matching is what scoring every word in f32 and sorting gives.

import SEALabels
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct MatcherTests {
  /// Every word scored in f32, the positive ones sorted: higher scores first, then lower indices.
  private static func everyWord(
    _ patches: MatrixView<Float>,
    _ words: MatrixView<Float>,
    topN: Int,
    sign: ScoreSign
  ) throws -> [[PatchLabel]] {
    let pool = WorkerPool(threads: 1)
    let matrix = try WordMatrix(words, pool: pool)
    let kernels = try Kernels(.scalar)
    return try (0..<patches.rows).map { patch in
      let scores = try MatrixView<Float>(rows: 1, columns: words.rows)
      kernels.multiply(
        patches.rows(patch..<patch + 1),
        matrix.exact,
        rows: 0..<words.rows,
        bias: nil,
        into: scores
      )
      var all: [PatchLabel] = []
      for (word, cosine) in scores.array().enumerated() where sign.factor * cosine > 0 {
        all.append(PatchLabel(word: word, score: sign.factor * cosine))
      }
      all.sort { $0.score == $1.score ? $0.word < $1.word : $0.score > $1.score }
      return Array(all.prefix(topN))
    }
  }

  @Test(arguments: [
    (1, 1, 8, 1), (13, 31, 40, 10), (24, 129, 33, 3), (50, 1000, 64, 10), (30, 5, 16, 10),
    (7, 700, 96, 255),
  ])
  func matchesAreThoseOfScoringEveryWord(
    patches: Int,
    words: Int,
    width: Int,
    topN: Int
  ) throws {
    for (common, repeats) in [(Float(0), false), (0, true), (2, true)] {
      let rows = try directions(patches, width, seed: 3, common: common, repeats: repeats)
      let list = try directions(words, width, seed: 4, common: common, repeats: repeats)
      for sign in ScoreSign.allCases {
        let wanted = try Self.everyWord(rows, list, topN: topN, sign: sign)
        for isa in InstructionSet.available {
          for threads in [1, 2, 5] {
            let execution = try execution(threads, isa)
            let matcher = Matcher(
              try WordMatrix(list, pool: execution.pool),
              topN: topN,
              on: execution
            )
            #expect(try matcher.match(rows, sign: sign).labels == wanted)
          }
        }
      }
    }
  }

  @Test func onlyPositiveScoresAreKept() throws {
    let patch = try MatrixView<Float>([1, 0, 0, 0], columns: 4)
    let words = try MatrixView<Float>([0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0], columns: 4)
    let execution = try execution(1)
    let matcher = Matcher(try WordMatrix(words, pool: execution.pool), topN: 3, on: execution)
    #expect(try matcher.match(patch, sign: .positive).labels == [[]])
    #expect(
      try matcher.match(patch, sign: .negative).labels == [[PatchLabel(word: 1, score: 1)]]
    )
  }

  @Test func equalScoresKeepTheLowerIndices() throws {
    let patch = try directions(1, 48, seed: 9)
    let one = patch.array()
    let words = try MatrixView<Float>((0..<300).flatMap { _ in one }, columns: 48)
    let execution = try execution(2)
    let matcher = Matcher(try WordMatrix(words, pool: execution.pool), topN: 4, on: execution)
    #expect(try matcher.match(patch, sign: .positive).labels[0].map(\.word) == [0, 1, 2, 3])
  }

  @Test func moreCandidatesThanThereIsRoomForLoseNone() throws {
    // All words are nearly one direction: int8 cannot tell them apart.
    let axis = try directions(1, 24, seed: 13).array()
    var random = SeededRandom(seed: 14)
    let rows = try MatrixView<Float>(
      (0..<9000).flatMap { _ in axis.map { $0 + Float.random(in: -2e-4...2e-4, using: &random) } },
      columns: 24
    )
    let patches = try MatrixView<Float>(axis + axis.map { -$0 }, columns: 24)
    let wanted = try Self.everyWord(patches, rows, topN: 7, sign: .positive)
    let execution = try execution(2)
    let matcher = Matcher(try WordMatrix(rows, pool: execution.pool), topN: 7, on: execution)
    #expect(try matcher.match(patches, sign: .positive).labels == wanted)
  }

  @Test func extremesRankTheBestPatchOfAWord() throws {
    let rows = try directions(20, 32, seed: 11)
    let list = try directions(200, 32, seed: 12)
    let execution = try execution(2)
    let matrix = try WordMatrix(list, pool: execution.pool)
    let extremes = try WordExtremes(rows, matrix, on: execution)
    let scores = try MatrixView<Float>(rows: 20, columns: 200)
    execution.kernels.multiply(rows, matrix.exact, rows: 0..<200, bias: nil, into: scores)
    for word in 0..<200 {
      let column = (0..<20).map { scores[$0, word] }
      #expect(abs(extremes.highest[word] - (column.max() ?? 0)) < 0.02)
      #expect(abs(extremes.lowest[word] - (column.min() ?? 0)) < 0.02)
    }
    let best = try #require(
      extremes.highest.indices.max { extremes.highest[$0] < extremes.highest[$1] }
    )
    #expect(extremes.rank(best, sign: .positive) == 1)
    let lowest = try #require(
      extremes.lowest.indices.min { extremes.lowest[$0] < extremes.lowest[$1] }
    )
    #expect(extremes.rank(lowest, sign: .negative) == 1)
  }
}
