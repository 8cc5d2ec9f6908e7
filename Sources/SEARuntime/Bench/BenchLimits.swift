// SPDX-License-Identifier: Apache-2.0
// The machine's limits, measured in turn with the work that they bind.

import SEATensor

/// Measures limits around each stage and keeps what was found.
final class BenchLimits {
  private let loops: LimitLoops
  /// Mapped pages of the model's own matrices.
  private let mapped: ByteView?
  private(set) var limits: [BenchLimit] = []

  /// Bytes that one reading goes over: enough to leave every cache behind.
  private static let readBytes = 1 << 30
  private static let anonymousBytes = 256 << 20

  init(_ execution: Execution, mapped: ByteView?) {
    loops = LimitLoops(execution.kernels.instructionSet, on: execution.pool)
    self.mapped = mapped.map { $0.slice(0..<min($0.count, Self.readBytes)) }
  }

  /// The rate of the limit that binds `work`, now.
  func rate(of work: BenchWork) -> Double? {
    switch work {
    case .operations(_, let unit): measure(unit)
    case .bytes: measureMapped()
    }
  }

  /// Measures the limits that no stage of a round asks for.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  func measureRest() throws(RuntimeError) {
    for unit in ArithmeticUnit.allCases { _ = measure(unit) }
    _ = measureMapped()
    for isHuge in [false, true] {
      let pages: AnonymousPages
      do throws(FileError) {
        pages = try AnonymousPages(byteCount: Self.anonymousBytes, isHuge: isHuge)
      } catch {
        throw .file(error)
      }
      // The second reading finds the pages' translations as they will be.
      _ = loops.readRate(of: pages.bytes)
      if let rate = loops.readRate(of: pages.bytes) {
        note(isHuge ? "read 2 MiB pages" : "read 4 KiB pages", rate, isBytes: true)
      }
    }
  }

  private func measure(_ unit: ArithmeticUnit) -> Double? {
    // Without an instruction for bf16 its products are made in f32.
    let used = unit == .bfloat16 && !loops.isAvailable(unit) ? .float32 : unit
    guard let rate = loops.rate(of: used) else { return nil }
    note(used.rawValue, rate, isBytes: false)
    return rate
  }

  private func measureMapped() -> Double? {
    guard let mapped, let rate = loops.readRate(of: mapped) else { return nil }
    note("read mapped pages", rate, isBytes: true)
    return rate
  }

  private func note(_ name: String, _ rate: Double, isBytes: Bool) {
    if let place = limits.firstIndex(where: { $0.name == name }) {
      limits[place].rates.append(rate)
    } else {
      limits.append(BenchLimit(name: name, rates: BenchSeries([rate]), isBytes: isBytes))
    }
  }
}
