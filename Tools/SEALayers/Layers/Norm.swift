// SPDX-License-Identifier: Apache-2.0
// LayerNorm and RMSNorm.

package import SEATensor

/// `(x - mean) / √(var + ε) · w + b` per row, or without a bias `x / √(mean(x²) + ε) · w`.
///
/// `backward` adds to `dx`, which therefore can be the gradient of a residual stream; weight gradients
/// accumulate.
package struct Norm {
  package let weight: Parameter
  /// Present: LayerNorm; absent: RMSNorm.
  package let bias: Parameter?
  package let epsilon: Float

  /// A norm of parameters of one width.
  package init(weight: Parameter, bias: Parameter?, epsilon: Float) {
    self.weight = weight
    self.bias = bias
    self.epsilon = epsilon
  }

  /// The norm `NAME.weight`, `NAME.bias` of a set.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ name: String,
    in parameters: ParameterSet,
    width: Int,
    epsilon: Double,
    hasBias: Bool
  ) throws(LayerError) {
    weight = try parameters.require("\(name).weight", rows: 1, columns: width)
    bias = hasBias ? try parameters.require("\(name).bias", rows: 1, columns: width) : nil
    self.epsilon = Float(epsilon)
  }

  /// Computes `y`, which may be the memory of `x`.
  package func forward(
    _ x: MatrixView<Float>,
    into y: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let execution = context.execution
    let (w, b) = (try weight.floats(), try bias?.floats())
    execution.share(x.rows, grain: 8) {
      execution.kernels.norm(x.rows($0), weight: w, bias: b, epsilon: epsilon, into: y.rows($0))
    }
  }

  /// Adds to all gradients; h = (x - mean) · inverse and g = dy · w.
  ///
  ///     dx += inverse · (g - mean(g) - h · mean(g h))      dw += Σ dy h      db += Σ dy
  ///
  /// RMSNorm has neither mean.
  ///
  /// - Parameters:
  ///   - x: the input of the forward pass.
  ///   - dy: the output's gradient; not the memory of `dx`.
  ///   - dx: added to.
  ///   - context: execution and sink.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ x: MatrixView<Float>,
    _ dy: MatrixView<Float>,
    addingTo dx: MatrixView<Float>,
    _ context: LayerContext
  ) throws {
    let execution = context.execution
    let w = try weight.floats()
    let isCentered = bias != nil
    let statistics = try context.workspace.floats("norm.statistics", x.rows, 2)
    execution.share(x.rows, grain: 8) {
      execution.kernels.normBackward(
        x.rows($0),
        dy.rows($0),
        weight: w,
        epsilon: epsilon,
        isCentered: isCentered,
        addingTo: dx.rows($0),
        statistics: statistics.rows($0)
      )
    }
    guard weight.isTrained else { return }
    let dw = try weight.requireGradient()
    let db = try bias?.requireGradient()
    execution.share((x.columns + 15) / 16, grain: 4) { range in
      let columns = range.lowerBound * 16..<min(range.upperBound * 16, x.columns)
      execution.kernels.normWeightBackward(
        x.columns(columns),
        dy.columns(columns),
        statistics: statistics,
        weight: dw.columns(columns),
        bias: db?.columns(columns)
      )
    }
    try context.complete(weight, bias)
  }
}
