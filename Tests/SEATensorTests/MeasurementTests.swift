// SPDX-License-Identifier: Apache-2.0
// What benchmarks are made of: limits, profiles of a pool, memory of the process.

import SEATensor
import Testing

@Suite struct MeasurementTests {
  @Test func limitsAreAboveNothing() throws {
    let pool = WorkerPool(threads: 2)
    let loops = LimitLoops(.best, on: pool)
    for unit in ArithmeticUnit.allCases {
      #expect((loops.rate(of: unit) ?? 0 > 0) == loops.isAvailable(unit))
    }
    let none = LimitLoops(.scalar, on: pool)
    #expect(none.rate(of: .int8) == nil)
    for isHuge in [false, true] {
      let pages = try AnonymousPages(byteCount: 64 << 20, isHuge: isHuge)
      #expect(pages.bytes.count == 64 << 20)
      #expect(pages.bytes[0] == 0x5a && pages.bytes[(64 << 20) - 1] == 0x5a)
      #expect(try #require(loops.readRate(of: pages.bytes)) > 0)
      #expect(none.readRate(of: pages.bytes) != nil)
    }
    #expect(loops.readRate(of: ByteView([1, 2, 3])) == nil)
  }

  /// Work that lasts.
  private struct SpinWork: ParallelWork {
    static let kind = WorkKind.attention
    let nanoseconds: Int

    func run(piece: Int, worker: Int) {
      let end = MonotonicClock.nanoseconds + nanoseconds
      while MonotonicClock.nanoseconds < end {}
    }
  }

  @Test(arguments: [1, 2, 3]) func aProfileTellsWhereTimeGoes(threads: Int) throws {
    let pool = WorkerPool(threads: threads)
    #expect(!pool.profiler.isOn)
    pool.run(SpinWork(nanoseconds: 1000), pieces: 4)
    pool.profiler.start()
    #expect(pool.profiler.isOn)
    for pieces in [1, 8] { pool.run(SpinWork(nanoseconds: 200_000), pieces: pieces) }
    pool.profiler.add(7, of: .linear, worker: 0)
    let profile = pool.profiler.finish()
    #expect(!pool.profiler.isOn)
    let attention = try #require(profile.busy[.attention])
    #expect(attention >= 9 * 200_000)
    #expect(attention <= profile.parallel * threads)
    #expect(profile.parallel <= profile.elapsed)
    #expect(profile.busy[.linear] == 7 && profile.busy[.other] == 0)
    pool.profiler.start()
    #expect(pool.profiler.finish().busy.values.allSatisfy { $0 == 0 })
  }

  @Test func memoryIsSeenWhileItIsHeld() throws {
    let before = ProcessMemory.current()
    #expect(before.anonymous > 0 && before.peak >= before.anonymous)
    let sampler = MemorySampler()
    let pages = try AnonymousPages(byteCount: 64 << 20, isHuge: false)
    #expect(pages.bytes[5] == 0x5a)
    let most = sampler.finish()
    #expect(most.anonymous >= 64 << 20)
    #expect(ProcessMemory.detailed().peak >= 64 << 20)
    #expect(withExtendedLifetime(pages) { ProcessMemory.current().anonymous } >= 64 << 20)
  }
}
