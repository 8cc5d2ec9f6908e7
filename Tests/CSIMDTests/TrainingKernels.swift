// SPDX-License-Identifier: Apache-2.0
// A training table on arrays: every argument and result lies between guard pages.

import CSIMD
import TestSupport
import Testing

extension Level {
  /// The training kernels of this level on buffers at `edge`; cancels the test case where the machine
  /// cannot run the level.
  func training(edge: GuardedEdge = .high) throws -> TrainingTable {
    guard let table = csimd_train_table_widening(code) else {
      try Test.cancel("this machine cannot run \(rawValue)")
    }
    return TrainingTable(table: table, edge: edge)
  }
}

/// One operand of a product, as it is stored.
struct Operand: Sendable, CustomTestStringConvertible {
  var isHalf: Bool
  var isTransposed: Bool

  static let all = [false, true].flatMap { half in
    [false, true].map { Operand(isHalf: half, isTransposed: $0) }
  }

  var testDescription: String { (isHalf ? "bf16" : "f32") + (isTransposed ? "ᵀ" : "") }
}

/// The operations of a training table.
struct TrainingTable {
  let table: UnsafePointer<csimd_train_table>
  let edge: GuardedEdge

  func guarded<T: BitwiseCopyable>(_ values: [T]) -> GuardedBuffer<T> {
    GuardedBuffer(values, edge: edge)
  }

  func finish<T: BitwiseCopyable>(_ buffer: GuardedBuffer<T>) -> [T] {
    #expect(buffer.isIntactOutside)
    return buffer.elements
  }

  enum Rounding: CaseIterable, Sendable { case none, bf16 }

  /// `values` is stored `[rows, columns]` or transposed, with `padding` entries between rows; of f32
  /// values in bf16 storage the upper halves are kept.
  func product(
    _ a: (values: [Float], form: Operand),
    _ b: (values: [Float], form: Operand),
    m: Int,
    n: Int,
    k: Int,
    c: [Float],
    cStride: Int,
    accumulates: Bool,
    padding: Int = 3,
    rounding: Rounding
  ) -> [Float] {
    let result = guarded(c)
    let scratch = UnsafeMutableRawPointer.allocate(
      byteCount: Int(CSIMD_PRODUCT_SCRATCH),
      alignment: 64
    )
    defer { scratch.deallocate() }
    func stored(_ values: [Float], _ rows: Int, _ columns: Int, _ form: Operand) -> [Float] {
      let (height, width) = form.isTransposed ? (columns, rows) : (rows, columns)
      var result = [Float](repeating: .nan, count: max((height - 1) * (width + padding) + width, 0))
      for row in 0..<rows {
        for column in 0..<columns {
          let place =
            form.isTransposed
            ? column * (width + padding) + row : row * (width + padding) + column
          result[place] = values[row * columns + column]
        }
      }
      return result
    }
    let (left, right) = (stored(a.values, m, k, a.form), stored(b.values, k, n, b.form))
    let (floats, halves) = (
      [left, right], [left, right].map { $0.map { UInt16($0.bitPattern >> 16) } }
    )
    let floatBuffers = floats.map { guarded($0) }
    let halfBuffers = halves.map { guarded($0) }
    func operand(_ index: Int, _ form: Operand, _ width: Int) -> csimd_operand {
      csimd_operand(
        data: form.isHalf
          ? UnsafeRawPointer(halfBuffers[index].pointer)
          : UnsafeRawPointer(floatBuffers[index].pointer),
        stride: width + padding,
        type: form.isHalf ? .bf16 : .f32,
        transposed: form.isTransposed
      )
    }
    var argument = csimd_product(
      a: operand(0, a.form, a.form.isTransposed ? m : k),
      b: operand(1, b.form, b.form.isTransposed ? k : n),
      c: result.pointer,
      c_stride: cStride,
      m: m,
      n: n,
      k: k,
      accumulate: accumulates,
      scratch: scratch
    )
    withExtendedLifetime((floatBuffers, halfBuffers)) {
      switch rounding {
      case .none: table.pointee.f32_product(&argument)
      case .bf16: table.pointee.bf16_product(&argument)
      }
    }
    return finish(result)
  }

  func normBackward(
    _ x: [Float],
    _ dy: [Float],
    m: Int,
    k: Int,
    stride: Int,
    weight: [Float],
    isCentered: Bool,
    dx: [Float]
  ) -> (dx: [Float], statistics: [Float]) {
    let (input, gradient, w) = (guarded(x), guarded(dy), guarded(weight))
    let (result, statistics) = (guarded(dx), guarded([Float](repeating: unwritten, count: 2 * m)))
    table.pointee.norm_backward(
      input.pointer,
      stride,
      gradient.pointer,
      stride,
      m,
      k,
      w.pointer,
      1e-5,
      isCentered,
      result.pointer,
      stride,
      statistics.pointer
    )
    return (finish(result), finish(statistics))
  }

  func normWeightBackward(
    _ x: [Float],
    _ dy: [Float],
    m: Int,
    k: Int,
    stride: Int,
    statistics: [Float],
    dweight: [Float],
    dbias: [Float]?
  ) -> [Float] {
    let (input, gradient, s) = (guarded(x), guarded(dy), guarded(statistics))
    let (weight, bias) = (guarded(dweight), dbias.map { guarded($0) })
    table.pointee.norm_weight_backward(
      input.pointer,
      stride,
      gradient.pointer,
      stride,
      m,
      k,
      s.pointer,
      weight.pointer,
      bias?.pointer
    )
    return finish(weight) + (bias.map { finish($0) } ?? [])
  }

  func activateBackward(_ f: csimd_activation, _ x: [Float], _ dy: [Float]) -> [Float] {
    let (input, gradient) = (guarded(x), guarded(dy))
    table.pointee.activate_backward(
      f,
      input.pointer,
      gradient.pointer,
      gradient.pointer,
      x.count
    )
    return finish(gradient)
  }

  func gateBackward(
    _ f: csimd_activation,
    _ gate: [Float],
    _ up: [Float],
    _ dy: [Float]
  ) -> [Float] {
    let (left, right, gradient) = (guarded(gate), guarded(up), guarded(dy))
    table.pointee.gate_backward(
      f,
      left.pointer,
      right.pointer,
      gradient.pointer,
      left.pointer,
      right.pointer,
      gate.count
    )
    return finish(left) + finish(right)
  }

  /// What attention_softmax (`saved` nil) or attention_probabilities make of scores, and what is saved.
  func softmax(
    _ scores: [Float],
    queries: Int,
    keys: Int,
    stride: Int,
    firstQuery: Int,
    firstKey: Int,
    window: Int,
    isCausal: Bool,
    saved: [Float]? = nil
  ) -> (p: [Float], saved: [Float]) {
    let p = guarded(scores)
    let maxima = guarded(
      saved.map { Array($0[..<queries]) } ?? [Float](repeating: unwritten, count: queries)
    )
    let inverses = guarded(
      saved.map { Array($0[queries...]) } ?? [Float](repeating: unwritten, count: queries)
    )
    var argument = csimd_scores(
      s: p.pointer,
      stride: stride,
      queries: queries,
      keys: keys,
      first_query: firstQuery,
      first_key: firstKey,
      window: window,
      scale: 0.37,
      causal: isCausal
    )
    if saved == nil {
      table.pointee.attention_softmax(&argument, maxima.pointer, inverses.pointer)
    } else {
      table.pointee.attention_probabilities(&argument, maxima.pointer, inverses.pointer)
    }
    return (finish(p), finish(maxima) + finish(inverses))
  }

  func softmaxBackward(
    _ p: [Float],
    _ d: [Float],
    m: Int,
    n: Int,
    stride: Int,
    delta: [Float]
  ) -> [Float] {
    let (left, right, shift) = (guarded(p), guarded(d), guarded(delta))
    table.pointee.softmax_backward(
      left.pointer,
      stride,
      right.pointer,
      stride,
      m,
      n,
      shift.pointer,
      0.7
    )
    return finish(right)
  }

  func rowProducts(_ a: [Float], _ b: [Float], m: Int, k: Int, stride: Int) -> [Float] {
    let (left, right) = (guarded(a), guarded(b))
    let out = guarded([Float](repeating: unwritten, count: m))
    table.pointee.row_products(left.pointer, stride, right.pointer, stride, m, k, out.pointer)
    return finish(out)
  }

  func softmaxUpdate(
    _ x: [Float],
    m: Int,
    n: Int,
    stride: Int,
    maxima: [Float],
    sums: [Float]
  ) -> [Float] {
    let (input, top, total) = (guarded(x), guarded(maxima), guarded(sums))
    table.pointee.softmax_update(input.pointer, stride, m, n, top.pointer, total.pointer)
    return finish(top) + finish(total)
  }

  func softmaxFinish(
    _ x: [Float],
    m: Int,
    n: Int,
    stride: Int,
    maxima: [Float],
    factors: [Float]
  ) -> [Float] {
    let (input, top, factor) = (guarded(x), guarded(maxima), guarded(factors))
    table.pointee.softmax_finish(input.pointer, stride, m, n, top.pointer, factor.pointer)
    return finish(input)
  }

  func axpy(_ a: Float, _ x: [Float], _ y: [Float]) -> [Float] {
    let (input, sum) = (guarded(x), guarded(y))
    table.pointee.axpy(a, input.pointer, sum.pointer, x.count)
    return finish(sum)
  }

  func columnSums(_ x: [Float], m: Int, n: Int, stride: Int, _ y: [Float]) -> [Float] {
    let (input, sum) = (guarded(x), guarded(y))
    table.pointee.column_sums(input.pointer, stride, m, n, sum.pointer)
    return finish(sum)
  }

  func sumOfSquares(_ x: [Float]) -> Double {
    let input = guarded(x)
    return table.pointee.sum_of_squares(input.pointer, x.count)
  }

  func adamW(
    _ step: csimd_adamw,
    _ w: [Float],
    _ m: [Float],
    _ v: [Float],
    _ g: [Float]
  ) -> [Float] {
    var argument = step
    let (weights, first, second) = (guarded(w), guarded(m), guarded(v))
    let gradient = guarded(g)
    table.pointee.adamw(
      &argument,
      weights.pointer,
      first.pointer,
      second.pointer,
      gradient.pointer,
      w.count
    )
    return finish(weights) + finish(first) + finish(second)
  }

  func unpack(
    _ w: PackedWeights,
    rows: Range<Int>,
    columns: Range<Int>,
    isHalf: Bool,
    stride: Int
  ) -> [Float] {
    let panels = guarded(w.bytes)
    var weights = csimd_q8_weights(panels: panels.pointer, n: w.n, k: w.k, group: w.group)
    let count = (rows.count - 1) * stride + columns.count
    let floats = guarded([Float](repeating: unwritten, count: count))
    let halves = guarded([UInt16](repeating: 0x1234, count: count))
    withExtendedLifetime(panels) {
      table.pointee.q8_unpack(
        &weights,
        rows.lowerBound,
        rows.count,
        columns.lowerBound,
        columns.count,
        isHalf ? .bf16 : .f32,
        isHalf
          ? UnsafeMutableRawPointer(halves.pointer) : UnsafeMutableRawPointer(floats.pointer),
        stride
      )
    }
    return isHalf
      ? finish(halves).map { Float(bitPattern: UInt32($0) << 16) } : finish(floats)
  }
}
