// SPDX-License-Identifier: Apache-2.0
// A linear layer with f32, bf16 or frozen int8 weights, perhaps with low-rank factors beside it.

package import SEATensor

/// `y = x wᵀ (+ b) (+ scale · (x aᵀ) bᵀ)`.
///
/// `forward` assigns or adds to `y`; `backward` assigns or adds to `dx`; weight gradients accumulate.
package struct Linear {
  package let weight: Parameter
  package let bias: Parameter?
  package let lowRank: LowRank?

  /// A layer of parameters that fit each other.
  package init(weight: Parameter, bias: Parameter? = nil, lowRank: LowRank? = nil) {
    precondition(bias.map { $0.count == weight.rows } ?? true, "bias does not fit")
    self.weight = weight
    self.bias = bias
    self.lowRank = lowRank
  }

  /// The layer `NAME.weight`, `NAME.bias` of a set, with its low-rank factors where there are some.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ name: String,
    in parameters: ParameterSet,
    rows: Int,
    columns: Int,
    hasBias: Bool,
    lowRank options: LowRankOptions? = nil
  ) throws(LayerError) {
    weight = try parameters.require("\(name).weight", rows: rows, columns: columns)
    bias = hasBias ? try parameters.require("\(name).bias", rows: 1, columns: rows) : nil
    if let options, parameters["\(name).lora_a"] != nil {
      lowRank = LowRank(
        a: try parameters.require("\(name).lora_a", rows: options.rank, columns: columns),
        b: try parameters.require("\(name).lora_b", rows: rows, columns: options.rank),
        scale: options.scale,
        dropout: options.dropout
      )
    } else {
      lowRank = nil
    }
  }

  package var inputs: Int { weight.columns }
  package var outputs: Int { weight.rows }

  /// A gradient of the weights, the bias or the factors is wanted.
  package var isTrained: Bool {
    weight.isTrained || bias?.isTrained ?? false || lowRank != nil
  }

  /// Computes `y`, or adds to it.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    _ x: MatrixView<Float>,
    into y: MatrixView<Float>,
    accumulates: Bool = false,
    _ context: LayerContext
  ) throws(LayerError) {
    let execution = context.execution
    switch weight.values {
    case .float32(let values):
      execution.multiply(
        ProductOperand(x),
        ProductOperand(values, transposed: true),
        into: y,
        accumulates: accumulates
      )
    case .bfloat16(let values):
      execution.multiply(
        ProductOperand(x),
        ProductOperand(values, transposed: true),
        into: y,
        accumulates: accumulates
      )
    case .int8(let packed):
      try multiply(x, packed, into: y, accumulates: accumulates, context)
    }
    if let bias {
      let values = try bias.floats()
      execution.share(y.rows, grain: 16) {
        execution.kernels.add(row: values, toRowsOf: y.rows($0))
      }
    }
    try lowRank?.forward(x, addingTo: y, context)
  }

  /// Computes the input's gradient, then adds to those of the parameters.
  ///
  ///     dx = dy w      dw += dyᵀ x      db += Σ rows of dy
  ///
  /// - Parameters:
  ///   - dy: `[rows, outputs]`.
  ///   - x: the input of the forward pass; only read where something is trained.
  ///   - dx: `[rows, inputs]`, assigned or added to; nil: not wanted.
  ///   - accumulates: add to `dx`.
  ///   - context: execution and the sink that is told when gradients are complete.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dy: MatrixView<Float>,
    input x: @autoclosure () throws -> MatrixView<Float>,
    into dx: MatrixView<Float>?,
    accumulates: Bool = false,
    _ context: LayerContext
  ) throws {
    let execution = context.execution
    if let dx {
      switch weight.values {
      case .float32(let values):
        execution.multiply(
          ProductOperand(dy),
          ProductOperand(values),
          into: dx,
          accumulates: accumulates
        )
      case .bfloat16(let values):
        execution.multiply(
          ProductOperand(dy),
          ProductOperand(values),
          into: dx,
          accumulates: accumulates
        )
      case .int8(let packed):
        try multiplyBack(dy, packed, into: dx, accumulates: accumulates, context)
      }
    }
    if weight.isTrained {
      execution.multiply(
        ProductOperand(dy, transposed: true),
        ProductOperand(try x()),
        into: try weight.requireGradient(),
        accumulates: true
      )
    }
    if let bias, bias.isTrained {
      execution.addColumnSums(of: dy, to: try bias.requireGradient())
    }
    if let lowRank { try lowRank.backward(dy, input: try x(), addingTo: dx, context) }
    try context.complete(weight, bias, lowRank?.a, lowRank?.b)
  }
}
