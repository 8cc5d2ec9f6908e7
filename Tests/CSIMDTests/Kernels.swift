// SPDX-License-Identifier: Apache-2.0
// A kernel table on arrays: every argument and result lies between guard pages.

import CSIMD
import TestSupport
import Testing

/// What results hold before a kernel runs: a value that stays shows what was not written.
let unwritten: Float = -7.25e33

/// int8 activations with their scales and sums.
struct Activations {
  var codes: [Int8]
  var scales: [Float]
  var sums: [Int32]
  var rowStride: Int
  var groupStride: Int

  /// Rows `range` as activations of their own.
  func rows(_ range: Range<Int>) -> Activations {
    Activations(
      codes: Array(codes[range.lowerBound * rowStride..<range.upperBound * rowStride]),
      scales: Array(scales[range.lowerBound * groupStride..<range.upperBound * groupStride]),
      sums: Array(sums[range.lowerBound * groupStride..<range.upperBound * groupStride]),
      rowStride: rowStride,
      groupStride: groupStride
    )
  }
}

/// A packed int8 matrix.
struct PackedWeights {
  var bytes: [UInt8]
  var n: Int
  var k: Int
  var group: Int

  var panels: Int { (n + 31) / 32 }

  init(_ w: [Float], n: Int, k: Int, group: Int) {
    (self.n, self.k, self.group) = (n, k, group)
    bytes = [UInt8](repeating: 0, count: csimd_q8_packed_bytes(n, k, group))
    let panelBytes = bytes.count / ((n + 31) / 32)
    bytes.withUnsafeMutableBytes { target in
      w.withUnsafeBufferPointer { source in
        guard let base = source.baseAddress, let memory = target.baseAddress else { return }
        for panel in 0..<(n + 31) / 32 {
          csimd_q8_pack_panel(
            base + panel * 32 * k,
            k,
            min(32, n - panel * 32),
            k,
            group,
            memory + panel * panelBytes,
            nil,
            nil
          )
        }
      }
    }
  }
}

/// The operations of a level.
struct Kernels {
  let table: UnsafePointer<csimd_infer_table>
  let edge: GuardedEdge

  func guarded<T: BitwiseCopyable>(_ values: [T]) -> GuardedBuffer<T> {
    GuardedBuffer(values, edge: edge)
  }

  func finish<T: BitwiseCopyable>(_ buffer: GuardedBuffer<T>) -> [T] {
    #expect(buffer.isIntactOutside)
    return buffer.elements
  }

  /// A buffer of m rows without the padding that would follow the last row.
  static func rows(_ m: Int, stride: Int, width: Int) -> [Float] {
    [Float](repeating: unwritten, count: (m - 1) * stride + width)
  }

  // MARK: - int8

  func quantize(
    _ x: [Float],
    m: Int,
    k: Int,
    group: Int,
    xStride: Int? = nil,
    rowStride: Int? = nil,
    groupStride: Int? = nil
  ) -> Activations {
    let groups = (k + group - 1) / group
    let rowStride = rowStride ?? groups * group
    let groupStride = groupStride ?? groups
    let input = guarded(x)
    let codes = guarded([Int8](repeating: 99, count: m * rowStride))
    let scales = guarded([Float](repeating: unwritten, count: m * groupStride))
    let sums = guarded([Int32](repeating: 12_345, count: m * groupStride))
    table.pointee.q8_quantize(
      input.pointer,
      xStride ?? k,
      m,
      k,
      group,
      codes.pointer,
      rowStride,
      scales.pointer,
      sums.pointer,
      groupStride
    )
    return Activations(
      codes: finish(codes),
      scales: finish(scales),
      sums: finish(sums),
      rowStride: rowStride,
      groupStride: groupStride
    )
  }

  private func withArguments(
    _ a: Activations,
    _ w: PackedWeights,
    _ body: (UnsafePointer<csimd_q8_activations>, UnsafePointer<csimd_q8_weights>) -> Void
  ) {
    let codes = guarded(a.codes)
    let scales = guarded(a.scales)
    let sums = guarded(a.sums)
    let panels = guarded(w.bytes)
    var activations = csimd_q8_activations(
      codes: codes.pointer,
      scales: scales.pointer,
      sums: sums.pointer,
      row_stride: a.rowStride,
      group_stride: a.groupStride
    )
    var weights = csimd_q8_weights(panels: panels.pointer, n: w.n, k: w.k, group: w.group)
    withExtendedLifetime((codes, scales, sums, panels)) { body(&activations, &weights) }
  }

  func gemm(
    _ a: Activations,
    m: Int,
    _ w: PackedWeights,
    bias: [Float]? = nil,
    panels: Range<Int>? = nil,
    yStride: Int? = nil
  ) -> [Float] {
    let range = panels ?? 0..<w.panels
    let stride = yStride ?? w.n
    let y = guarded(Self.rows(m, stride: stride, width: w.n))
    let bias = bias.map { guarded($0) }
    withArguments(a, w) {
      table.pointee.q8_gemm(
        $0,
        m,
        $1,
        range.lowerBound,
        range.count,
        bias?.pointer,
        y.pointer,
        stride
      )
    }
    return finish(y)
  }

  func gemv(
    _ a: Activations,
    _ w: PackedWeights,
    bias: [Float]? = nil,
    panels: Range<Int>? = nil
  ) -> [Float] {
    let range = panels ?? 0..<w.panels
    let y = guarded(Self.rows(1, stride: 0, width: w.n))
    let bias = bias.map { guarded($0) }
    withArguments(a, w) {
      table.pointee.q8_gemv($0, $1, range.lowerBound, range.count, bias?.pointer, y.pointer)
    }
    return finish(y)
  }

  // MARK: - Float matrices

  func gemm(
    _ x: [Float],
    m: Int,
    f32 w: [Float],
    n: Int,
    k: Int,
    bias: [Float]? = nil,
    rows: Range<Int>? = nil,
    xStride: Int? = nil,
    yStride: Int? = nil
  ) -> [Float] {
    let range = rows ?? 0..<n
    let stride = yStride ?? n
    let y = guarded(Self.rows(m, stride: stride, width: n))
    let bias = bias.map { guarded($0) }
    let (input, weights) = (guarded(x), guarded(w))
    table.pointee.f32_gemm(
      input.pointer,
      xStride ?? k,
      m,
      weights.pointer,
      k,
      range.lowerBound,
      range.count,
      bias?.pointer,
      y.pointer,
      stride
    )
    return finish(y)
  }

  func gemm(
    _ x: [Float],
    m: Int,
    bf16 w: [UInt16],
    n: Int,
    k: Int,
    bias: [Float]? = nil
  ) -> [Float] {
    let y = guarded(Self.rows(m, stride: n, width: n))
    let bias = bias.map { guarded($0) }
    let (input, weights) = (guarded(x), guarded(w))
    table.pointee.bf16_gemm(
      input.pointer,
      k,
      m,
      weights.pointer,
      k,
      0,
      n,
      bias?.pointer,
      y.pointer,
      n
    )
    return finish(y)
  }

  // MARK: - Conversions

  enum Widening: CaseIterable, Sendable { case bf16, f16 }

  func widen(_ x: [UInt16], from type: Widening) -> [Float] {
    let (input, y) = (guarded(x), guarded([Float](repeating: unwritten, count: x.count)))
    switch type {
    case .bf16: table.pointee.bf16_to_f32(input.pointer, y.pointer, x.count)
    case .f16: table.pointee.f16_to_f32(input.pointer, y.pointer, x.count)
    }
    return finish(y)
  }

  func narrow(_ x: [Float], to type: Widening) -> [UInt16] {
    let (input, y) = (guarded(x), guarded([UInt16](repeating: 0x1234, count: x.count)))
    switch type {
    case .bf16: table.pointee.f32_to_bf16(input.pointer, y.pointer, x.count)
    case .f16: table.pointee.f32_to_f16(input.pointer, y.pointer, x.count)
    }
    return finish(y)
  }

  // MARK: - Rows and elements

  func layerNorm(
    _ x: [Float],
    m: Int,
    k: Int,
    weight: [Float],
    bias: [Float],
    epsilon: Float,
    stride: Int? = nil,
    inPlace: Bool = false
  ) -> [Float] {
    let stride = stride ?? k
    let (input, w, b) = (guarded(x), guarded(weight), guarded(bias))
    let y = inPlace ? input : guarded(Self.rows(m, stride: stride, width: k))
    table.pointee.layer_norm(
      input.pointer,
      stride,
      m,
      k,
      w.pointer,
      b.pointer,
      epsilon,
      y.pointer,
      stride
    )
    return finish(y)
  }

  func rmsNorm(
    _ x: [Float],
    m: Int,
    k: Int,
    weight: [Float],
    epsilon: Float,
    stride: Int? = nil,
    inPlace: Bool = false
  ) -> [Float] {
    let stride = stride ?? k
    let (input, w) = (guarded(x), guarded(weight))
    let y = inPlace ? input : guarded(Self.rows(m, stride: stride, width: k))
    table.pointee.rms_norm(input.pointer, stride, m, k, w.pointer, epsilon, y.pointer, stride)
    return finish(y)
  }

  func activate(_ f: csimd_activation, _ x: [Float]) -> [Float] {
    let y = guarded(x)
    table.pointee.activate(f, y.pointer, x.count)
    return finish(y)
  }

  /// Where a gate writes.
  enum GateTarget: CaseIterable, Sendable { case fresh, gate, up }

  func gate(
    _ f: csimd_activation,
    _ gate: [Float],
    _ up: [Float],
    into target: GateTarget = .fresh
  ) -> [Float] {
    let (left, right) = (guarded(gate), guarded(up))
    let y =
      switch target {
      case .fresh: guarded([Float](repeating: unwritten, count: gate.count))
      case .gate: left
      case .up: right
      }
    table.pointee.gate(f, left.pointer, right.pointer, y.pointer, gate.count)
    return finish(y)
  }

  func rotate(
    _ x: [Float],
    stride: Int,
    m: Int,
    heads: Int,
    dim: Int,
    cosines: [Float],
    sines: [Float],
    angleStride: Int
  ) -> [Float] {
    let (y, c, s) = (guarded(x), guarded(cosines), guarded(sines))
    table.pointee.rotary(y.pointer, stride, m, heads, dim, c.pointer, s.pointer, angleStride)
    return finish(y)
  }

  func add(_ x: [Float], to y: [Float]) -> [Float] {
    let (input, sum) = (guarded(x), guarded(y))
    table.pointee.add(input.pointer, sum.pointer, x.count)
    return finish(sum)
  }

  func scale(_ x: [Float], by s: Float) -> [Float] {
    let y = guarded(x)
    table.pointee.scale(s, y.pointer, x.count)
    return finish(y)
  }
}
