// SPDX-License-Identifier: Apache-2.0
// Packed kernels: quantise activations to int8, multiply with int8 or int4 weights, pack weights.

internal import CSIMD

/// Token activations quantised to int8, with a scale per token and group of inputs.
package struct PackedActivations: Sendable {
  /// Codes `[tokens, groups · group]`, padding inputs 0.
  package let codes: MatrixView<Int8>
  /// Scales `[tokens, groups]`.
  package let scales: MatrixView<Float>
  /// -128 · Σ codes of each group `[tokens, groups]`: the start of the integer sums, which undoes the
  /// shift of the stored weights.
  package let sums: MatrixView<Int32>

  /// Views that must agree in rows and groups.
  package init(codes: MatrixView<Int8>, scales: MatrixView<Float>, sums: MatrixView<Int32>) {
    precondition(
      codes.rows == scales.rows && scales.rows == sums.rows && scales.columns == sums.columns
        && scales.stride == sums.stride,
      "activation views disagree"
    )
    self.codes = codes
    self.scales = scales
    self.sums = sums
  }

  /// Number of tokens.
  package var tokens: Int { codes.rows }

  /// The tokens of `range`.
  package func rows(_ range: Range<Int>) -> PackedActivations {
    PackedActivations(codes: codes.rows(range), scales: scales.rows(range), sums: sums.rows(range))
  }

  var kernelArgument: csimd_q8_activations {
    unsafe csimd_q8_activations(
      codes: codes.base,
      scales: scales.base,
      sums: sums.base,
      row_stride: codes.stride,
      group_stride: scales.stride
    )
  }

  func check(tokens: Int, columns: Int, group: Int) {
    let groups = (columns + group - 1) / group
    precondition(
      self.tokens == tokens && codes.columns >= groups * group && scales.columns >= groups,
      "activations do not fit \(tokens) tokens of \(columns) inputs"
    )
  }
}

extension Kernels {
  /// Quantises each row of `x` per group: `scale = absmax / 127`, `code = round(x / scale)`.
  package func quantize(_ x: MatrixView<Float>, group: Int, into y: PackedActivations) {
    y.check(tokens: x.rows, columns: x.columns, group: group)
    guard x.rows > 0 else { return }
    unsafe table.pointee.q8_quantize(
      x.base,
      x.stride,
      x.rows,
      x.columns,
      group,
      y.codes.base,
      y.codes.stride,
      y.scales.base,
      y.sums.base,
      y.scales.stride
    )
  }

  /// `y[t, n] = Σ a[t, k] · w[n, k] (+ bias[n])` for the rows of `panels`.
  ///
  /// - Parameters:
  ///   - a: quantised with the group of `w`.
  ///   - w: packed weights.
  ///   - panels: panels of 32 output rows to compute.
  ///   - bias: one value a row of `w`.
  ///   - y: `[tokens, rows]`, the whole output.
  ///   - unpacked: for int4 weights and several tokens, `unpackedBytes(columns:)` bytes of this thread's
  ///     own, 64-byte aligned.
  package func multiply(
    _ a: PackedActivations,
    _ w: PackedMatrix,
    panels: Range<Int>,
    bias: FloatVector?,
    into y: MatrixView<Float>,
    unpacked: MatrixView<UInt8>? = nil
  ) {
    a.check(tokens: y.rows, columns: w.columns, group: w.group)
    precondition(
      y.columns == w.rows && panels.lowerBound >= 0 && panels.upperBound <= w.panels,
      "output \(y.rows)×\(y.columns) or panels \(panels) do not fit \(w.rows) rows"
    )
    precondition(bias.map { $0.count == w.rows } ?? true, "bias does not fit")
    guard y.rows > 0, !panels.isEmpty else { return }
    var activations = unsafe a.kernelArgument
    if w.format == .int4 {
      unsafe multiply(&activations, w, panels, bias, y, unpacked)
      return
    }
    var weights = unsafe w.int8Argument
    if y.rows == 1 {
      unsafe table.pointee.q8_gemv(
        &activations,
        &weights,
        panels.lowerBound,
        panels.count,
        bias?.base,
        y.base
      )
    } else {
      unsafe table.pointee.q8_gemm(
        &activations,
        y.rows,
        &weights,
        panels.lowerBound,
        panels.count,
        bias?.base,
        y.base,
        y.stride
      )
    }
  }

  @unsafe private func multiply(
    _ activations: inout csimd_q8_activations,
    _ w: PackedMatrix,
    _ panels: Range<Int>,
    _ bias: FloatVector?,
    _ y: MatrixView<Float>,
    _ unpacked: MatrixView<UInt8>?
  ) {
    var weights = unsafe w.int4Argument
    if y.rows == 1 {
      unsafe table.pointee.q4_gemv(
        &activations,
        &weights,
        panels.lowerBound,
        panels.count,
        bias?.base,
        y.base
      )
      return
    }
    guard let unpacked, unpacked.rows == 1,
      unpacked.columns >= Self.unpackedBytes(columns: w.columns),
      unsafe UInt(bitPattern: unpacked.base) % 64 == 0
    else { preconditionFailure("no room for unpacked panels of \(w.columns) inputs") }
    unsafe table.pointee.q4_gemm(
      &activations,
      y.rows,
      &weights,
      panels.lowerBound,
      panels.count,
      bias?.base,
      y.base,
      y.stride,
      unpacked.base
    )
  }

  /// Quantises up to 32 rows of weights into one int8 panel.
  ///
  /// - Parameters:
  ///   - w: `[rows ≤ 32, columns]`.
  ///   - group: inputs that share a scale.
  ///   - panel: `PackedMatrix.byteCount(rows: 32, …)` bytes, 64-byte aligned.
  /// - Returns: Σ (w − dequantised)² and Σ w².
  package static func pack(
    _ w: MatrixView<Float>,
    group: Int,
    into panel: MatrixView<UInt8>
  ) -> (squaredError: Double, squaredSum: Double) {
    pack(w, format: .int8(group: group), into: panel)
  }

  /// Quantises up to 32 rows of weights into one panel.
  ///
  /// - Parameters:
  ///   - w: `[rows ≤ 32, columns]`.
  ///   - format: the panel's layout.
  ///   - panel: `format.byteCount(rows: 32, …)` bytes, 64-byte aligned.
  /// - Returns: Σ (w − dequantised)² and Σ w².
  package static func pack(
    _ w: MatrixView<Float>,
    format: PackedFormat,
    into panel: MatrixView<UInt8>
  ) -> (squaredError: Double, squaredSum: Double) {
    precondition(w.rows > 0 && w.rows <= PackedMatrix.panelRows, "\(w.rows) rows in a panel")
    precondition(
      panel.rows == 1
        && panel.columns
          == format.byteCount(rows: PackedMatrix.panelRows, columns: w.columns),
      "panel size does not fit"
    )
    var error = 0.0
    var energy = 0.0
    switch format {
    case .int8(let group):
      unsafe csimd_q8_pack_panel(
        w.base,
        w.stride,
        w.rows,
        w.columns,
        group,
        panel.base,
        &error,
        &energy
      )
    case .int4:
      unsafe csimd_q4_pack_panel(
        w.base,
        w.stride,
        w.rows,
        w.columns,
        panel.base,
        &error,
        &energy
      )
    }
    return (error, energy)
  }
}
