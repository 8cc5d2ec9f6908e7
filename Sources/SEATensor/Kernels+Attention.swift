// SPDX-License-Identifier: Apache-2.0
// Attention over stored keys and values.

internal import CSIMD

extension Kernels {
  /// Floats of scratch that one attention call needs, whatever the type of the store.
  package static func attentionScratch(keys: Int, headDim: Int) -> Int {
    max(csimd_attention_scratch(keys, headDim), csimd_pair_scratch(keys, headDim))
  }

  /// Stores rows of keys and values of KV head `head` at positions `first…`.
  ///
  /// - Parameters:
  ///   - keys: `[tokens, headDim]`.
  ///   - values: `[tokens, headDim]`, with the stride of `keys`.
  ///   - head: KV head that is written.
  ///   - first: position of row 0.
  ///   - store: where they go; the block of 16 positions that row 0 lies in must be written by nobody
  ///     else meanwhile, nor the last one.
  package func store(
    keys: MatrixView<Float>,
    values: MatrixView<Float>,
    head: Int,
    first: Int,
    in store: KeyValueStore
  ) {
    precondition(
      keys.columns == store.headDim && values.columns == store.headDim && keys.rows == values.rows
        && keys.stride == values.stride && head >= 0 && head < store.heads && first >= 0
        && first + keys.rows <= store.capacity,
      "rows do not fit the store"
    )
    guard keys.rows > 0 else { return }
    guard store.type != .bfloat16 else {
      return unsafe table.pointee.pair_store(
        keys.base,
        values.base,
        keys.stride,
        keys.rows,
        store.headDim,
        first,
        store.keys(of: head).assumingMemoryBound(to: UInt16.self),
        store.values(of: head).assumingMemoryBound(to: UInt16.self)
      )
    }
    unsafe table.pointee.kv_store(
      keys.base,
      values.base,
      keys.stride,
      keys.rows,
      store.headDim,
      first,
      store.type.code,
      store.keys(of: head),
      store.values(of: head),
      store.keyScales(of: head),
      store.valueScales(of: head)
    )
  }

  /// Which keys a query sees.
  package enum Mask: Sendable, Equatable {
    /// All of them.
    case none
    /// Those at or before the query's position, at most `window` of them (0: no limit); query 0 stands
    /// at `first`.
    case causal(first: Int, window: Int)
  }

  /// `out = softmax(scale · q kᵀ) v` for queries of one head.
  ///
  /// - Parameters:
  ///   - q: `[queries, headDim]`.
  ///   - store: keys and values, already rounded to the store's type.
  ///   - head: KV head that the queries read.
  ///   - keys: positions filled in the store.
  ///   - mask: which keys each query sees.
  ///   - scale: multiplies the scores, `headDim^-½`.
  ///   - scratch: `[1, attentionScratch(keys:headDim:)]`, 64-byte aligned.
  ///   - out: `[queries, headDim]`.
  package func attend(
    _ q: MatrixView<Float>,
    to store: KeyValueStore,
    head: Int,
    keys: Int,
    mask: Mask,
    scale: Float,
    scratch: MatrixView<Float>,
    into out: MatrixView<Float>
  ) {
    precondition(
      q.columns == store.headDim && out.columns == store.headDim && q.rows == out.rows
        && head >= 0 && head < store.heads && keys > 0 && keys <= store.capacity
        && store.headDim <= 256,
      "queries do not fit the store"
    )
    precondition(
      scratch.columns >= Self.attentionScratch(keys: keys, headDim: store.headDim),
      "scratch too small"
    )
    guard q.rows > 0 else { return }
    var first = 0
    var window = 0
    var isCausal = false
    if case .causal(let position, let limit) = mask {
      precondition(
        position >= 0 && limit >= 0 && position + q.rows <= keys,
        "queries stand past the keys"
      )
      (first, window, isCausal) = (position, limit, true)
    }
    guard store.type != .bfloat16 else {
      var arguments = unsafe csimd_pair_attention_args(
        q: q.base,
        k: store.keys(of: head).assumingMemoryBound(to: UInt16.self),
        v: store.values(of: head).assumingMemoryBound(to: UInt16.self),
        out: out.base,
        scratch: scratch.base,
        q_stride: q.stride,
        out_stride: out.stride,
        queries: q.rows,
        keys: keys,
        first_query: first,
        window: window,
        head_dim: store.headDim,
        scale: scale,
        causal: isCausal
      )
      return unsafe table.pointee.pair_attention(&arguments)
    }
    var arguments = unsafe csimd_attention_args(
      q: q.base,
      k: store.keys(of: head),
      v: store.values(of: head),
      k_scales: store.keyScales(of: head),
      v_scales: store.valueScales(of: head),
      out: out.base,
      scratch: scratch.base,
      q_stride: q.stride,
      out_stride: out.stride,
      queries: q.rows,
      keys: keys,
      first_query: first,
      window: window,
      head_dim: store.headDim,
      scale: scale,
      kv: store.type.code,
      causal: isCausal
    )
    unsafe table.pointee.attention(&arguments)
  }
}
