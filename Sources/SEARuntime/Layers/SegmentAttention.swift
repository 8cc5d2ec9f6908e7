// SPDX-License-Identifier: Apache-2.0
// Attention of many short sequences at once.

import SEATensor

extension Execution {
  /// Attends within each of several sequences.
  ///
  /// A piece of work is one head of one sequence, so that words of a few tokens keep all threads busy.
  ///
  /// - Parameters:
  ///   - q: `[tokens, heads · headDim]`; receives the output.
  ///   - k: `[tokens, heads · headDim]`.
  ///   - v: `[tokens, heads · headDim]`.
  ///   - sequences: the rows of each sequence.
  ///   - shape: the heads and what they see.
  ///   - stores: room for one head of the longest sequence, for each thread.
  ///   - scratch: a row per thread.
  func attend(
    _ q: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    sequences: [Range<Int>],
    shape: AttentionShape,
    stores: [KeyValueStore],
    scratch: MatrixView<Float>
  ) {
    let work = SegmentWork(
      kernels: kernels,
      queries: q,
      keys: k,
      values: v,
      sequences: sequences,
      shape: shape,
      stores: stores,
      scratch: scratch
    )
    pool.run(work, pieces: sequences.count * shape.heads)
  }
}

/// Attends with one head of one sequence, in place.
private struct SegmentWork: ParallelWork {
  static let kind = WorkKind.attention

  let kernels: Kernels
  let queries: MatrixView<Float>
  let keys: MatrixView<Float>
  let values: MatrixView<Float>
  let sequences: [Range<Int>]
  let shape: AttentionShape
  let stores: [KeyValueStore]
  let scratch: MatrixView<Float>

  func run(piece: Int, worker: Int) {
    let rows = sequences[piece / shape.heads]
    let head = piece % shape.heads
    let columns = head * shape.headDim..<(head + 1) * shape.headDim
    let store = stores[worker]
    kernels.store(
      keys: keys.rows(rows).columns(columns),
      values: values.rows(rows).columns(columns),
      head: 0,
      first: 0,
      in: store
    )
    let q = queries.rows(rows).columns(columns)
    kernels.attend(
      q,
      to: store,
      head: 0,
      keys: rows.count,
      mask: shape.isCausal ? .causal(first: 0, window: shape.window) : .none,
      scale: shape.scale,
      scratch: scratch.rows(worker..<worker + 1),
      into: q
    )
  }
}
