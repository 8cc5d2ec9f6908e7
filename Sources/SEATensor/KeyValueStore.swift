// SPDX-License-Identifier: Apache-2.0
// Where the keys and values of a layer are stored.

internal import CSIMD

/// Element type of stored keys and values.
package enum CacheType: String, Sendable, CaseIterable {
  case float32 = "f32"
  case float16 = "f16"
  /// In pairs that are multiplied together; queries and exponentials are rounded to bf16 too.
  case bfloat16 = "bf16"
  /// Codes with one scale for each head and position.
  case int8

  /// Bytes of one element.
  package var size: Int {
    switch self {
    case .float32: 4
    case .float16, .bfloat16: 2
    case .int8: 1
    }
  }

  /// Rows of keys and of values have a scale each.
  package var isScaled: Bool { self == .int8 }

  var code: csimd_type {
    switch self {
    case .float32: .f32
    case .float16: .f16
    case .bfloat16: .bf16
    case .int8: .i8
    }
  }
}

/// Room for the keys and values of some KV heads of one layer.
///
/// Keys lie in blocks of 16 positions, `[position / 16][dim][position % 16]`, values as
/// `[position][dim]`, head after head; the scales of scaled types, `[head][position]`, follow both.
/// bf16 lies as `CSIMD/pair_attention/pair_layout.h` draws it.
@safe package struct KeyValueStore: Sendable {
  /// KV heads.
  package let heads: Int
  /// Elements of one head.
  package let headDim: Int
  /// Positions there is room for, a multiple of 16.
  package let capacity: Int
  /// Element type.
  package let type: CacheType

  private let buffer: AlignedBuffer
  private let offset: Int

  /// Positions in a key block.
  package static let block = 16

  /// Bytes that a store needs.
  package static func byteCount(heads: Int, headDim: Int, capacity: Int, type: CacheType) -> Int {
    let positions = (capacity + block - 1) / block * block
    let (keys, values) = headBytes(headDim, positions, type)
    return aligned(heads * keys) + aligned(heads * values)
      + 2 * scaleBytes(heads * positions, type)
  }

  /// A store inside `buffer` from byte `offset`, a multiple of 64.
  package init(
    buffer: AlignedBuffer,
    offset: Int,
    heads: Int,
    headDim: Int,
    capacity: Int,
    type: CacheType
  ) {
    let bytes = Self.byteCount(heads: heads, headDim: headDim, capacity: capacity, type: type)
    precondition(offset >= 0 && offset % 64 == 0 && offset + bytes <= buffer.byteCount, "no room")
    self.buffer = buffer
    self.offset = offset
    self.heads = heads
    self.headDim = headDim
    self.capacity = (capacity + Self.block - 1) / Self.block * Self.block
    self.type = type
  }

  private static func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

  private static func scaleBytes(_ rows: Int, _ type: CacheType) -> Int {
    type.isScaled ? aligned(rows * MemoryLayout<Float>.size) : 0
  }

  /// Bytes of the keys, and of the values, of one head.
  private static func headBytes(
    _ headDim: Int,
    _ capacity: Int,
    _ type: CacheType
  ) -> (keys: Int, values: Int) {
    guard type == .bfloat16 else {
      let bytes = headDim * capacity * type.size
      return (bytes, bytes)
    }
    return (
      csimd_pair_keys_size(capacity, headDim) * type.size,
      csimd_pair_values_size(capacity, headDim) * type.size
    )
  }

  private var headBytes: (keys: Int, values: Int) { Self.headBytes(headDim, capacity, type) }

  private var sideBytes: Int {
    let (keys, values) = headBytes
    return Self.aligned(heads * keys) + Self.aligned(heads * values)
  }

  @unsafe func keys(of head: Int) -> UnsafeMutableRawPointer {
    unsafe buffer.base + offset + head * headBytes.keys
  }

  @unsafe func values(of head: Int) -> UnsafeMutableRawPointer {
    let (keys, values) = headBytes
    return unsafe buffer.base + offset + Self.aligned(heads * keys) + head * values
  }

  @unsafe func keyScales(of head: Int) -> UnsafeMutablePointer<Float>? {
    unsafe scales(side: 0, head)
  }

  @unsafe func valueScales(of head: Int) -> UnsafeMutablePointer<Float>? {
    unsafe scales(side: 1, head)
  }

  @unsafe private func scales(side: Int, _ head: Int) -> UnsafeMutablePointer<Float>? {
    guard type.isScaled else { return nil }
    let start = offset + sideBytes + side * Self.scaleBytes(heads * capacity, type)
    return unsafe (buffer.base + start).assumingMemoryBound(to: Float.self) + head * capacity
  }
}
