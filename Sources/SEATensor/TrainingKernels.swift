// SPDX-License-Identifier: Apache-2.0
// The training half of the door to C: products of matrices.

internal import CSIMD

/// A matrix that takes part in a product, stored as f32 or bf16, perhaps with rows and columns
/// exchanged.
package struct ProductOperand: Sendable {
  fileprivate enum Values: Sendable {
    case float32(MatrixView<Float>)
    case bfloat16(MatrixView<UInt16>)
  }

  fileprivate let values: Values
  /// Stored as `[columns, rows]`.
  package let isTransposed: Bool
  /// Rows as the product sees them.
  package let rows: Int
  /// Columns as the product sees them.
  package let columns: Int

  /// f32 values.
  package init(_ values: MatrixView<Float>, transposed: Bool = false) {
    self.values = .float32(values)
    isTransposed = transposed
    rows = transposed ? values.columns : values.rows
    columns = transposed ? values.rows : values.columns
  }

  /// bf16 values.
  package init(_ values: MatrixView<UInt16>, transposed: Bool = false) {
    self.values = .bfloat16(values)
    isTransposed = transposed
    rows = transposed ? values.columns : values.rows
    columns = transposed ? values.rows : values.columns
  }

  /// Some rows, as the product sees them.
  package func rows(_ range: Range<Int>) -> ProductOperand {
    slice {
      isTransposed ? $0.columns(range) : $0.rows(range)
    } _: {
      isTransposed ? $0.columns(range) : $0.rows(range)
    }
  }

  /// Some columns, as the product sees them.
  package func columns(_ range: Range<Int>) -> ProductOperand {
    slice {
      isTransposed ? $0.rows(range) : $0.columns(range)
    } _: {
      isTransposed ? $0.rows(range) : $0.columns(range)
    }
  }

  private func slice(
    _ floats: (MatrixView<Float>) -> MatrixView<Float>,
    _ halves: (MatrixView<UInt16>) -> MatrixView<UInt16>
  ) -> ProductOperand {
    switch values {
    case .float32(let values): ProductOperand(floats(values), transposed: isTransposed)
    case .bfloat16(let values): ProductOperand(halves(values), transposed: isTransposed)
    }
  }

  fileprivate var kernelArgument: csimd_operand {
    switch values {
    case .float32(let values):
      unsafe csimd_operand(
        data: UnsafeRawPointer(values.base),
        stride: values.stride,
        type: .f32,
        transposed: isTransposed
      )
    case .bfloat16(let values):
      unsafe csimd_operand(
        data: UnsafeRawPointer(values.base),
        stride: values.stride,
        type: .bf16,
        transposed: isTransposed
      )
    }
  }
}

/// The training kernels of one instruction-set level beside its inference kernels.
///
/// Methods are single-threaded, allocate nothing and trap on shapes that do not fit. Results never
/// depend on how rows and columns are shared out.
@safe package struct TrainingKernels: @unchecked Sendable {  // the table is immutable static memory
  let table: UnsafePointer<csimd_train_table>

  /// The inference kernels of the same level.
  package let inference: Kernels

  /// Bytes of scratch of one product, whatever its size.
  package static let productScratch = Int(CSIMD_PRODUCT_SCRATCH)

  /// The training kernels of the level of `kernels`.
  ///
  /// - Parameters:
  ///   - kernels: the inference kernels.
  ///   - widensBFloat16: leave the processor's own bf16 products aside, for comparisons.
  package init(_ kernels: Kernels, widensBFloat16: Bool = false) {
    let code = kernels.instructionSet.code
    let table =
      unsafe widensBFloat16
      ? csimd_train_table_widening(code) : csimd_train_table_for(code)
    guard let table = unsafe table else {
      preconditionFailure("the inference kernels of \(kernels.instructionSet) run, so must these")
    }
    unsafe self.table = table
    inference = kernels
  }

  /// True when bf16 products use the processor's own instructions.
  package var multipliesBFloat16: Bool { unsafe table.pointee.multiplies_bf16 }

  /// `c = a · b`, or `c += a · b`; sums in f32, in order.
  ///
  /// - Parameters:
  ///   - a: `[m, k]`.
  ///   - b: `[k, n]`.
  ///   - c: `[m, n]`.
  ///   - accumulates: add to what `c` holds.
  ///   - rounds: f32 operands are rounded to bf16.
  ///   - scratch: `[1, productScratch]` bytes, 64-byte aligned.
  package func multiply(
    _ a: ProductOperand,
    _ b: ProductOperand,
    into c: MatrixView<Float>,
    accumulates: Bool = false,
    rounds: Bool,
    scratch: MatrixView<UInt8>
  ) {
    precondition(
      a.columns == b.rows && c.rows == a.rows && c.columns == b.columns,
      "\(a.rows)×\(a.columns) · \(b.rows)×\(b.columns) does not give \(c.rows)×\(c.columns)"
    )
    let isAligned = unsafe Int(bitPattern: scratch.base) % 64 == 0
    precondition(
      isAligned && scratch.columns >= Self.productScratch,
      "scratch too small or not aligned"
    )
    guard c.rows > 0, c.columns > 0 else { return }
    var argument = unsafe csimd_product(
      a: a.kernelArgument,
      b: b.kernelArgument,
      c: c.base,
      c_stride: c.stride,
      m: c.rows,
      n: c.columns,
      k: a.columns,
      accumulate: accumulates,
      scratch: UnsafeMutableRawPointer(scratch.base)
    )
    if rounds {
      unsafe table.pointee.bf16_product(&argument)
    } else {
      unsafe table.pointee.f32_product(&argument)
    }
  }

  /// Writes part of a packed matrix as f32 or bf16.
  ///
  /// - Parameters:
  ///   - w: packed weights.
  ///   - rows: rows to write, from a multiple of 32.
  ///   - columns: columns to write, from a multiple of 64.
  ///   - out: `[rows, columns]`.
  package func unpack(
    _ w: PackedMatrix,
    rows: Range<Int>,
    columns: Range<Int>,
    into out: MatrixView<UInt16>
  ) {
    check(w, rows, columns, out.rows, out.columns)
    var argument = unsafe w.kernelArgument
    unsafe table.pointee.q8_unpack(
      &argument,
      rows.lowerBound,
      rows.count,
      columns.lowerBound,
      columns.count,
      .bf16,
      UnsafeMutableRawPointer(out.base),
      out.stride
    )
  }

  /// Writes part of a packed matrix as f32; see the other form.
  package func unpack(
    _ w: PackedMatrix,
    rows: Range<Int>,
    columns: Range<Int>,
    into out: MatrixView<Float>
  ) {
    check(w, rows, columns, out.rows, out.columns)
    var argument = unsafe w.kernelArgument
    unsafe table.pointee.q8_unpack(
      &argument,
      rows.lowerBound,
      rows.count,
      columns.lowerBound,
      columns.count,
      .f32,
      UnsafeMutableRawPointer(out.base),
      out.stride
    )
  }

  private func check(
    _ w: PackedMatrix,
    _ rows: Range<Int>,
    _ columns: Range<Int>,
    _ height: Int,
    _ width: Int
  ) {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= w.rows && rows.lowerBound % 32 == 0
        && columns.lowerBound >= 0 && columns.upperBound <= w.columns
        && columns.lowerBound % 64 == 0 && height == rows.count && width == columns.count,
      "rows \(rows), columns \(columns) of \(w.rows)×\(w.columns)"
    )
  }
}
