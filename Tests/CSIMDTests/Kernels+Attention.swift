// SPDX-License-Identifier: Apache-2.0
// Attention and its store on arrays.

import CSIMD
import TestSupport
import Testing

/// Queries, keys and values of one head.
struct AttentionCase {
  var queries: Int
  var keys: Int
  var dim: Int
  var isCausal: Bool
  var first = 0
  var window = 0
  var type = csimd_type.f32
  var scale: Float = 0.125
}

/// Stored keys and values of one head as raw bytes.
struct Cache: Equatable {
  var k: [UInt8]
  var v: [UInt8]
  /// Bits of the scales of int8 rows, whole blocks; empty for other types.
  var kScales: [UInt32] = []
  var vScales: [UInt32] = []

  /// Room for `capacity` keys filled with `byte`; 0xff makes every float a NaN.
  init(capacity: Int, dim: Int, type: csimd_type, byte: UInt8 = 0xff) {
    let size = type == .i8 ? 1 : type == .f16 ? 2 : 4
    let whole = (capacity + 15) / 16 * 16
    k = [UInt8](repeating: byte, count: whole * dim * size)
    v = [UInt8](repeating: byte, count: capacity * dim * size)
    guard type == .i8 else { return }
    kScales = [UInt32](repeating: UInt32(byte) * 0x0101_0101, count: whole)
    vScales = kScales
  }
}

/// The scales of a cache between guard pages; null where there are none.
struct GuardedScales {
  let buffer: GuardedBuffer<UInt32>

  var pointer: UnsafeMutablePointer<Float>? {
    buffer.count == 0
      ? nil : UnsafeMutableRawPointer(buffer.pointer).assumingMemoryBound(to: Float.self)
  }
}

extension Kernels {
  func store(
    k: [Float],
    v: [Float],
    dim: Int,
    first: Int,
    type: csimd_type,
    into cache: Cache,
    stride: Int? = nil
  ) -> Cache {
    let stride = stride ?? dim
    let tokens = k.isEmpty ? 0 : (k.count - dim) / stride + 1
    let (keys, values) = (guarded(k), guarded(v))
    let (blocks, rows) = (guarded(cache.k), guarded(cache.v))
    let kScales = GuardedScales(buffer: guarded(cache.kScales))
    let vScales = GuardedScales(buffer: guarded(cache.vScales))
    table.pointee.kv_store(
      keys.pointer,
      values.pointer,
      stride,
      tokens,
      dim,
      first,
      type,
      blocks.pointer,
      rows.pointer,
      kScales.pointer,
      vScales.pointer
    )
    var result = cache
    (result.k, result.v) = (finish(blocks), finish(rows))
    (result.kScales, result.vScales) = (finish(kScales.buffer), finish(vScales.buffer))
    return result
  }

  func attend(
    _ q: [Float],
    _ cache: Cache,
    _ shape: AttentionCase,
    qStride: Int? = nil,
    outStride: Int? = nil
  ) -> [Float] {
    let outStride = outStride ?? shape.dim
    let (queries, blocks, rows) = (guarded(q), guarded(cache.k), guarded(cache.v))
    let kScales = GuardedScales(buffer: guarded(cache.kScales))
    let vScales = GuardedScales(buffer: guarded(cache.vScales))
    let scratchCount = csimd_attention_scratch(shape.keys, shape.dim)
    let scratch = guarded([Float](repeating: .nan, count: scratchCount))
    let out = guarded(Self.rows(shape.queries, stride: outStride, width: shape.dim))
    var arguments = csimd_attention_args(
      q: queries.pointer,
      k: blocks.pointer,
      v: rows.pointer,
      k_scales: kScales.pointer,
      v_scales: vScales.pointer,
      out: out.pointer,
      scratch: scratch.pointer,
      q_stride: qStride ?? shape.dim,
      out_stride: outStride,
      queries: shape.queries,
      keys: shape.keys,
      first_query: shape.first,
      window: shape.window,
      head_dim: shape.dim,
      scale: shape.scale,
      kv: shape.type,
      causal: shape.isCausal
    )
    withExtendedLifetime((queries, blocks, rows, kScales, vScales)) {
      table.pointee.attention(&arguments)
    }
    #expect(scratch.isIntactOutside)
    return finish(out)
  }
}
