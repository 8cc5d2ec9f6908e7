// SPDX-License-Identifier: Apache-2.0
// What a forward pass runs on: kernels and threads.

package import SEATensor

/// Kernels and the threads that call them.
///
/// One forward pass at a time may use an execution; results are the same bits for any thread count.
package struct Execution: Sendable {
  /// The kernel table.
  package let kernels: Kernels
  /// The threads.
  package let pool: WorkerPool
  /// Room for unpacked weights, a row for each thread.
  package let unpackRoom: UnpackRoom

  /// An execution on `threads` threads; nil means every core this process may use.
  package init(kernels: Kernels, threads: Int? = nil) {
    self.kernels = kernels
    pool = WorkerPool(threads: threads ?? ProcessorCount.available)
    unpackRoom = UnpackRoom(threads: pool.threads)
  }

  /// Pieces to cut `units` of work into: enough for balance, few enough to keep streams long.
  func pieces(for units: Int) -> Int {
    pool.threads == 1 ? 1 : min(units, pool.threads * 8)
  }
}

/// Part `piece` of `count` nearly equal parts of `0..<units`.
func share(_ units: Int, piece: Int, of count: Int) -> Range<Int> {
  units * piece / count..<units * (piece + 1) / count
}
