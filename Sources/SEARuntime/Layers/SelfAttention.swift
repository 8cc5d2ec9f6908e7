// SPDX-License-Identifier: Apache-2.0
// Attention of all heads of a layer over stored keys and values.

import SEATensor

/// The heads of a layer and what they see.
package struct AttentionShape: Sendable, Equatable {
  /// Query heads.
  package let heads: Int
  /// KV heads; each serves `heads / kvHeads` query heads in a row.
  package let kvHeads: Int
  /// Elements of a head.
  package let headDim: Int
  /// Queries see only positions up to their own.
  package let isCausal: Bool
  /// Keys that a query sees at most; 0: no limit.
  package let window: Int

  /// Multiplies the scores.
  package var scale: Float { Float(1 / Double(headDim).squareRoot()) }

  var group: Int { heads / kvHeads }
}

extension Execution {
  /// Stores keys and values at positions `first…` and attends to them, block by block.
  ///
  /// Keys and values are read back from the store, rounded, so that a prompt gives the same bits
  /// however it is cut; blocks of queries cut nothing that is summed.
  ///
  /// - Parameters:
  ///   - q: `[tokens, heads · headDim]`; receives the output.
  ///   - k: `[keys, kvHeads · headDim]`, as many as queries where attention is causal; rotated in
  ///     place.
  ///   - v: `[keys, kvHeads · headDim]`.
  ///   - shape: the heads and what they see.
  ///   - first: position of row 0.
  ///   - angles: of the positions, nil: no rotation.
  ///   - store: keys and values of the layer.
  ///   - scratch: a row per thread.
  func attend(
    _ q: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    shape: AttentionShape,
    first: Int,
    angles: RotaryAngles?,
    store: KeyValueStore,
    scratch: MatrixView<Float>
  ) {
    let storing = StoreWork(
      kernels: kernels,
      shape: shape,
      keys: k,
      values: v,
      first: first,
      angles: angles,
      store: store
    )
    pool.run(storing, pieces: storing.pieces)
    let attending = AttendWork(
      kernels: kernels,
      shape: shape,
      queries: q,
      keys: first + k.rows,
      first: first,
      angles: angles,
      store: store,
      scratch: scratch
    )
    pool.run(attending, pieces: attending.pieces)
  }

  /// `attend` for one token, with the same bits; heads that share keys read them together.
  ///
  /// - Parameters:
  ///   - q: `[1, heads · headDim]`.
  ///   - heads: the memory of `q` as `[heads, headDim]`; receives the output.
  ///   - k: `[1, kvHeads · headDim]`; rotated in place.
  ///   - v: `[1, kvHeads · headDim]`.
  ///   - shape: the heads and what they see.
  ///   - position: where the token stands.
  ///   - angles: of the position, nil: no rotation.
  ///   - store: keys and values of the layer.
  ///   - scratch: a row per thread.
  func attendOne(
    _ q: MatrixView<Float>,
    heads: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    shape: AttentionShape,
    position: Int,
    angles: RotaryAngles?,
    store: KeyValueStore,
    scratch: MatrixView<Float>
  ) {
    if let angles {
      kernels.rotary(
        q,
        headDim: shape.headDim,
        cosines: angles.cosines,
        sines: angles.sines
      )
    }
    let storing = StoreWork(
      kernels: kernels,
      shape: shape,
      keys: k,
      values: v,
      first: position,
      angles: angles,
      store: store
    )
    for piece in 0..<storing.pieces { storing.run(piece: piece, worker: 0) }
    // Few KV heads: share out the query heads of each, which then read the same keys.
    let splits = min(shape.group, (pool.threads + shape.kvHeads - 1) / shape.kvHeads)
    let work = AttendOneWork(
      kernels: kernels,
      shape: shape,
      heads: heads,
      position: position,
      store: store,
      scratch: scratch,
      splits: splits
    )
    pool.run(work, pieces: shape.kvHeads * splits)
  }
}

/// Rotates and stores keys and values: a piece is a block of positions of one KV head, at multiples of
/// 64, so that no two write to the same block of a store.
private struct StoreWork: ParallelWork {
  static let kind = WorkKind.storing

  let kernels: Kernels
  let shape: AttentionShape
  let keys: MatrixView<Float>
  let values: MatrixView<Float>
  let first: Int
  let angles: RotaryAngles?
  let store: KeyValueStore

  static let tokens = 64

  private var firstBlock: Int { first / Self.tokens }
  var blocks: Int { (first + keys.rows + Self.tokens - 1) / Self.tokens - firstBlock }
  var pieces: Int { blocks * shape.kvHeads }

  func run(piece: Int, worker: Int) {
    let head = piece / blocks
    let position = (firstBlock + piece % blocks) * Self.tokens
    let start = max(position - first, 0)
    let rows = start..<min(position + Self.tokens - first, keys.rows)
    let columns = head * shape.headDim..<(head + 1) * shape.headDim
    let k = keys.rows(rows).columns(columns)
    if let angles {
      let part = angles.rows(rows)
      kernels.rotary(k, headDim: shape.headDim, cosines: part.cosines, sines: part.sines)
    }
    kernels.store(
      keys: k,
      values: values.rows(rows).columns(columns),
      head: head,
      first: first + start,
      in: store
    )
  }
}

/// Attends with a block of queries of one head, in place.
private struct AttendWork: ParallelWork {
  static let kind = WorkKind.attention

  let kernels: Kernels
  let shape: AttentionShape
  let queries: MatrixView<Float>
  /// Positions that are filled.
  let keys: Int
  let first: Int
  let angles: RotaryAngles?
  let store: KeyValueStore
  let scratch: MatrixView<Float>

  /// Whole query tiles of 12.
  static let tokens = 48

  var blocks: Int { (queries.rows + Self.tokens - 1) / Self.tokens }
  var pieces: Int { blocks * shape.heads }

  func run(piece: Int, worker: Int) {
    let head = piece / blocks
    // Later blocks see more keys: start with them, so that threads finish together.
    let start = (blocks - 1 - piece % blocks) * Self.tokens
    let rows = start..<min(start + Self.tokens, queries.rows)
    let q = queries.rows(rows).columns(head * shape.headDim..<(head + 1) * shape.headDim)
    if let angles {
      let part = angles.rows(rows)
      kernels.rotary(q, headDim: shape.headDim, cosines: part.cosines, sines: part.sines)
    }
    kernels.attend(
      q,
      to: store,
      head: head / shape.group,
      keys: shape.isCausal ? first + rows.upperBound : keys,
      mask: shape.isCausal
        ? .causal(first: first + rows.lowerBound, window: shape.window) : .none,
      scale: shape.scale,
      scratch: scratch.rows(worker..<worker + 1),
      into: q
    )
  }
}

/// Attends with the query heads of one token that share a KV head, or a part of them.
private struct AttendOneWork: ParallelWork {
  static let kind = WorkKind.attention

  let kernels: Kernels
  let shape: AttentionShape
  let heads: MatrixView<Float>
  let position: Int
  let store: KeyValueStore
  let scratch: MatrixView<Float>
  let splits: Int

  func run(piece: Int, worker: Int) {
    let kvHead = piece / splits
    let part = share(shape.group, piece: piece % splits, of: splits)
    let start = kvHead * shape.group
    let own = start + part.lowerBound..<start + part.upperBound
    let seesAll = shape.window == 0 || position < shape.window
    if seesAll {
      attend(own, kvHead, mask: .none, worker)
    } else {
      let mask = Kernels.Mask.causal(first: position, window: shape.window)
      for head in own { attend(head..<head + 1, kvHead, mask: mask, worker) }
    }
  }

  private func attend(_ rows: Range<Int>, _ kvHead: Int, mask: Kernels.Mask, _ worker: Int) {
    let q = heads.rows(rows)
    kernels.attend(
      q,
      to: store,
      head: kvHead,
      keys: position + 1,
      mask: mask,
      scale: shape.scale,
      scratch: scratch.rows(worker..<worker + 1),
      into: q
    )
  }
}
