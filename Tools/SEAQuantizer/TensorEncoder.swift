// SPDX-License-Identifier: Apache-2.0
// Turns the rows of one tensor into stored bytes, many pieces of 32 rows at a time.

import SEAModel
import SEATensor

/// Encodes tensors chunk by chunk, in memory that does not grow with the model.
///
/// A chunk is a run of pieces of 32 rows (one panel when packed). Each piece is read, stored, read back
/// and compared by one thread in memory of its own, so bytes and statistics do not depend on threads.
struct TensorEncoder {
  private let source: any WeightSource
  private let kernels: Kernels
  private let pool: WorkerPool
  private let output: AlignedBuffer
  private let scratch: PieceScratch

  /// Stored bytes that a chunk aims at: writes of at least 4 MiB, a few pieces for every thread.
  private static let chunkBytes = 8 << 20

  /// An encoder with room for every tensor of `plan`.
  init(
    source: any WeightSource,
    plan: TensorPlan,
    kernels: Kernels,
    pool: WorkerPool
  ) throws {
    self.source = source
    self.kernels = kernels
    self.pool = pool
    var widest = 1
    var largest = 64
    for spec in plan.all {
      widest = max(widest, spec.columns)
      let piece = spec.pieceBytes
      largest = max(largest, Self.pieces(of: spec, threads: pool.threads) * piece)
    }
    output = try AlignedBuffer(byteCount: largest)
    scratch = try PieceScratch(threads: pool.threads, columns: widest)
  }

  /// Encodes a tensor.
  ///
  /// - Parameters:
  ///   - spec: the tensor's line of the plan.
  ///   - allowsNonFinite: store NaN and infinities as documented; otherwise only count them.
  ///   - sink: gets the stored bytes in order; nothing more once a value was not finite.
  /// - Returns: how far the stored values are from the source's.
  /// - Throws: what the source or `sink` throws.
  func encode(
    _ spec: TensorSpec,
    allowsNonFinite: Bool,
    sink: (Span<UInt8>) throws -> Void
  ) throws -> TensorStatistics {
    var statistics = TensorStatistics()
    let rowsPerChunk = Self.pieces(of: spec, threads: pool.threads) * PackedMatrix.panelRows
    var row = 0
    while row < spec.rows {
      let rows = row..<min(row + rowsPerChunk, spec.rows)
      let pieces = (rows.count - 1) / PackedMatrix.panelRows + 1
      let outcome = PieceOutcome(pieces: pieces)
      pool.run(
        PieceEncoder(
          source: source,
          spec: spec,
          rows: rows,
          kernels: kernels,
          output: output,
          scratch: scratch,
          outcome: outcome
        ),
        pieces: pieces
      )
      statistics.add(try outcome.total())
      source.release(spec.name)
      if allowsNonFinite || statistics.nonFinite == 0 {
        let stored = output.matrix(
          of: UInt8.self,
          rows: 1,
          columns: spec.storedBytes(rows: rows.count)
        )
        try stored.withRow(0) { try sink($0.span) }
      }
      row = rows.upperBound
    }
    return statistics
  }

  private static func pieces(of spec: TensorSpec, threads: Int) -> Int {
    let all = (spec.rows - 1) / PackedMatrix.panelRows + 1
    return min(all, max(threads, chunkBytes / spec.pieceBytes))
  }
}

extension TensorSpec {
  /// Stored bytes of a piece of 32 rows.
  var pieceBytes: Int { storedBytes(rows: PackedMatrix.panelRows) }

  /// Stored bytes of some rows, whole panels when packed.
  func storedBytes(rows: Int) -> Int {
    guard let format else { return rows * columns * elementType.size }
    return format.byteCount(rows: rows, columns: columns) ?? 0
  }
}
