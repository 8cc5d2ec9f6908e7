// SPDX-License-Identifier: Apache-2.0
// f32 values as stored elements of the types that checkpoints use.

internal import SEATensor

/// Turns f32 into stored elements, little-endian, rounded to nearest even.
enum ElementEncoder {
  /// The types that are written; values of others become f32.
  static func writable(_ type: ElementType) -> ElementType {
    switch type {
    case .bfloat16, .float16: type
    default: .float32
    }
  }

  /// Replaces the content of `bytes` by the elements of `values`.
  ///
  /// - Precondition: `type` is one of two bytes.
  static func encode(_ values: [Float], as type: ElementType, into bytes: inout [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    bytes.reserveCapacity(values.count * type.size)
    switch type {
    case .bfloat16: for value in values { append(bfloat16(value), to: &bytes) }
    case .float16: for value in values { append(Float16(value).bitPattern, to: &bytes) }
    default: preconditionFailure("\(type.rawValue) is written as f32")
    }
  }

  /// True when every value is one that `type` can hold.
  static func isExact(_ values: [Float], as type: ElementType) -> Bool {
    switch type {
    case .bfloat16: values.allSatisfy { $0.bitPattern & 0xFFFF == 0 }
    case .float16: values.allSatisfy { Float(Float16($0)).bitPattern == $0.bitPattern }
    default: true
    }
  }

  /// The upper half of the nearest bfloat16; NaN stays NaN.
  private static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    guard !value.isNaN else { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  @inline(__always)
  private static func append(_ bits: UInt16, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: bits))
    bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
  }
}
