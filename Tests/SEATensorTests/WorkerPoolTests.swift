// SPDX-License-Identifier: Apache-2.0
// The worker pool: every piece once, from any number of threads, and a clean end.

import SEATensor
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
  /// Counts how often each piece ran, and which workers took part.
  struct CountingWork: ParallelWork {
    let counts: MatrixView<Int>
    let workers: MatrixView<Int>
    let spin: Int

    func run(piece: Int, worker: Int) {
      var value = piece
      for _ in 0..<spin { value = (value &* 31) ^ value }
      counts[piece, 0] += value == Int.min ? 2 : 1
      workers[worker, 0] += 1
    }
  }

  static func check(_ pool: WorkerPool, pieces: Int, spin: Int = 0) throws {
    let work = CountingWork(
      counts: try MatrixView(rows: max(pieces, 1), columns: 1),
      workers: try MatrixView(rows: pool.threads, columns: 1),
      spin: spin
    )
    pool.run(work, pieces: pieces)
    #expect(work.counts.array().prefix(pieces).allSatisfy { $0 == 1 })
    #expect(work.workers.array().reduce(0, +) == pieces)
  }

  @Test(arguments: [1, 2, 3, 8, 33])
  func everyPieceRunsOnce(threads: Int) throws {
    let pool = WorkerPool(threads: threads)
    #expect(pool.threads == threads)
    for pieces in [0, 1, 2, 3, 7, 64, 1000] { try Self.check(pool, pieces: pieces) }
  }

  @Test func zeroThreadsMeansTheCallerAlone() throws {
    let pool = WorkerPool(threads: 0)
    #expect(pool.threads == 1)
    try Self.check(pool, pieces: 10)
  }

  @Test func manyShortStepsDoNotHang() throws {
    let pool = WorkerPool(threads: 4)
    for step in 0..<20_000 { try Self.check(pool, pieces: step % 5) }
  }

  @Test func stepsAfterAPauseWakeTheWorkers() async throws {
    let pool = WorkerPool(threads: 3)
    for _ in 0..<20 {
      try Self.check(pool, pieces: 50, spin: 1000)
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test func poolsEndWhetherUsedOrNot() throws {
    for threads in 1...6 {
      _ = WorkerPool(threads: threads)
      let pool = WorkerPool(threads: threads)
      try Self.check(pool, pieces: 12)
    }
  }

  @Test func poolsOfDifferentThreadsRunSideBySide() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<4 {
        group.addTask {
          let pool = WorkerPool(threads: index + 1)
          for _ in 0..<200 { try Self.check(pool, pieces: 40, spin: 50) }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func theMachineHasAProcessor() {
    #expect(ProcessorCount.available >= 1)
    #expect(SystemMemory.physical > 0)
  }
}
