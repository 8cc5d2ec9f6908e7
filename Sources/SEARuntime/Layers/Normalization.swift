// SPDX-License-Identifier: Apache-2.0
// The two norms of the families.

package import SEATensor

/// A norm over the width of each row.
package enum Normalization: Sendable {
  /// LayerNorm with a bias.
  case layer(weight: FloatVector, bias: FloatVector, epsilon: Float)
  /// RMS norm; a family's offset is part of the weight.
  case rootMeanSquare(weight: FloatVector, epsilon: Float)

  /// `y = norm(x)`, single-threaded; `y` may be the memory of `x`.
  func apply(_ x: MatrixView<Float>, into y: MatrixView<Float>, with kernels: Kernels) {
    switch self {
    case .layer(let weight, let bias, let epsilon):
      kernels.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, into: y)
    case .rootMeanSquare(let weight, let epsilon):
      kernels.rmsNorm(x, weight: weight, epsilon: epsilon, into: y)
    }
  }
}
