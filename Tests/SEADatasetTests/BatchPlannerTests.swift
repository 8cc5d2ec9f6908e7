// SPDX-License-Identifier: Apache-2.0
// Orders of an epoch: every sample once, the same for the same seed, kinds and lengths together.

import SEADataset
import Testing

@Suite struct BatchPlannerTests {
  private func planner(_ count: Int, _ grouping: BatchGrouping, seed: UInt64 = 7) -> BatchPlanner {
    BatchPlanner(
      lengths: (0..<count).map { UInt32($0 * 37 % 101) },
      hasImage: (0..<count).map { $0 % 3 != 0 },
      batch: 8,
      grouping: grouping,
      seed: seed
    )
  }

  @Test(arguments: BatchGrouping.allCases)
  func seesEverySampleOnce(grouping: BatchGrouping) {
    let planner = planner(203, grouping)
    for epoch in 0..<3 { #expect(planner.order(epoch: epoch).sorted() == Array(0..<203)) }
    #expect(planner.stepsPerEpoch == 26)
  }

  @Test(arguments: BatchGrouping.allCases)
  func dependsOnSeedAndEpochAlone(grouping: BatchGrouping) {
    let planner = planner(100, grouping)
    #expect(planner.order(epoch: 1) == planner.order(epoch: 1))
    #expect(planner.order(epoch: 0) != planner.order(epoch: 1))
    #expect(planner.order(epoch: 0) != self.planner(100, grouping, seed: 8).order(epoch: 0))
  }

  @Test func keepsKindsTogetherAndTheLongestFirst() {
    let planner = planner(203, .modality)
    let order = planner.order(epoch: 0)
    // The tails of both kinds form the last batch; all others have one kind.
    for start in stride(from: 0, to: 200 - 8, by: 8) {
      let batch = order[start..<start + 8]
      #expect(Set(batch.map { $0 % 3 != 0 }).count == 1)
      let lengths = batch.map { $0 * 37 % 101 }
      #expect(lengths == lengths.sorted(by: >))
    }
  }

  @Test func numbersAreUniform() {
    var random = CounterRandom(seed: 1, .order, 2, 3)
    var counts = [Int](repeating: 0, count: 10)
    for _ in 0..<20_000 { counts[random.below(10)] += 1 }
    // Six standard deviations of a binomial count.
    #expect(counts.allSatisfy { abs($0 - 2000) < 6 * 43 })
    var mean = 0.0
    for _ in 0..<20_000 { mean += random.unit() / 20_000 }
    #expect(abs(mean - 0.5) < 6 * 0.29 / 141)
  }

  @Test func keysNameDifferentStreams() {
    var firsts: Set<UInt64> = []
    for step in 0..<50 {
      for row in 0..<50 {
        var random = CounterRandom(seed: 0, .windows, step, row)
        firsts.insert(random.next())
      }
    }
    #expect(firsts.count == 2500)
  }
}
