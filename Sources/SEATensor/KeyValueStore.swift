// SPDX-License-Identifier: Apache-2.0
// Where the keys and values of a layer are stored.

internal import CSIMD

/// Element type of stored keys and values.
package enum CacheType: String, Sendable, CaseIterable {
  case float32 = "f32"
  case float16 = "f16"
  /// Codes with one scale for each head and position.
  case int8

  /// Bytes of one element.
  package var size: Int {
    switch self {
    case .float32: 4
    case .float16: 2
    case .int8: 1
    }
  }

  /// Rows of keys and of values have a scale each.
  package var isScaled: Bool { self == .int8 }

  var code: csimd_type {
    switch self {
    case .float32: .f32
    case .float16: .f16
    case .int8: .i8
    }
  }
}

/// Room for the keys and values of some KV heads of one layer.
///
/// Keys lie in blocks of 16 positions, `[position / 16][dim][position % 16]`, values as
/// `[position][dim]`, head after head; the scales of scaled types, `[head][position]`, follow both.
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
    let rows = heads * ((capacity + block - 1) / block * block)
    return 2 * (aligned(rows * headDim * type.size) + scaleBytes(rows, type))
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

  private var headBytes: Int { headDim * capacity * type.size }
  private var sideBytes: Int { Self.aligned(heads * headBytes) }

  @unsafe func keys(of head: Int) -> UnsafeMutableRawPointer {
    unsafe buffer.base + offset + head * headBytes
  }

  @unsafe func values(of head: Int) -> UnsafeMutableRawPointer {
    unsafe buffer.base + offset + sideBytes + head * headBytes
  }

  @unsafe func keyScales(of head: Int) -> UnsafeMutablePointer<Float>? {
    unsafe scales(side: 0, head)
  }

  @unsafe func valueScales(of head: Int) -> UnsafeMutablePointer<Float>? {
    unsafe scales(side: 1, head)
  }

  @unsafe private func scales(side: Int, _ head: Int) -> UnsafeMutablePointer<Float>? {
    guard type.isScaled else { return nil }
    let start = offset + 2 * sideBytes + side * Self.scaleBytes(heads * capacity, type)
    return unsafe (buffer.base + start).assumingMemoryBound(to: Float.self) + head * capacity
  }
}
