// SPDX-License-Identifier: Apache-2.0
// NaN and infinities in weights: counted always, replaced where codes cannot hold them.

import SEATensor

/// The rules for values that are not finite.
///
/// Plain f32 and bf16 tensors keep them. int8 and int4 codes cannot, and one infinity would take the scale of
/// its whole group with it: NaN becomes 0, an infinity the largest finite magnitude of its row, signed.
enum NonFinite {
  /// Values of `matrix` that are NaN or infinite.
  static func count(in matrix: MatrixView<Float>) -> Int {
    var count = 0
    for row in 0..<matrix.rows {
      matrix.withRow(row) { values in
        let span = values.span
        // Exponent bits all ones: the branchless form is what makes a pass over gigabytes cheap.
        var found: UInt32 = 0
        for index in span.indices {
          found &+= (span[index].bitPattern & 0x7f80_0000) == 0x7f80_0000 ? 1 : 0
        }
        count += Int(found)
      }
    }
    return count
  }

  /// Replaces values that are not finite as codes need it.
  static func replace(in matrix: MatrixView<Float>) {
    for row in 0..<matrix.rows {
      matrix.withRow(row) { values in
        var values = values
        var largest: Float = 0
        for index in values.indices where values[index].isFinite {
          largest = max(largest, values[index].magnitude)
        }
        for index in values.indices where !values[index].isFinite {
          let value = values[index]
          values[index] = value.isNaN ? 0 : value > 0 ? largest : -largest
        }
      }
    }
  }

  /// Zeroes both values wherever either is not finite.
  static func drop(_ row: Int, of given: MatrixView<Float>, and stored: MatrixView<Float>) {
    for column in 0..<given.columns
    where !given[row, column].isFinite || !stored[0, column].isFinite {
      given[row, column] = 0
      stored[0, column] = 0
    }
  }
}

/// bf16 bits as f32 values.
enum BFloat16Row {
  /// Widens a row of bits, exactly.
  static func widen(_ bits: MatrixView<UInt16>, into values: MatrixView<Float>) {
    bits.withRow(0) { bits in
      let source = bits.span
      values.withRow(0) { values in
        var values = values
        for index in source.indices {
          values[index] = Float(bitPattern: UInt32(source[index]) << 16)
        }
      }
    }
  }
}
