// SPDX-License-Identifier: Apache-2.0
// Stored elements of any type as f32.

internal import SEATensor

/// Turns stored elements into f32, at any alignment.
///
/// Integers and f64 are rounded to the nearest f32; bf16 and f16 are exact, subnormals and
/// non-finite values included.
enum ElementDecoder {
  /// Appends the elements stored in `bytes` to `values`.
  ///
  /// - Precondition: `bytes.count` is a multiple of the element size.
  static func append(_ bytes: ByteView, type: ElementType, to values: inout [Float]) {
    let count = bytes.count / type.size
    precondition(count * type.size == bytes.count, "\(bytes.count) bytes of \(type.rawValue)")
    switch type {
    case .float32: append(bytes, count, to: &values) { (bits: UInt32) in Float(bitPattern: bits) }
    case .float16: append(bytes, count, to: &values, float(half:))
    case .bfloat16:
      append(bytes, count, to: &values) { (bits: UInt16) in Float(bitPattern: UInt32(bits) << 16) }
    case .float64:
      append(bytes, count, to: &values) { (bits: UInt64) in Float(Double(bitPattern: bits)) }
    case .int64: append(bytes, count, to: &values) { (bits: Int64) in Float(bits) }
    case .int32: append(bytes, count, to: &values) { (bits: Int32) in Float(bits) }
    case .int16: append(bytes, count, to: &values) { (bits: Int16) in Float(bits) }
    case .int8: append(bytes, count, to: &values) { (bits: Int8) in Float(bits) }
    case .uint8, .bool: append(bytes, count, to: &values) { (bits: UInt8) in Float(bits) }
    }
  }

  /// The f32 with the value of an IEEE half.
  ///
  /// Written with integer operations and one exact subtraction, so that the loop around it is
  /// vectorised even where the baseline instruction set has no conversion.
  @inline(__always)
  static func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let exponent = magnitude & 0x0F80_0000
    let rebased = magnitude &+ (112 << 23)
    // Infinity and NaN keep an all-ones exponent.
    let special = rebased &+ (112 << 23)
    // A subnormal half is an integer multiple of 2⁻²⁴: read it beside 2⁻¹⁴ and subtract that.
    let subnormal = Float(bitPattern: rebased &+ (1 << 23)) - Float(bitPattern: 113 << 23)
    let value =
      exponent == 0x0F80_0000 ? special : exponent == 0 ? subnormal.bitPattern : rebased
    return Float(bitPattern: sign | value)
  }

  /// The loop of all cases: one unaligned little-endian load and one conversion an element.
  @inline(__always)
  private static func append<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: ByteView,
    _ count: Int,
    to values: inout [Float],
    _ convert: (Bits) -> Float,
  ) {
    let width = MemoryLayout<Bits>.size
    let start = values.count
    values.append(contentsOf: repeatElement(0, count: count))
    // Checked element access would keep the loop from being vectorised: `bytes` covers `count`
    // elements by the precondition above, and `values` has just grown by as many.
    unsafe bytes.withUnsafeBytes { source in
      unsafe values.withUnsafeMutableBufferPointer { target in
        for index in 0..<count {
          let bits = unsafe source.loadUnaligned(fromByteOffset: index * width, as: Bits.self)
          unsafe target[start + index] = convert(Bits(littleEndian: bits))
        }
      }
    }
  }
}
