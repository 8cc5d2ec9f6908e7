// SPDX-License-Identifier: Apache-2.0
// Low-rank factors beside a frozen linear layer (LoRA).

import SEATensor

/// `y += scale · (drop(x) aᵀ) bᵀ`; gradients of `a` and `b` accumulate.
///
/// `drop` keeps each input of a row with probability 1 - dropout and divides it by that; the pass's
/// seed and the layer's name decide, so the backward pass drops the same ones.
package struct LowRank {
  /// `[rank, inputs]`.
  package let a: Parameter
  /// `[outputs, rank]`.
  package let b: Parameter
  package let scale: Float
  package let dropout: Double

  /// Factors of a layer.
  package init(a: Parameter, b: Parameter, scale: Float, dropout: Double = 0) {
    precondition(a.rows == b.columns, "ranks \(a.rows) and \(b.columns)")
    self.a = a
    self.b = b
    self.scale = scale
    self.dropout = dropout
  }

  private var rank: Int { a.rows }

  /// Adds the factors' part of the output.
  func forward(
    _ x: MatrixView<Float>,
    addingTo y: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let inner = try context.workspace.floats("lora.inner", x.rows, rank)
    try project(try dropped(x, context), into: inner, context)
    context.execution.multiply(
      ProductOperand(inner),
      ProductOperand(try b.floats(), transposed: true),
      into: y,
      accumulates: true
    )
  }

  /// Adds to all gradients; u = scale · drop(x) aᵀ and g = scale · dy b.
  ///
  ///     db += dyᵀ u      da += gᵀ drop(x)      dx += drop(g a)
  func backward(
    _ dy: MatrixView<Float>,
    input x: MatrixView<Float>,
    addingTo dx: MatrixView<Float>?,
    _ context: LayerContext
  ) throws(LayerError) {
    let (execution, space) = (context.execution, context.workspace)
    let inputs = try dropped(x, context)
    let inner = try space.floats("lora.inner", x.rows, rank)
    try project(inputs, into: inner, context)
    execution.multiply(
      ProductOperand(dy, transposed: true),
      ProductOperand(inner),
      into: try b.requireGradient(),
      accumulates: true
    )
    execution.multiply(ProductOperand(dy), ProductOperand(try b.floats()), into: inner)
    execution.kernels.inference.scale(inner, by: scale)
    execution.multiply(
      ProductOperand(inner, transposed: true),
      ProductOperand(inputs),
      into: try a.requireGradient(),
      accumulates: true
    )
    guard let dx else { return }
    let factor = ProductOperand(try a.floats())
    guard dropout > 0 else {
      execution.multiply(ProductOperand(inner), factor, into: dx, accumulates: true)
      return
    }
    let gradient = try space.floats("lora.gradient", x.rows, x.columns)
    execution.multiply(ProductOperand(inner), factor, into: gradient)
    drop(gradient, context)
    execution.add(gradient, to: dx)
  }

  private func project(
    _ x: MatrixView<Float>,
    into inner: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let factor = ProductOperand(try a.floats(), transposed: true)
    context.execution.multiply(ProductOperand(x), factor, into: inner)
    context.execution.kernels.inference.scale(inner, by: scale)
  }

  private func dropped(
    _ x: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    guard dropout > 0, context.drops else { return x }
    let copy = try context.workspace.floats("lora.dropped", x.rows, x.columns)
    context.execution.copy(x, into: copy)
    drop(copy, context)
    return copy
  }

  private func drop(_ x: MatrixView<Float>, _ context: LayerContext) {
    // FNV-1a of the name, so that layers drop different inputs.
    var key = context.seed &+ 0xcbf2_9ce4_8422_2325
    for byte in a.name.utf8 { key = (key ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    let start = key
    let limit = UInt64(dropout * 0x1p32)
    let factor = Float(1 / (1 - dropout))
    context.execution.share(x.rows, grain: 4) { rows in
      for row in rows {
        let base = start &+ UInt64(row) &* 0x9e37_79b9_7f4a_7c15
        x.withRow(row) { (values: consuming MutableSpan<Float>) in
          for column in values.indices {
            var bits = base &+ UInt64(column) &* 0xbf58_476d_1ce4_e5b9
            bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
            bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
            bits ^= bits >> 31
            values[column] = bits >> 32 < limit ? 0 : values[column] * factor
          }
        }
      }
    }
  }
}
