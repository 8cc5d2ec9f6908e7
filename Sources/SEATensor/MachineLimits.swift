// SPDX-License-Identifier: Apache-2.0
// The most that this machine's units and memory give, measured by loops that do nothing else.

internal import CSIMD
internal import Glibc

/// Arithmetic whose rate can be measured.
package enum ArithmeticUnit: String, Sendable, CaseIterable {
  /// int8 products summed in int32.
  case int8
  /// bf16 products summed in f32.
  case bfloat16 = "bf16"
  /// f32 multiply-adds.
  case float32 = "f32"

  var code: csimd_limit {
    switch self {
    case .int8: .i8
    case .bfloat16: .bf16
    case .float32: .f32
    }
  }
}

/// Loops on the threads of a pool, at one instruction-set level.
package struct LimitLoops: Sendable {
  private let level: InstructionSet
  private let pool: WorkerPool

  /// Loops of `level` on `pool`.
  package init(_ level: InstructionSet, on pool: WorkerPool) {
    self.level = level
    self.pool = pool
  }

  /// True when the level has an instruction of its own for the unit.
  package func isAvailable(_ unit: ArithmeticUnit) -> Bool {
    csimd_limit_available(unit.code, level.code)
  }

  /// Operations a second of all threads together, a multiply and an add counting as two; about
  /// 40 ms of work.
  ///
  /// - Returns: nil when the level has no instruction for the unit.
  package func rate(of unit: ArithmeticUnit) -> Double? {
    guard isAvailable(unit) else { return nil }
    let pieces = pool.threads * 8
    let work = LimitWork(unit: unit, level: level)
    let start = MonotonicClock.nanoseconds
    pool.run(work, pieces: pieces)
    let elapsed = MonotonicClock.nanoseconds - start
    // The loop tells what one iteration does; a run of none costs nothing.
    let operations = csimd_limit_run(unit.code, level.code, 1)
    return Double(operations) * Double(LimitWork.iterations * pieces) / Double(max(elapsed, 1))
      * 1e9
  }

  /// Bytes a second that all threads together read from `bytes`, a long stream each.
  ///
  /// - Returns: nil for fewer bytes than caches hold.
  package func readRate(of bytes: ByteView) -> Double? {
    guard bytes.count >= Self.smallestRead else { return nil }
    let pieces = max(pool.threads * 4, bytes.count / (32 << 20))
    let start = MonotonicClock.nanoseconds
    pool.run(ReadWork(bytes: bytes, pieces: pieces, level: level), pieces: pieces)
    let elapsed = MonotonicClock.nanoseconds - start
    return Double(bytes.count) / Double(max(elapsed, 1)) * 1e9
  }

  private static let smallestRead = 64 << 20
}

private struct LimitWork: ParallelWork {
  let unit: ArithmeticUnit
  let level: InstructionSet

  static let iterations = 1 << 20

  func run(piece: Int, worker: Int) {
    _ = csimd_limit_run(unit.code, level.code, UInt64(Self.iterations))
  }
}

private struct ReadWork: ParallelWork {
  let bytes: ByteView
  let pieces: Int
  let level: InstructionSet

  func run(piece: Int, worker: Int) {
    let start = bytes.count / 512 * piece / pieces * 512
    let end = bytes.count / 512 * (piece + 1) / pieces * 512
    _ = unsafe csimd_limit_read(bytes.address + start, end - start, level.code)
  }
}

/// Anonymous memory whose pages are of one kind, filled.
@safe package final class AnonymousPages: @unchecked Sendable {
  // Written in the initialiser only.
  private let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let mappedBase: UnsafeMutableRawPointer
  private let mappedBytes: Int

  private static let largePage = 2 << 20

  /// Maps and touches memory.
  ///
  /// - Parameters:
  ///   - byteCount: bytes, a multiple of 2 MiB.
  ///   - isHuge: ask for pages of 2 MiB, else refuse them.
  /// - Throws: `FileError.outOfMemory`.
  package init(byteCount: Int, isHuge: Bool) throws(FileError) {
    precondition(byteCount > 0 && byteCount % Self.largePage == 0, "\(byteCount) bytes")
    let size = byteCount + Self.largePage
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let mapped = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw .outOfMemory(bytes: byteCount)
    }
    unsafe mappedBase = mapped
    mappedBytes = size
    let skip = (Self.largePage - Int(bitPattern: mapped) % Self.largePage) % Self.largePage
    unsafe base = mapped + skip
    self.byteCount = byteCount
    unsafe madvise(base, byteCount, isHuge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
    unsafe memset(base, 0x5a, byteCount)
  }

  deinit { unsafe munmap(mappedBase, mappedBytes) }

  /// All bytes.
  package var bytes: ByteView {
    unsafe ByteView(
      owner: self,
      base: UnsafePointer(base.assumingMemoryBound(to: UInt8.self)),
      count: byteCount
    )
  }
}
