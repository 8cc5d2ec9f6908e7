// SPDX-License-Identifier: Apache-2.0
// Attention in bf16 where every row sees every row: the encoder's, unless its weights are exact.

import SEATensor

extension Execution {
  /// Stores keys and values and attends to them, block by block.
  ///
  /// - Parameters:
  ///   - q: `[rows, heads · headDim]`; receives the output.
  ///   - k: as `q`.
  ///   - v: as `q`.
  ///   - shape: heads that share nothing and see everything.
  ///   - store: room for the keys and values of all rows.
  ///   - scratch: a row per thread.
  func attend(
    _ q: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    shape: AttentionShape,
    store: PairStore,
    scratch: MatrixView<Float>
  ) {
    precondition(!shape.isCausal && shape.heads == shape.kvHeads, "heads that see only a part")
    let storing = PairStoreWork(kernels: kernels, shape: shape, keys: k, values: v, store: store)
    pool.run(storing, pieces: storing.pieces)
    let attending = PairAttendWork(
      kernels: kernels,
      shape: shape,
      queries: q,
      store: store,
      scratch: scratch
    )
    pool.run(attending, pieces: attending.pieces)
  }
}

/// Stores a block of rows of one head.
private struct PairStoreWork: ParallelWork {
  static let kind = WorkKind.attention

  let kernels: Kernels
  let shape: AttentionShape
  let keys: MatrixView<Float>
  let values: MatrixView<Float>
  let store: PairStore

  /// Whole blocks of 16.
  static let rows = 128

  var blocks: Int { (keys.rows + Self.rows - 1) / Self.rows }
  var pieces: Int { blocks * shape.heads }

  func run(piece: Int, worker: Int) {
    let head = piece / blocks
    let start = piece % blocks * Self.rows
    let rows = start..<min(start + Self.rows, keys.rows)
    let columns = head * shape.headDim..<(head + 1) * shape.headDim
    kernels.store(
      keys: keys.rows(rows).columns(columns),
      values: values.rows(rows).columns(columns),
      head: head,
      first: start,
      in: store
    )
  }
}

/// Attends with a block of queries of one head, in place.
private struct PairAttendWork: ParallelWork {
  static let kind = WorkKind.attention

  let kernels: Kernels
  let shape: AttentionShape
  let queries: MatrixView<Float>
  let store: PairStore
  let scratch: MatrixView<Float>

  /// Whole query tiles of 12; a head's keys and values stay in L2 from block to block.
  static let rows = 96

  var blocks: Int { (queries.rows + Self.rows - 1) / Self.rows }
  var pieces: Int { blocks * shape.heads }

  func run(piece: Int, worker: Int) {
    let head = piece / blocks
    let start = piece % blocks * Self.rows
    let rows = start..<min(start + Self.rows, queries.rows)
    let q = queries.rows(rows).columns(head * shape.headDim..<(head + 1) * shape.headDim)
    kernels.attend(
      q,
      to: store,
      head: head,
      keys: queries.rows,
      scale: shape.scale,
      scratch: scratch.rows(worker..<worker + 1),
      into: q
    )
  }
}
