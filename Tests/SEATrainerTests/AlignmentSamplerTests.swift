// SPDX-License-Identifier: Apache-2.0
// What the sampler draws, and how often.

import SEATrainer
import Testing

@Suite struct AlignmentSamplerTests {
  private func grid(
    _ height: Int,
    _ width: Int,
    _ cell: (Int) -> [LabelCandidate]
  ) -> PatchCandidates {
    PatchCandidates(height: height, width: width, cells: (0..<height * width).map(cell))
  }

  private func sampler(_ change: (inout SamplingRules) -> Void = { _ in }) -> AlignmentSampler {
    var rules = SamplingRules()
    change(&rules)
    return AlignmentSampler(rules, seed: 11)
  }

  @Test func drawsOnePatchOfEachWindow() {
    let sampler = sampler()
    let grid = grid(4, 6) { [LabelCandidate(word: $0, score: 0.5)] }
    for step in 0..<20 {
      let pairs = sampler.draw(grid, row: 0, step: step)
      #expect(pairs.count == 6)
      let windows = pairs.map { $0.patch / 6 / 2 * 3 + $0.patch % 6 / 2 }
      #expect(windows == Array(0..<6))
      #expect(pairs.allSatisfy { $0.word == $0.patch })
    }
  }

  @Test(arguments: [(WindowEdge.ragged, 196), (.drop, 169)])
  func meetsTheEdge(edge: WindowEdge, count: Int) {
    #expect(sampler { $0.windowEdge = edge }.windows(height: 27, width: 27).count == count)
  }

  @Test func drawsPatchesEvenlyAndWordsByScore() {
    let sampler = sampler()
    let grid = grid(2, 2) { _ in
      [LabelCandidate(word: 0, score: 0.3), LabelCandidate(word: 1, score: 0.1)]
    }
    var patches = [Int](repeating: 0, count: 4)
    var words = [0, 0]
    let draws = 8000
    for step in 0..<draws {
      for pair in sampler.draw(grid, row: step % 7, step: step) {
        patches[pair.patch] += 1
        words[pair.word] += 1
      }
    }
    // Six standard deviations of binomial counts with p = 1/4 and 3/4.
    let room = Int(6 * (Double(draws) * 0.1875).squareRoot())
    #expect(patches.allSatisfy { abs($0 - draws / 4) < room })
    #expect(abs(words[0] - draws * 3 / 4) < room)
  }

  @Test func otherDrawsFollowTheirRules() {
    let grid = grid(2, 2) { patch in
      patch == 0
        ? [LabelCandidate(word: 0, score: 0.6)]
        : [LabelCandidate(word: 1, score: 0.2), LabelCandidate(word: 2, score: 0.1)]
    }
    let byScore = sampler { $0.windowDraw = .score }
    let best = sampler { $0.labelDraw = .argmax }
    let even = sampler { $0.labelDraw = .uniform }
    var firsts = 0
    var evens = [0, 0, 0]
    for step in 0..<6000 {
      if byScore.draw(grid, row: 0, step: step)[0].patch == 0 { firsts += 1 }
      #expect(best.draw(grid, row: 0, step: step)[0].word != 2)
      evens[even.draw(grid, row: 0, step: step)[0].word] += 1
    }
    #expect(abs(firsts - 3000) < 6 * 39)
    #expect(abs(evens[1] - evens[2]) < 6 * 67)
  }

  @Test func passesOverEmptyWindowsOrAsksTheWholePicture() {
    let grid = grid(2, 4) { $0 == 3 ? [LabelCandidate(word: 9, score: 1)] : [] }
    #expect(sampler().draw(grid, row: 2, step: 0) == [AlignmentPair(row: 2, patch: 3, word: 9)])
    let pairs = sampler { $0.empty = .global }.draw(grid, row: 2, step: 0)
    #expect(pairs.map(\.patch) == [3, 3])
    let empty = self.grid(2, 2) { _ in [] }
    #expect(sampler { $0.empty = .global }.draw(empty, row: 0, step: 0).isEmpty)
  }

  @Test func keepsEachPatchOfAWordEquallyOften() {
    let sampler = sampler()
    let pairs = (0..<6).map { AlignmentPair(row: 0, patch: $0, word: $0 < 4 ? 7 : $0) }
    var kept = [Int](repeating: 0, count: 6)
    for step in 0..<4000 {
      let result = sampler.deduplicate(pairs, step: step, part: 0)
      #expect(Set(result.map(\.word)).count == 3 && result.count == 3)
      #expect(result.map(\.patch) == result.map(\.patch).sorted())
      for pair in result { kept[pair.patch] += 1 }
    }
    #expect(kept[4] == 4000 && kept[5] == 4000)
    #expect(kept[..<4].allSatisfy { abs($0 - 1000) < 6 * 28 })
    #expect(self.sampler { $0.dedupe = .off }.deduplicate(pairs, step: 0, part: 0) == pairs)
  }

  @Test func drawsTheSameAgain() {
    let grid = grid(6, 6) { patch in
      (0..<5).map { LabelCandidate(word: patch * 5 + $0, score: 0.1 * Float($0 + 1)) }
    }
    let first = sampler().draw(grid, row: 3, step: 17)
    #expect(sampler().draw(grid, row: 3, step: 17) == first)
    #expect(sampler().draw(grid, row: 3, step: 18) != first)
    #expect(sampler().draw(grid, row: 4, step: 17).map(\.patch) != first.map(\.patch))
  }

  @Test func mapsGridsByTheNearestCell() {
    let grid = grid(2, 2) { [LabelCandidate(word: $0, score: 1)] }
    let larger = grid.resampled(height: 4, width: 4)
    #expect(larger.cells.map { $0[0].word } == [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3])
    #expect(larger.resampled(height: 2, width: 2) == grid)
  }

  @Test(arguments: [(TemperatureParameter.logScale, Float(2.6592600)), (.tau, 0.07)])
  func trainsTheTemperature(parameter: TemperatureParameter, start: Float) throws {
    let temperature = try Temperature(parameter, start: .clip)
    #expect(abs(temperature.tensor.values[0, 0] - start) < 1e-6)
    #expect(abs(temperature.tau - 0.07) < 1e-7)
    temperature.add(slope: 2)
    let expected: Float = parameter == .tau ? 2 : -0.14
    #expect(abs((temperature.tensor.gradient?[0, 0] ?? 0) - expected) < 1e-6)
    temperature.tensor.values[0, 0] = parameter == .tau ? -1 : 50
    temperature.clamp()
    #expect(abs(temperature.tau - 0.01) < 1e-7)
  }
}
