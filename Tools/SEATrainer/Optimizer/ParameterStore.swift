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
  package let moments: Moments
}

/// The trained tensors of a run, in a fixed order.
package final class ParameterStore {
  package let groups: [ParameterGroup]
  /// In the order they were given: it decides the order of every sum.
  package let parameters: [StoredParameter]
  /// Every tensor has a gradient all the time.
  package let keepsGradients: Bool

  /// Allocates moments for the tensors.
  ///
  /// - Parameters:
  ///   - groups: settings.
  ///   - moments: how moments are stored.
  ///   - keepsGradients: every tensor has a gradient from the start; otherwise gradients come and go
  ///     within a pass, as `FusedStep` needs it.
  ///   - tensors: what is trained, with the place of its group.
  /// - Throws: `TrainerError.file` when memory cannot be had, `.usage` when nothing is trained or two
  ///   tensors share a name.
  /// - Precondition: every group index is in range.
  package init(
    groups: [ParameterGroup],
    moments: MomentType = .float32,
    keepsGradients: Bool = true,
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
      if keepsGradients { try tensor.makeGradient() }
      do throws(FileError) {
        parameters.append(
          StoredParameter(
            tensor: tensor,
            group: group,
            moments: try Moments(moments, rows: tensor.rows, columns: tensor.columns)
          )
        )
      } catch {
        throw .file(error)
      }
    }
    self.groups = groups
    self.parameters = parameters
    self.keepsGradients = keepsGradients
  }

  /// Numbers that are trained.
  package var count: Int { parameters.reduce(0) { $0 + $1.tensor.rows * $1.tensor.columns } }

  /// Bytes of values, moments and gradients, where these are kept.
  package var byteCount: Int {
    parameters.reduce(0) { sum, parameter in
      let count = parameter.tensor.rows * parameter.tensor.columns
      let value = if case .bfloat16 = parameter.tensor.trainedValues { 2 } else { 4 }
      let gradient = keepsGradients ? 4 : 0
      return sum + count * (value + gradient) + parameter.moments.byteCount
    }
  }

  /// Sets every gradient to zero.
  package func zeroGradients() {
    for parameter in parameters { parameter.tensor.zeroGradient() }
  }

  /// √Σ g² over all gradients, summed in f64 in one order whatever the number of threads.
  package func gradientNorm(on pool: WorkerPool? = nil) -> Double {
    parameters.indices.reduce(0.0) { $0 + squaredNorm(of: $1, on: pool) }.squareRoot()
  }

  /// Σ g² of one tensor, row by row; 0 where there is no gradient.
  func squaredNorm(of index: Int, on pool: WorkerPool? = nil) -> Double {
    guard let gradient = parameters[index].tensor.gradient else { return 0 }
    guard let pool, pool.threads > 1, gradient.rows >= pool.threads * 8,
      let sums = try? MatrixView<Double>(rows: 1, columns: gradient.rows)
    else { return (0..<gradient.rows).reduce(0.0) { $0 + Self.squaredNorm(gradient, row: $1) } }
    let pieces = pool.threads * 8
    pool.run(SquaredNormWork(gradient: gradient, sums: sums, pieces: pieces), pieces: pieces)
    return (0..<gradient.rows).reduce(0.0) { $0 + sums[0, $1] }
  }

  fileprivate static func squaredNorm(_ gradient: MatrixView<Float>, row: Int) -> Double {
    gradient.withRow(row) { values in
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

/// The sums of a gradient's rows; a piece is a run of rows.
private struct SquaredNormWork: ParallelWork {
  let gradient: MatrixView<Float>
  let sums: MatrixView<Double>
  let pieces: Int

  func run(piece: Int, worker: Int) {
    for row in gradient.rows * piece / pieces..<gradient.rows * (piece + 1) / pieces {
      sums[0, row] = ParameterStore.squaredNorm(gradient, row: row)
    }
  }
}
