// SPDX-License-Identifier: Apache-2.0
// int4 operations of a kernel table on arrays between guard pages.

import CSIMD
import TestSupport
import Testing

/// A packed int4 matrix.
struct Int4Weights {
  static let blockBytes = 2176

  var bytes: [UInt8]
  var n: Int
  var k: Int

  var panels: Int { (n + 31) / 32 }
  var blocks: Int { (k + 127) / 128 }

  /// Packs `w`, adding up what the packer reports.
  init(_ w: [Float], n: Int, k: Int, errors: ((Double, Double) -> Void)? = nil) {
    (self.n, self.k) = (n, k)
    bytes = [UInt8](repeating: 0, count: csimd_q4_packed_bytes(n, k))
    let panelBytes = blocks * Self.blockBytes
    for panel in 0..<panels {
      var error = -1.0
      var energy = -1.0
      let rows = Array(w[(panel * 32 * k)..<min((panel + 1) * 32, n) * k])
      bytes.withUnsafeMutableBytes { target in
        guard let memory = target.baseAddress else { return }
        let place = memory + panel * panelBytes
        csimd_q4_pack_panel(rows, k, rows.count / k, k, place, &error, &energy)
      }
      errors?(error, energy)
    }
  }

  /// The matrix of given bytes.
  init(bytes: [UInt8], n: Int, k: Int) {
    (self.bytes, self.n, self.k) = (bytes, n, k)
  }

  private func block(_ row: Int, _ input: Int) -> Int {
    (row / 32 * blocks + input / 128) * Self.blockBytes
  }

  /// The word of a row's block, as `q4_panel.h` draws it.
  func word(_ row: Int, _ input: Int) -> UInt32 {
    let start = block(row, input) + 2048 + row % 32 * 4
    return (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }
  }

  /// code - 8.
  func code(_ row: Int, _ input: Int) -> Int {
    let byte = bytes[block(row, input) + input % 128 / 4 * 64 + row % 16 * 4 + input % 4]
    return Int(row % 32 < 16 ? byte & 15 : byte >> 4) - 8
  }

  func factor(_ row: Int, _ input: Int) -> Int {
    let bits = Int(word(row, input) >> UInt32(5 * (input % 128 / 32)) & 31)
    return max(bits < 16 ? bits : bits - 32, -15)
  }

  func scale(_ row: Int, _ input: Int) -> Float {
    let word = word(row, input)
    let exponent = Int(word >> 27)
    let fraction = Float(word >> 20 & 127) / 128
    return exponent == 0
      ? fraction * Float(sign: .plus, exponent: -21, significand: 1)
      : Float(sign: .plus, exponent: exponent - 22, significand: 1 + fraction)
  }

  /// The same whole numbers and scales as int8 panels with groups of 128.
  var asInt8: PackedWeights {
    var wide = PackedWeights([Float](repeating: 0, count: n * k), n: n, k: k, group: 128)
    for row in 0..<panels * 32 {
      for input in 0..<blocks * 128 {
        let start = (row / 32 * blocks + input / 128) * 4224
        let place = input % 128 / 4 * 128 + row % 32 * 4 + input % 4
        wide.bytes[start + place] = UInt8(128 + code(row, input) * factor(row, input))
        guard input % 128 == 0 else { continue }
        let bits = scale(row, input).bitPattern
        for byte in 0..<4 {
          wide.bytes[start + 4096 + row % 32 * 4 + byte] = UInt8(bits >> UInt32(8 * byte) & 255)
        }
      }
    }
    return wide
  }

  func unpack(row: Int) -> [Float] {
    var out = [Float](repeating: 0, count: k)
    let memory = GuardedBuffer(bytes, edge: .high)
    var weights = csimd_q4_weights(panels: memory.pointer, n: n, k: k)
    withExtendedLifetime(memory) { csimd_q4_unpack_row(&weights, row, &out) }
    return out
  }
}

extension Kernels {
  private func withArguments(
    _ a: Activations,
    _ w: Int4Weights,
    _ body: (UnsafePointer<csimd_q8_activations>, UnsafePointer<csimd_q4_weights>) -> Void
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
    var weights = csimd_q4_weights(panels: panels.pointer, n: w.n, k: w.k)
    withExtendedLifetime((codes, scales, sums, panels)) { body(&activations, &weights) }
  }

  func gemm(
    _ a: Activations,
    m: Int,
    _ w: Int4Weights,
    bias: [Float]? = nil,
    panels: Range<Int>? = nil,
    yStride: Int? = nil
  ) -> [Float] {
    let range = panels ?? 0..<w.panels
    let stride = yStride ?? w.n
    let y = guarded(Self.rows(m, stride: stride, width: w.n))
    let bias = bias.map { guarded($0) }
    let scratch = guarded([UInt8](repeating: 77, count: csimd_q4_scratch(w.k)))
    withArguments(a, w) {
      table.pointee.q4_gemm(
        $0,
        m,
        $1,
        range.lowerBound,
        range.count,
        bias?.pointer,
        y.pointer,
        stride,
        scratch.pointer
      )
    }
    #expect(scratch.isIntactOutside)
    return finish(y)
  }

  func gemv(
    _ a: Activations,
    _ w: Int4Weights,
    bias: [Float]? = nil,
    panels: Range<Int>? = nil
  ) -> [Float] {
    let range = panels ?? 0..<w.panels
    let y = guarded(Self.rows(1, stride: 0, width: w.n))
    let bias = bias.map { guarded($0) }
    withArguments(a, w) {
      table.pointee.q4_gemv($0, $1, range.lowerBound, range.count, bias?.pointer, y.pointer)
    }
    return finish(y)
  }
}
