// SPDX-License-Identifier: Apache-2.0
// Room for int4 panels that are unpacked while several tokens multiply them.

package import SEATensor
import Synchronization

/// A row of bytes for each thread, allocated when int4 weights first meet several tokens.
package final class UnpackRoom: Sendable {
  private let threads: Int
  private let buffer = Mutex<AlignedBuffer?>(nil)

  /// Room for `threads` threads that takes no memory yet.
  init(threads: Int) {
    self.threads = threads
  }

  /// Bytes for one thread and weights of `columns` inputs, whole cache lines.
  static func rowBytes(columns: Int) -> Int {
    (Kernels.unpackedBytes(columns: columns) + 63) / 64 * 64
  }

  /// `[threads, bytes]`, each row enough for weights of `columns` inputs.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package func rows(columns: Int) throws(RuntimeError) -> MatrixView<UInt8> {
    let row = Self.rowBytes(columns: columns)
    let threads = threads
    let buffer = try buffer.withLock { buffer throws(RuntimeError) -> AlignedBuffer in
      if let buffer, buffer.byteCount >= row * threads { return buffer }
      var plan = ScratchPlan()
      _ = plan.reserve(UInt8.self, count: row * threads)
      let larger = try AlignedBuffer(plan)
      buffer = larger
      return larger
    }
    return buffer.matrix(rows: threads, columns: row)
  }
}
