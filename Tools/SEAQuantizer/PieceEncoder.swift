// SPDX-License-Identifier: Apache-2.0
// One piece of a tensor: read 32 rows, store them, read them back, compare.

import SEAModel
import SEATensor
import Synchronization

/// The pieces of one chunk of rows.
struct PieceEncoder: ParallelWork {
  let source: any WeightSource
  let spec: TensorSpec
  /// Rows of the tensor that the chunk consists of.
  let rows: Range<Int>
  let kernels: Kernels
  /// Stored bytes of the chunk.
  let output: AlignedBuffer
  let scratch: PieceScratch
  let outcome: PieceOutcome

  func run(piece: Int, worker: Int) {
    let first = rows.lowerBound + piece * PackedMatrix.panelRows
    let range = first..<min(first + PackedMatrix.panelRows, rows.upperBound)
    let given = scratch.given(worker: worker, rows: range.count, columns: spec.columns)
    do {
      try source.read(spec.name, rows: range, into: given)
      outcome.set(try encode(given, piece: piece, worker: worker), piece: piece)
    } catch {
      outcome.fail(error, piece: piece)
    }
  }

  private func encode(
    _ given: MatrixView<Float>,
    piece: Int,
    worker: Int
  ) throws -> TensorStatistics {
    var statistics = TensorStatistics()
    statistics.nonFinite = NonFinite.count(in: given)
    let offset = piece * spec.pieceBytes
    let stored = scratch.stored(worker: worker, columns: spec.columns)
    switch spec.storage {
    case .int8, .int4:
      // Statistics are those of the values that were packed, so only these need to be finite.
      if statistics.nonFinite > 0 { NonFinite.replace(in: given) }
      let packed = try pack(given, at: offset)
      for row in 0..<given.rows {
        packed.unpack(row: row, into: stored)
        statistics.add(row, of: given, stored: stored)
      }
    case .bfloat16:
      let target = output.matrix(
        of: UInt16.self,
        offset: offset,
        rows: given.rows,
        columns: spec.columns
      )
      kernels.convert(given, toBFloat16: target)
      for row in 0..<given.rows {
        BFloat16Row.widen(target.rows(row..<row + 1), into: stored)
        statistics.add(row, of: given, stored: stored)
      }
    case .float32:
      output.matrix(of: Float.self, offset: offset, rows: given.rows, columns: spec.columns)
        .copy(from: given)
      for row in 0..<given.rows {
        stored.copy(from: given.rows(row..<row + 1))
        statistics.add(row, of: given, stored: stored)
      }
    }
    return statistics
  }

  /// Packs the rows as one panel and binds what was written the way the runtime does.
  private func pack(_ given: MatrixView<Float>, at offset: Int) throws -> PackedMatrix {
    guard let format = spec.format else { preconditionFailure("\(spec.name) is plain") }
    let panel = output.matrix(of: UInt8.self, offset: offset, rows: 1, columns: spec.pieceBytes)
    _ = Kernels.pack(given, format: format, into: panel)
    return try PackedMatrix(
      ByteView(panel.array()),
      rows: given.rows,
      columns: spec.columns,
      format: format
    )
  }
}

extension TensorStatistics {
  /// Adds row `row` of `given`; values that are not finite are zeroed on both sides first.
  fileprivate mutating func add(
    _ row: Int,
    of given: MatrixView<Float>,
    stored: MatrixView<Float>
  ) {
    if nonFinite > 0 { NonFinite.drop(row, of: given, and: stored) }
    given.withRow(row) { givenRow in
      stored.withRow(0) { add(givenRow.span, stored: $0.span) }
    }
  }
}

/// Rows of f32 for each thread.
struct PieceScratch {
  private let buffer: AlignedBuffer
  private let columns: Int

  init(threads: Int, columns: Int) throws(FileError) {
    // Rows start at multiples of 64 bytes whatever the width.
    self.columns = (columns + 15) / 16 * 16
    let rows = threads * (PackedMatrix.panelRows + 1)
    let (values, overflow) = rows.multipliedReportingOverflow(by: self.columns)
    let (bytes, overflowBytes) = values.multipliedReportingOverflow(by: MemoryLayout<Float>.size)
    guard !overflow, !overflowBytes else { throw .outOfMemory(bytes: Int.max) }
    buffer = try AlignedBuffer(byteCount: bytes)
  }

  /// The weights as given, `[rows, columns]`.
  func given(worker: Int, rows: Int, columns: Int) -> MatrixView<Float> {
    buffer.matrix(offset: offset(worker: worker, row: 0), rows: rows, columns: columns)
  }

  /// One row as stored, `[1, columns]`.
  func stored(worker: Int, columns: Int) -> MatrixView<Float> {
    let offset = offset(worker: worker, row: PackedMatrix.panelRows)
    return buffer.matrix(offset: offset, rows: 1, columns: columns)
  }

  private func offset(worker: Int, row: Int) -> Int {
    (worker * (PackedMatrix.panelRows + 1) + row) * columns * MemoryLayout<Float>.size
  }
}

/// What became of each piece of a chunk.
///
/// The lock is taken once a piece, thousands of times less often than a value is touched.
final class PieceOutcome: Sendable {
  private let statistics: Mutex<[TensorStatistics]>
  private let failure = FirstFailure()

  init(pieces: Int) {
    statistics = Mutex(Array(repeating: TensorStatistics(), count: pieces))
  }

  func set(_ value: TensorStatistics, piece: Int) {
    statistics.withLock { $0[piece] = value }
  }

  func fail(_ error: any Error, piece: Int) {
    failure.note(error, piece: piece)
  }

  /// The statistics of all pieces, added in order.
  ///
  /// - Throws: the failure of the first piece that failed.
  func total() throws -> TensorStatistics {
    try failure.rethrow()
    return statistics.withLock { $0.reduce(into: TensorStatistics()) { $0.add($1) } }
  }
}
