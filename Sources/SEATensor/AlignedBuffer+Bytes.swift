// SPDX-License-Identifier: Apache-2.0
// An aligned buffer as a home for read-only bytes.

import Glibc

extension AlignedBuffer {
  /// Copies `source` to the start of the buffer.
  ///
  /// - Parameters:
  ///   - source: at most `byteCount` bytes.
  ///   - progress: called with each range of `source` that has been copied.
  /// - Precondition: the bytes fit.
  package func fill(from source: ByteView, progress: (Range<Int>) -> Void = { _ in }) {
    precondition(source.count <= byteCount, "\(source.count) bytes into \(byteCount)")
    let step = 16 << 20
    for start in stride(from: 0, to: source.count, by: step) {
      let range = start..<min(start + step, source.count)
      unsafe memcpy(base + start, source.address + start, range.count)
      progress(range)
    }
  }

  /// All bytes of the buffer; the view keeps it alive.
  ///
  /// Nobody may write to the buffer once a view has been handed out.
  package var bytes: ByteView {
    unsafe ByteView(
      owner: self,
      base: UnsafePointer(base.assumingMemoryBound(to: UInt8.self)),
      count: byteCount
    )
  }
}
