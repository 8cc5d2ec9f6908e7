// SPDX-License-Identifier: Apache-2.0
// Float kernels: matrices, norms, activations, rotary positions and conversions.

internal import CSIMD

/// Element-wise nonlinearity.
package enum Activation: String, Sendable, CaseIterable {
  /// GELU by its tanh approximation.
  case geluTanh = "gelu_tanh"
  /// GELU by the error function.
  case geluErf = "gelu_erf"
  /// `x · sigmoid(1.702 x)`.
  case quickGelu = "quick_gelu"
  /// `x · sigmoid(x)`.
  case silu = "silu"

  var code: csimd_activation {
    switch self {
    case .geluTanh: .gelu_tanh
    case .geluErf: .gelu_erf
    case .quickGelu: .quick_gelu
    case .silu: .silu
    }
  }
}

extension Kernels {
  /// `y[t, n] = Σ x[t, k] · w[n, k] (+ bias[n])` for the weight rows of `rows`.
  ///
  /// - Parameters:
  ///   - x: `[tokens, columns]`.
  ///   - w: stored weights.
  ///   - rows: rows of `w` to compute.
  ///   - bias: one value a row of `w`.
  ///   - y: `[tokens, rows of w]`, the whole output.
  package func multiply(
    _ x: MatrixView<Float>,
    _ w: PlainMatrix,
    rows: Range<Int>,
    bias: FloatVector?,
    into y: MatrixView<Float>
  ) {
    precondition(
      x.columns == w.columns && x.rows == y.rows && y.columns == w.rows,
      "\(x.rows)×\(x.columns) · \(w.rows)×\(w.columns)ᵀ does not give \(y.rows)×\(y.columns)"
    )
    precondition(rows.lowerBound >= 0 && rows.upperBound <= w.rows, "rows \(rows) of \(w.rows)")
    precondition(bias.map { $0.count == w.rows } ?? true, "bias does not fit")
    guard x.rows > 0, !rows.isEmpty else { return }
    switch w.storage {
    case .float32:
      unsafe table.pointee.f32_gemm(
        x.base,
        x.stride,
        x.rows,
        w.bytes.address.assumingMemoryBound(to: Float.self),
        w.columns,
        rows.lowerBound,
        rows.count,
        bias?.base,
        y.base,
        y.stride
      )
    case .bfloat16:
      unsafe table.pointee.bf16_gemm(
        x.base,
        x.stride,
        x.rows,
        w.bytes.address.assumingMemoryBound(to: UInt16.self),
        w.columns,
        rows.lowerBound,
        rows.count,
        bias?.base,
        y.base,
        y.stride
      )
    }
  }

  /// `y = x wᵀ (+ bias)` with f32 weights held in a buffer, for matrices read piece by piece.
  ///
  /// - Parameters:
  ///   - x: `[tokens, columns]`.
  ///   - w: `[rows, columns]`, rows contiguous.
  ///   - bias: one value a row of `w`.
  ///   - y: `[tokens, rows]`.
  package func multiply(
    _ x: MatrixView<Float>,
    _ w: MatrixView<Float>,
    bias: FloatVector?,
    into y: MatrixView<Float>
  ) {
    precondition(
      x.columns == w.columns && x.rows == y.rows && y.columns == w.rows && w.stride == w.columns,
      "shapes do not fit"
    )
    precondition(bias.map { $0.count == w.rows } ?? true, "bias does not fit")
    guard x.rows > 0, w.rows > 0 else { return }
    unsafe table.pointee.f32_gemm(
      x.base,
      x.stride,
      x.rows,
      w.base,
      w.columns,
      0,
      w.rows,
      bias?.base,
      y.base,
      y.stride
    )
  }

  /// Writes row `row` of `w`, widened to f32, into `out` (`[1, columns]`).
  package func unpack(_ w: PlainMatrix, row: Int, into out: MatrixView<Float>) {
    precondition(row >= 0 && row < w.rows && out.rows == 1 && out.columns == w.columns, "bad row")
    let start = unsafe w.bytes.address + row * w.columns * w.storage.size
    switch w.storage {
    case .float32:
      unsafe out.base.update(from: start.assumingMemoryBound(to: Float.self), count: w.columns)
    case .bfloat16:
      unsafe table.pointee.bf16_to_f32(
        start.assumingMemoryBound(to: UInt16.self),
        out.base,
        w.columns
      )
    }
  }

  /// LayerNorm of each row; `y` may be the memory of `x`.
  package func layerNorm(
    _ x: MatrixView<Float>,
    weight: FloatVector,
    bias: FloatVector,
    epsilon: Float,
    into y: MatrixView<Float>
  ) {
    checkSameShape(x, y)
    precondition(weight.count == x.columns && bias.count == x.columns, "norm width differs")
    guard x.rows > 0 else { return }
    unsafe table.pointee.layer_norm(
      x.base,
      x.stride,
      x.rows,
      x.columns,
      weight.base,
      bias.base,
      epsilon,
      y.base,
      y.stride
    )
  }

  /// Scales each row to unit root mean square, then by `weight`; `y` may be the memory of `x`.
  package func rmsNorm(
    _ x: MatrixView<Float>,
    weight: FloatVector,
    epsilon: Float,
    into y: MatrixView<Float>
  ) {
    checkSameShape(x, y)
    precondition(weight.count == x.columns, "norm width differs")
    guard x.rows > 0 else { return }
    unsafe table.pointee.rms_norm(
      x.base,
      x.stride,
      x.rows,
      x.columns,
      weight.base,
      epsilon,
      y.base,
      y.stride
    )
  }

  /// `x = f(x)`.
  package func activate(_ f: Activation, _ x: MatrixView<Float>) {
    for row in 0..<x.rows {
      unsafe table.pointee.activate(f.code, x.base + row * x.stride, x.columns)
    }
  }

  /// `gate = f(gate) · up`.
  package func gate(_ f: Activation, _ gate: MatrixView<Float>, up: MatrixView<Float>) {
    checkSameShape(gate, up)
    for row in 0..<gate.rows {
      let target = unsafe gate.base + row * gate.stride
      unsafe table.pointee.gate(f.code, target, up.base + row * up.stride, target, gate.columns)
    }
  }

  /// `y += x`.
  package func add(_ x: MatrixView<Float>, to y: MatrixView<Float>) {
    checkSameShape(x, y)
    for row in 0..<x.rows {
      unsafe table.pointee.add(x.base + row * x.stride, y.base + row * y.stride, x.columns)
    }
  }

  /// `y += x` for each row of `y`.
  package func add(_ x: FloatVector, toRowsOf y: MatrixView<Float>) {
    precondition(x.count == y.columns, "width differs")
    for row in 0..<y.rows {
      unsafe table.pointee.add(x.base, y.base + row * y.stride, y.columns)
    }
  }

  /// `x *= factor`.
  package func scale(_ x: MatrixView<Float>, by factor: Float) {
    for row in 0..<x.rows {
      unsafe table.pointee.scale(factor, x.base + row * x.stride, x.columns)
    }
  }

  /// Rotates the half-split pairs of every head by each row's angles.
  ///
  /// - Parameters:
  ///   - x: `[tokens, heads · headDim]`.
  ///   - headDim: elements of one head, even.
  ///   - cosines: `[tokens, headDim / 2]`.
  ///   - sines: `[tokens, headDim / 2]`, with the stride of `cosines`.
  package func rotary(
    _ x: MatrixView<Float>,
    headDim: Int,
    cosines: MatrixView<Float>,
    sines: MatrixView<Float>
  ) {
    precondition(headDim > 0 && headDim % 2 == 0 && x.columns % headDim == 0, "head dim \(headDim)")
    precondition(
      cosines.rows == x.rows && sines.rows == x.rows && cosines.columns == headDim / 2
        && sines.columns == headDim / 2 && cosines.stride == sines.stride,
      "angles do not fit"
    )
    guard x.rows > 0 else { return }
    unsafe table.pointee.rotary(
      x.base,
      x.stride,
      x.rows,
      x.columns / headDim,
      headDim,
      cosines.base,
      sines.base,
      cosines.stride
    )
  }

  /// Rounds f32 to bf16.
  package func convert(_ x: MatrixView<Float>, toBFloat16 y: MatrixView<UInt16>) {
    precondition(x.rows == y.rows && x.columns == y.columns, "shapes differ")
    for row in 0..<x.rows {
      unsafe table.pointee.f32_to_bf16(x.base + row * x.stride, y.base + row * y.stride, x.columns)
    }
  }

  /// Widens stored bf16 or f16 bits at any alignment to f32.
  ///
  /// - Precondition: `type` is `.bfloat16` or `.float16` and the counts agree.
  package func widen(_ bytes: ByteView, type: ElementType, into y: MatrixView<Float>) {
    precondition(y.rows == 1 && bytes.count == y.columns * 2, "sizes differ")
    guard y.columns > 0 else { return }
    // The kernels load with unaligned instructions; the type only states the element width.
    let source = unsafe bytes.address.assumingMemoryBound(to: UInt16.self)
    switch type {
    case .bfloat16: unsafe table.pointee.bf16_to_f32(source, y.base, y.columns)
    case .float16: unsafe table.pointee.f16_to_f32(source, y.base, y.columns)
    default: preconditionFailure("no widening for \(type)")
    }
  }

  private func checkSameShape(_ x: MatrixView<Float>, _ y: MatrixView<Float>) {
    precondition(
      x.rows == y.rows && x.columns == y.columns,
      "\(x.rows)×\(x.columns) against \(y.rows)×\(y.columns)"
    )
  }
}
