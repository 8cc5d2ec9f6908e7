// SPDX-License-Identifier: Apache-2.0
// Linear layers whose weights are read while they are used.

import SEAModel
package import SEATensor

/// A buffer for rows of streamed weights, allocated when the first is read.
package final class StreamBuffer {
  private var buffer: AlignedBuffer?

  /// Bytes read at a time; one row at least.
  private static let byteCount = 8 << 20

  /// A buffer that takes no memory yet.
  package init() {}

  /// Room for as many rows as fit, at most `limit`.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package func rows(columns: Int, atMost limit: Int) throws(RuntimeError) -> MatrixView<Float> {
    let rowBytes = columns * MemoryLayout<Float>.stride
    let rows = min(limit, max(Self.byteCount / rowBytes, 1))
    if let buffer, buffer.byteCount >= rows * rowBytes {
      return buffer.matrix(rows: rows, columns: columns)
    }
    var plan = ScratchPlan()
    let slot = plan.reserve(Float.self, count: max(rows * columns, Self.byteCount / 4))
    let buffer = try AlignedBuffer(plan)
    self.buffer = buffer
    return buffer.view(slot, rows: rows, columns: columns)
  }
}

extension Execution {
  /// Reads a matrix in pieces that fit the stream buffer and multiplies each.
  func multiply(
    _ values: MatrixView<Float>,
    _ matrix: StreamedMatrix,
    _ task: LinearTask,
    stream: StreamBuffer
  ) throws(RuntimeError) {
    defer { matrix.source.release(matrix.name) }
    var row = 0
    while row < matrix.rows {
      let weights = try stream.rows(columns: matrix.columns, atMost: matrix.rows - row)
      try matrix.read(row..<row + weights.rows, into: weights)
      let work = StreamedWork(
        kernels: kernels,
        values: values,
        weights: weights,
        first: row,
        task: task,
        pieces: pieces(for: (weights.rows + 15) / 16)
      )
      pool.run(work, pieces: work.pieces)
      row += weights.rows
    }
  }
}

/// A share of the rows that were just read.
private struct StreamedWork: ParallelWork {
  static let kind = WorkKind.linear

  let kernels: Kernels
  let values: MatrixView<Float>
  let weights: MatrixView<Float>
  let first: Int
  let task: LinearTask
  let pieces: Int

  func run(piece: Int, worker: Int) {
    let local = share(weights.rows, piece: piece, of: pieces)
    guard !local.isEmpty else { return }
    let rows = first + local.lowerBound..<first + local.upperBound
    kernels.multiply(
      values,
      weights.rows(local),
      bias: task.layer.bias?.slice(rows),
      into: task.output.columns(rows)
    )
    task.finish(rows, with: kernels)
  }
}
