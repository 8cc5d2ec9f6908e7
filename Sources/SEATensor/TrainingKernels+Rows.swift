// SPDX-License-Identifier: Apache-2.0
// Training kernels on rows: norms, activations, sums and the optimiser's step.

internal import CSIMD

/// The numbers of one AdamW step.
package struct AdamWStep: Sendable, Equatable {
  /// Multiplies the gradient: clipping, averaging.
  package var gradientScale: Float = 1
  package var learningRate: Double
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8
  package var weightDecay = 0.0
  /// Counted from 1; corrects the moments' bias.
  package var step: Int

  /// A step with PyTorch's defaults and no decay.
  package init(learningRate: Double, step: Int) {
    precondition(step >= 1, "step \(step)")
    self.learningRate = learningRate
    self.step = step
  }

  fileprivate var kernelArgument: csimd_adamw {
    var (power1, power2) = (1.0, 1.0)
    for (base, result) in [(beta1, 1), (beta2, 2)] {
      var (factor, exponent, value) = (base, step, 1.0)
      while exponent > 0 {
        if exponent & 1 == 1 { value *= factor }
        factor *= factor
        exponent >>= 1
      }
      if result == 1 { power1 = value } else { power2 = value }
    }
    return csimd_adamw(
      clip: gradientScale,
      decay: Float(1 - learningRate * weightDecay),
      rest1: Float(1 - beta1),
      beta2: Float(beta2),
      rest2: Float(1 - beta2),
      step: Float(learningRate / (1 - power1)),
      root: Float(1 / (1 - power2).squareRoot()),
      epsilon: Float(epsilon)
    )
  }
}

extension TrainingKernels {
  // MARK: - Norms

  /// LayerNorm (`bias` given) or RMSNorm of each row; weights are vectors that may change.
  package func norm(
    _ x: MatrixView<Float>,
    weight: MatrixView<Float>,
    bias: MatrixView<Float>?,
    epsilon: Float,
    into y: MatrixView<Float>
  ) {
    precondition(
      x.rows == y.rows && x.columns == y.columns && weight.rows == 1
        && weight.columns == x.columns
        && bias.map { $0.rows == 1 && $0.columns == x.columns }
          ?? true,
      "norm of \(x.rows)×\(x.columns) does not fit"
    )
    guard x.rows > 0 else { return }
    let kernels = unsafe inference.table.pointee
    if let bias {
      unsafe kernels.layer_norm(
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
    } else {
      unsafe kernels.rms_norm(
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
  }

  /// `dx +=` the input gradient of a norm; `statistics` (`[rows, 2]`) serves `normWeightBackward`.
  package func normBackward(
    _ x: MatrixView<Float>,
    _ dy: MatrixView<Float>,
    weight: MatrixView<Float>,
    epsilon: Float,
    isCentered: Bool,
    addingTo dx: MatrixView<Float>,
    statistics: MatrixView<Float>
  ) {
    checkSameShape(x, dy)
    checkSameShape(x, dx)
    precondition(
      weight.rows == 1 && weight.columns == x.columns && statistics.rows == x.rows
        && statistics.columns == 2 && statistics.stride == 2,
      "norm width differs"
    )
    guard x.rows > 0 else { return }
    unsafe table.pointee.norm_backward(
      x.base,
      x.stride,
      dy.base,
      dy.stride,
      x.rows,
      x.columns,
      weight.base,
      epsilon,
      isCentered,
      dx.base,
      dx.stride,
      statistics.base
    )
  }

  /// `dweight +=`, `dbias +=` the weight gradients of a norm for the columns of the views.
  package func normWeightBackward(
    _ x: MatrixView<Float>,
    _ dy: MatrixView<Float>,
    statistics: MatrixView<Float>,
    weight: MatrixView<Float>,
    bias: MatrixView<Float>?
  ) {
    checkSameShape(x, dy)
    precondition(
      statistics.rows == x.rows && statistics.columns == 2 && statistics.stride == 2
        && weight.rows == 1 && weight.columns == x.columns
        && bias.map { $0.rows == 1 && $0.columns == x.columns } ?? true,
      "norm width differs"
    )
    guard x.rows > 0, x.columns > 0 else { return }
    unsafe table.pointee.norm_weight_backward(
      x.base,
      x.stride,
      dy.base,
      dy.stride,
      x.rows,
      x.columns,
      statistics.base,
      weight.base,
      bias?.base
    )
  }

  // MARK: - Activations

  /// `dx = dy · f'(x)`; `dx` may be the memory of either input.
  package func activateBackward(
    _ f: Activation,
    _ x: MatrixView<Float>,
    _ dy: MatrixView<Float>,
    into dx: MatrixView<Float>
  ) {
    checkSameShape(x, dy)
    checkSameShape(x, dx)
    for row in 0..<x.rows {
      unsafe table.pointee.activate_backward(
        f.code,
        x.base + row * x.stride,
        dy.base + row * dy.stride,
        dx.base + row * dx.stride,
        x.columns
      )
    }
  }

  /// `gate` and `up` become dL/d gate and dL/d up of `y = f(gate) · up`.
  package func gateBackward(
    _ f: Activation,
    gate: MatrixView<Float>,
    up: MatrixView<Float>,
    _ dy: MatrixView<Float>
  ) {
    checkSameShape(gate, up)
    checkSameShape(gate, dy)
    for row in 0..<gate.rows {
      let (left, right) = unsafe (gate.base + row * gate.stride, up.base + row * up.stride)
      unsafe table.pointee.gate_backward(
        f.code,
        left,
        right,
        dy.base + row * dy.stride,
        left,
        right,
        gate.columns
      )
    }
  }

  /// `y = f(gate) · up`.
  package func gate(
    _ f: Activation,
    _ gate: MatrixView<Float>,
    up: MatrixView<Float>,
    into y: MatrixView<Float>
  ) {
    checkSameShape(gate, up)
    checkSameShape(gate, y)
    for row in 0..<gate.rows {
      unsafe inference.table.pointee.gate(
        f.code,
        gate.base + row * gate.stride,
        up.base + row * up.stride,
        y.base + row * y.stride,
        gate.columns
      )
    }
  }

  /// `y = x` widened from bf16.
  package func widen(_ x: MatrixView<UInt16>, into y: MatrixView<Float>) {
    precondition(x.rows == y.rows && x.columns == y.columns, "shapes differ")
    for row in 0..<x.rows {
      unsafe inference.table.pointee.bf16_to_f32(
        x.base + row * x.stride,
        y.base + row * y.stride,
        x.columns
      )
    }
  }

  // MARK: - Sums

  /// `y += factor · x`.
  package func add(_ x: MatrixView<Float>, times factor: Float, to y: MatrixView<Float>) {
    checkSameShape(x, y)
    for row in 0..<x.rows {
      unsafe table.pointee.axpy(
        factor,
        x.base + row * x.stride,
        y.base + row * y.stride,
        x.columns
      )
    }
  }

  /// `y += x` for each row of `y`; `x` is `[1, columns]`.
  package func add(row x: MatrixView<Float>, toRowsOf y: MatrixView<Float>) {
    precondition(x.rows == 1 && x.columns == y.columns, "width differs")
    for row in 0..<y.rows {
      unsafe inference.table.pointee.add(x.base, y.base + row * y.stride, y.columns)
    }
  }

  /// `y += Σ rows of x`; `y` is `[1, columns]`.
  package func addColumnSums(of x: MatrixView<Float>, to y: MatrixView<Float>) {
    precondition(y.rows == 1 && y.columns == x.columns, "width differs")
    guard x.rows > 0, x.columns > 0 else { return }
    unsafe table.pointee.column_sums(x.base, x.stride, x.rows, x.columns, y.base)
  }

  /// `Σ x²` over all elements: rows one after the other, in f64.
  package func sumOfSquares(_ x: MatrixView<Float>) -> Double {
    var total = 0.0
    if x.stride == x.columns {
      return unsafe table.pointee.sum_of_squares(x.base, x.rows * x.columns)
    }
    for row in 0..<x.rows {
      unsafe total += table.pointee.sum_of_squares(x.base + row * x.stride, x.columns)
    }
    return total
  }

  /// `out[i] = Σ_c a[i, c] · b[i, c]`; `out` is `[1, rows]`.
  package func rowProducts(
    _ a: MatrixView<Float>,
    _ b: MatrixView<Float>,
    into out: MatrixView<Float>
  ) {
    checkSameShape(a, b)
    precondition(out.rows == 1 && out.columns == a.rows, "\(out.columns) sums of \(a.rows) rows")
    guard a.rows > 0 else { return }
    unsafe table.pointee.row_products(
      a.base,
      a.stride,
      b.base,
      b.stride,
      a.rows,
      a.columns,
      out.base
    )
  }

  // MARK: - Optimiser

  /// One AdamW step on values and moments of the same shape, as PyTorch computes it.
  package func adamW(
    _ step: AdamWStep,
    _ weights: MatrixView<Float>,
    first: MatrixView<Float>,
    second: MatrixView<Float>,
    gradient: MatrixView<Float>
  ) {
    checkSameShape(weights, first)
    checkSameShape(weights, second)
    checkSameShape(weights, gradient)
    var argument = step.kernelArgument
    for row in 0..<weights.rows {
      unsafe table.pointee.adamw(
        &argument,
        weights.base + row * weights.stride,
        first.base + row * first.stride,
        second.base + row * second.stride,
        gradient.base + row * gradient.stride,
        weights.columns
      )
    }
  }

  func checkSameShape(_ x: MatrixView<Float>, _ y: MatrixView<Float>) {
    precondition(
      x.rows == y.rows && x.columns == y.columns,
      "\(x.rows)×\(x.columns) against \(y.rows)×\(y.columns)"
    )
  }
}
