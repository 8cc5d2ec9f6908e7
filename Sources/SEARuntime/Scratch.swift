// SPDX-License-Identifier: Apache-2.0
// Working memory that is sized by a plan and allocated once.

package import SEATensor

/// Adds up the regions of a scratch buffer before it exists.
///
/// Sizes come from validated descriptions, whose limits keep every product far below 2⁶³.
package struct ScratchPlan: Sendable {
  /// Bytes of all regions.
  package private(set) var byteCount = 0

  /// A plan without regions.
  package init() {}

  /// Adds room for `count` elements, aligned to 64 bytes.
  package mutating func reserve<Element: BitwiseCopyable>(
    _ type: Element.Type = Element.self,
    count: Int
  ) -> ScratchSlot<Element> {
    let slot = ScratchSlot<Element>(offset: byteCount, count: count)
    byteCount += (count * MemoryLayout<Element>.stride + 63) / 64 * 64
    return slot
  }
}

/// A region of a scratch buffer.
package struct ScratchSlot<Element: BitwiseCopyable>: Sendable {
  /// Byte at which the region starts, a multiple of 64.
  package let offset: Int
  /// Elements that fit.
  package let count: Int
}

extension AlignedBuffer {
  /// A buffer for a plan.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package convenience init(_ plan: ScratchPlan) throws(RuntimeError) {
    do throws(FileError) {
      try self.init(byteCount: plan.byteCount)
    } catch {
      throw .file(error)
    }
  }

  /// The start of a region, seen as a matrix.
  ///
  /// - Precondition: the matrix fits the region.
  package func view<Element: BitwiseCopyable>(
    _ slot: ScratchSlot<Element>,
    rows: Int,
    columns: Int,
    stride: Int? = nil
  ) -> MatrixView<Element> {
    let stride = stride ?? columns
    precondition(
      rows == 0 || (rows - 1) * stride + columns <= slot.count,
      "\(rows)×\(columns) exceeds a region of \(slot.count)"
    )
    return matrix(offset: slot.offset, rows: rows, columns: columns, stride: stride)
  }
}
