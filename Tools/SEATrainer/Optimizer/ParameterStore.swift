// SPDX-License-Identifier: Apache-2.0
// Everything an optimiser changes: tensors, their moments, and the group whose settings they follow.

package import SEATensor

/// Tensors that share a learning rate and a decay.
package struct ParameterGroup: Sendable, Equatable {
  /// Name for people and logs.
  package let name: String
  /// Peak learning rate.
  package var learningRate: Double
  /// Decoupled weight decay.
  package var weightDecay: Double

  /// A group.
  package init(name: String, learningRate: Double, weightDecay: Double) {
    self.name = name
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }
}

/// A tensor with its moments.
package struct StoredParameter {
  package let tensor: any TrainedTensor
  /// Position of its group.
  package let group: Int
  /// Running mean of the gradient, `[rows, columns]`.
  package let mean: MatrixView<Float>
  /// Running mean of its square, `[rows, columns]`.
  package let square: MatrixView<Float>
}

/// The trained tensors of a run, in a fixed order.
package final class ParameterStore {
  package let groups: [ParameterGroup]
  /// In the order they were given: it decides the order of every sum.
  package let parameters: [StoredParameter]

  /// Allocates moments for the tensors.
  ///
  /// - Throws: `TrainerError.file` when memory cannot be had, `.usage` when nothing is trained or two
  ///   tensors share a name.
  /// - Precondition: every group index is in range.
  package init(
    groups: [ParameterGroup],
    _ tensors: [(tensor: any TrainedTensor, group: Int)]
  ) throws(TrainerError) {
    guard !tensors.isEmpty else { throw .usage("everything is frozen: nothing is left to train") }
    var names: Set<String> = []
    var parameters: [StoredParameter] = []
    for (tensor, group) in tensors {
      precondition(groups.indices.contains(group), "group \(group) of \(groups.count)")
      guard names.insert(tensor.name).inserted else {
        throw .usage("two trained tensors are named '\(tensor.name)'")
      }
      try tensor.makeGradient()
      do throws(FileError) {
        parameters.append(
          StoredParameter(
            tensor: tensor,
            group: group,
            mean: try MatrixView(rows: tensor.rows, columns: tensor.columns),
            square: try MatrixView(rows: tensor.rows, columns: tensor.columns)
          )
        )
      } catch {
        throw .file(error)
      }
    }
    self.groups = groups
    self.parameters = parameters
  }

  /// Numbers that are trained.
  package var count: Int { parameters.reduce(0) { $0 + $1.tensor.rows * $1.tensor.columns } }

  /// Bytes of values, gradients and moments.
  package var byteCount: Int {
    parameters.reduce(0) { sum, parameter in
      let count = parameter.tensor.rows * parameter.tensor.columns
      let value = if case .bfloat16 = parameter.tensor.trainedValues { 2 } else { 4 }
      return sum + count * (value + 12)
    }
  }

  /// Sets every gradient to zero.
  package func zeroGradients() {
    for parameter in parameters { parameter.tensor.zeroGradient() }
  }

  /// √Σ g² over all gradients, summed in f64 in one order whatever the number of threads.
  package func gradientNorm() -> Double {
    var total = 0.0
    for parameter in parameters {
      guard let gradient = parameter.tensor.gradient else { continue }
      for row in 0..<gradient.rows {
        total += gradient.withRow(row) { values in
          // Four sums, joined in a fixed order: a chain of dependent additions would wait on each.
          var sums = (0.0, 0.0, 0.0, 0.0)
          var index = 0
          let whole = values.count & ~3
          while index < whole {
            let (a, b) = (Double(values[index]), Double(values[index + 1]))
            let (c, d) = (Double(values[index + 2]), Double(values[index + 3]))
            sums.0 += a * a
            sums.1 += b * b
            sums.2 += c * c
            sums.3 += d * d
            index += 4
          }
          while index < values.count {
            let value = Double(values[index])
            sums.0 += value * value
            index += 1
          }
          return (sums.0 + sums.1) + (sums.2 + sums.3)
        }
      }
    }
    return total.squareRoot()
  }
}
