// SPDX-License-Identifier: Apache-2.0
// The product of two thin matrices, added to rows of a wide one.

/// What a low-rank fine-tuning adds to a weight matrix: `scale · left · right`.
///
/// Rows are made when they are read, so that merging takes no more memory than reading. Every element
/// is summed in f32 in the order of the inner axis, whatever rows are read together and by whichever
/// machine.
struct LowRankDelta: Sendable {
  /// `[rows, rank]`.
  let left: SourceTensor
  /// `[rank, columns]`.
  let right: SourceTensor
  /// Row of `left` that belongs to row 0 of the part it is added to.
  let firstRow: Int
  let scale: Float

  /// Rows of the result that share one pass over `right`.
  private static let rowsTogether = 4

  /// The values of `right`, row-major; the same for all rows.
  func rightValues() -> [Float] {
    var values: [Float] = []
    right.readRows(0..<right.rows, into: &values)
    return values
  }

  /// Adds rows of the product to `values`.
  ///
  /// - Parameters:
  ///   - rows: rows of the part.
  ///   - values: `[rows.count, columns]`, row-major.
  ///   - right: what `rightValues` gives.
  func add(_ rows: Range<Int>, to values: inout [Float], right: [Float]) {
    let rank = left.columns
    let columns = self.right.columns
    precondition(
      values.count == rows.count * columns && right.count == rank * columns,
      "\(values.count) values for \(rows.count) rows of \(columns)"
    )
    var factors: [Float] = []
    left.readRows(firstRow + rows.lowerBound..<firstRow + rows.upperBound, into: &factors)
    // Checked element access would cost more than the arithmetic. The three arrays have the sizes
    // checked above, and every index below stays under rows, rank and columns.
    unsafe values.withUnsafeMutableBufferPointer { values in
      unsafe right.withUnsafeBytes { right in
        unsafe factors.withUnsafeBufferPointer { factors in
          let product = unsafe Product(
            left: factors,
            right: right,
            rank: rank,
            columns: columns,
            scale: scale
          )
          for row in stride(from: 0, to: rows.count, by: Self.rowsTogether) {
            unsafe product.add(row..<min(row + Self.rowsTogether, rows.count), to: values)
          }
        }
      }
    }
  }

  /// Number of values of both factors that are NaN or infinite.
  func nonFiniteCount() -> Int { left.nonFiniteCount() + right.nonFiniteCount() }

  /// Gives the pages of both factors back to the system.
  func release() {
    left.release()
    right.release()
  }
}

/// The arithmetic on plain memory.
@unsafe private struct Product {
  let left: UnsafeBufferPointer<Float>
  let right: UnsafeRawBufferPointer
  let rank: Int
  let columns: Int
  let scale: Float

  /// Adds up to four rows, eight columns at a time, with the sums in registers.
  @inline(__always)
  func add(_ rows: Range<Int>, to values: UnsafeMutableBufferPointer<Float>) {
    let first = rows.lowerBound
    // A short group repeats its last row, whose sums are then not stored.
    let last = rows.upperBound - 1
    let (i0, i1, i2, i3) = unsafe (
      first * rank, min(first + 1, last) * rank, min(first + 2, last) * rank,
      min(first + 3, last) * rank
    )
    let wide = unsafe columns / 8 * 8
    for column in stride(from: 0, to: wide, by: 8) {
      var s0 = SIMD8<Float>.zero
      var s1 = SIMD8<Float>.zero
      var s2 = SIMD8<Float>.zero
      var s3 = SIMD8<Float>.zero
      for k in unsafe 0..<rank {
        let part = unsafe values8(k, column)
        unsafe s0 += left[i0 + k] * part
        unsafe s1 += left[i1 + k] * part
        unsafe s2 += left[i2 + k] * part
        unsafe s3 += left[i3 + k] * part
      }
      unsafe store(s0, first, column, values)
      if first + 1 <= last { unsafe store(s1, first + 1, column, values) }
      if first + 2 <= last { unsafe store(s2, first + 2, column, values) }
      if first + 3 <= last { unsafe store(s3, first + 3, column, values) }
    }
    for row in rows {
      for column in unsafe wide..<columns {
        var sum: Float = 0
        for k in unsafe 0..<rank { unsafe sum += left[row * rank + k] * value(k, column) }
        unsafe values[row * columns + column] += scale * sum
      }
    }
  }

  @inline(__always)
  private func values8(_ k: Int, _ column: Int) -> SIMD8<Float> {
    unsafe right.loadUnaligned(fromByteOffset: (k * columns + column) * 4, as: SIMD8<Float>.self)
  }

  @inline(__always)
  private func value(_ k: Int, _ column: Int) -> Float {
    unsafe right.loadUnaligned(fromByteOffset: (k * columns + column) * 4, as: Float.self)
  }

  @inline(__always)
  private func store(
    _ sums: SIMD8<Float>,
    _ row: Int,
    _ column: Int,
    _ values: UnsafeMutableBufferPointer<Float>,
  ) {
    for lane in 0..<8 {
      unsafe values[row * columns + column + lane] += scale * sums[lane]
    }
  }
}
