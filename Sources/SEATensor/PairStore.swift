// SPDX-License-Identifier: Apache-2.0
// Keys and values in bf16 for queries that see every key.

internal import CSIMD

/// Room for the keys and values of the heads of one layer, rounded to bf16 and laid out as pairs that
/// are multiplied together; `CSIMD/pair_attention/pair_layout.h` draws them.
@safe package struct PairStore: Sendable {
  /// Heads.
  package let heads: Int
  /// Elements of one head.
  package let headDim: Int
  /// Positions there is room for.
  package let capacity: Int

  private let buffer: AlignedBuffer
  private let offset: Int

  /// Positions that are stored together.
  package static let block = 16

  /// Bytes that a store needs.
  package static func byteCount(heads: Int, headDim: Int, capacity: Int) -> Int {
    heads * (keyBytes(headDim, capacity) + valueBytes(headDim, capacity))
  }

  /// A store inside `buffer` from byte `offset`, a multiple of 64.
  package init(
    buffer: AlignedBuffer,
    offset: Int,
    heads: Int,
    headDim: Int,
    capacity: Int
  ) {
    let bytes = Self.byteCount(heads: heads, headDim: headDim, capacity: capacity)
    precondition(offset >= 0 && offset % 64 == 0 && offset + bytes <= buffer.byteCount, "no room")
    self.buffer = buffer
    self.offset = offset
    self.heads = heads
    self.headDim = headDim
    self.capacity = capacity
  }

  // Whole blocks of pairs: multiples of 64 bytes.
  private static func keyBytes(_ headDim: Int, _ capacity: Int) -> Int {
    csimd_pair_keys_size(capacity, headDim) * MemoryLayout<UInt16>.size
  }

  private static func valueBytes(_ headDim: Int, _ capacity: Int) -> Int {
    csimd_pair_values_size(capacity, headDim) * MemoryLayout<UInt16>.size
  }

  @unsafe fileprivate func keys(of head: Int) -> UnsafeMutablePointer<UInt16> {
    let start = offset + head * Self.keyBytes(headDim, capacity)
    return unsafe (buffer.base + start).assumingMemoryBound(to: UInt16.self)
  }

  @unsafe fileprivate func values(of head: Int) -> UnsafeMutablePointer<UInt16> {
    let keys = heads * Self.keyBytes(headDim, capacity)
    let start = offset + keys + head * Self.valueBytes(headDim, capacity)
    return unsafe (buffer.base + start).assumingMemoryBound(to: UInt16.self)
  }
}

extension Kernels {
  /// Floats of scratch that a call of `attend(_:to:head:keys:scale:scratch:into:)` needs.
  package static func pairScratch(keys: Int, headDim: Int) -> Int {
    csimd_pair_scratch(keys, headDim)
  }

  /// Stores rows of keys and values of a head at positions `first…`.
  ///
  /// - Parameters:
  ///   - keys: `[tokens, headDim]`.
  ///   - values: `[tokens, headDim]`, with the stride of `keys`.
  ///   - head: the head that is written.
  ///   - first: position of row 0, a multiple of 16.
  ///   - store: where they go; what is missing of the last 16 positions becomes zeros.
  package func store(
    keys: MatrixView<Float>,
    values: MatrixView<Float>,
    head: Int,
    first: Int,
    in store: PairStore
  ) {
    precondition(
      keys.columns == store.headDim && values.columns == store.headDim && keys.rows == values.rows
        && keys.stride == values.stride && head >= 0 && head < store.heads && first >= 0
        && first % PairStore.block == 0 && first + keys.rows <= store.capacity,
      "rows do not fit the store"
    )
    guard keys.rows > 0 else { return }
    unsafe table.pointee.pair_store(
      keys.base,
      values.base,
      keys.stride,
      keys.rows,
      store.headDim,
      first,
      store.keys(of: head),
      store.values(of: head)
    )
  }

  /// `out = softmax(scale · q kᵀ) v` in bf16 for queries of one head that see every key.
  ///
  /// - Parameters:
  ///   - q: `[queries, headDim]`.
  ///   - store: keys and values.
  ///   - head: the head that the queries read.
  ///   - keys: positions filled in the store.
  ///   - scale: multiplies the scores, `headDim^-½`.
  ///   - scratch: `[1, pairScratch(keys:headDim:)]`, 64-byte aligned.
  ///   - out: `[queries, headDim]`; may be the memory of `q`.
  package func attend(
    _ q: MatrixView<Float>,
    to store: PairStore,
    head: Int,
    keys: Int,
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
      scratch.columns >= Self.pairScratch(keys: keys, headDim: store.headDim),
      "scratch too small"
    )
    guard q.rows > 0 else { return }
    var arguments = unsafe csimd_pair_attention_args(
      q: q.base,
      k: store.keys(of: head),
      v: store.values(of: head),
      out: out.base,
      scratch: scratch.base,
      q_stride: q.stride,
      out_stride: out.stride,
      queries: q.rows,
      keys: keys,
      first_query: 0,
      window: 0,
      head_dim: store.headDim,
      scale: scale,
      causal: false
    )
    unsafe table.pointee.pair_attention(&arguments)
  }
}
