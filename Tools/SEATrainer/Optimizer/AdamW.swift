// SPDX-License-Identifier: Apache-2.0
// Adam with decoupled weight decay, as PyTorch computes it.

internal import Glibc
internal import SEADataset
package import SEATensor

/// Settings of the optimiser that all groups share.
package struct AdamWOptions: Sendable, Equatable {
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8
  /// Largest global norm of the gradients; 0: they are not clipped.
  package var clipNorm = 1.0

  /// The library's defaults, clipping at 1.
  package init() {}
}

/// The optimiser.
///
/// Per step t = 1, 2, …, with g the clipped gradient:
///
///     w ← w − lr · decay · w
///     m ← m + (1 − β₁)(g − m)        v ← β₂ v + (1 − β₂) g²
///     w ← w − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
///
/// - Source: PyTorch `torch.optim.AdamW`, `clip_grad_norm_`.
package struct AdamW: Sendable {
  package let options: AdamWOptions
  /// Decides how bf16 values are rounded.
  package let seed: UInt64

  /// An optimiser without state of its own: moments live in the store.
  package init(_ options: AdamWOptions, seed: UInt64) {
    self.options = options
    self.seed = seed
  }

  /// What gradients are multiplied by so that their norm stays within the limit.
  package func clipFactor(norm: Double) -> Double {
    options.clipNorm > 0 ? min(1, options.clipNorm / (norm + 1e-6)) : 1
  }

  /// Changes every tensor that has a gradient.
  ///
  /// - Parameters:
  ///   - store: tensors and moments.
  ///   - step: steps made before this one.
  ///   - rate: share of each group's peak learning rate.
  ///   - norm: norm of all gradients.
  ///   - pool: threads; results are the same bits for any number of them.
  package func step(
    _ store: ParameterStore,
    step: Int,
    rate: Double,
    norm: Double,
    on pool: WorkerPool
  ) {
    let count = Double(step + 1)
    let correction1 = 1 - pow(options.beta1, count)
    let correction2 = (1 - pow(options.beta2, count)).squareRoot()
    for (index, parameter) in store.parameters.enumerated() {
      guard let gradient = parameter.tensor.gradient else { continue }
      let group = store.groups[parameter.group]
      let learningRate = group.learningRate * rate
      let factors = AdamWFactors(
        clip: Float(clipFactor(norm: norm)),
        keep: Float(1 - learningRate * group.weightDecay),
        mix1: Float(1 - options.beta1),
        beta2: Float(options.beta2),
        mix2: Float(1 - options.beta2),
        stepSize: Float(learningRate / correction1),
        root: Float(correction2),
        epsilon: Float(options.epsilon)
      )
      let pieces = min(gradient.rows, pool.threads == 1 ? 1 : pool.threads * 8)
      let work = AdamWWork(
        parameter: parameter,
        gradient: gradient,
        factors: factors,
        seed: seed,
        step: step,
        tensor: index,
        pieces: pieces
      )
      pool.run(work, pieces: pieces)
    }
  }
}

/// The numbers that one step has in common for all values of a tensor.
private struct AdamWFactors {
  let clip: Float
  let keep: Float
  let mix1: Float
  let beta2: Float
  let mix2: Float
  let stepSize: Float
  let root: Float
  let epsilon: Float

  /// One value's step.
  @inline(__always)
  func advance(_ value: Float, _ slope: Float, _ mean: inout Float, _ square: inout Float) -> Float
  {
    let slope = slope * clip
    mean += mix1 * (slope - mean)
    square = beta2 * square + mix2 * (slope * slope)
    return value * keep - stepSize * (mean / (square.squareRoot() / root + epsilon))
  }
}

/// One tensor's step; a piece is a run of rows.
private struct AdamWWork: ParallelWork {
  let parameter: StoredParameter
  let gradient: MatrixView<Float>
  let factors: AdamWFactors
  let seed: UInt64
  let step: Int
  let tensor: Int
  let pieces: Int

  func run(piece: Int, worker: Int) {
    let rows = gradient.rows
    for row in rows * piece / pieces..<rows * (piece + 1) / pieces {
      switch parameter.tensor.trainedValues {
      case .float32(let values): advance(row, values)
      case .bfloat16(let values): advance(row, values)
      }
    }
  }

  private func advance(_ row: Int, _ values: MatrixView<Float>) {
    values.withRow(row) { values in
      var values = values
      gradient.withRow(row) { slopes in
        parameter.mean.withRow(row) { means in
          var means = means
          parameter.square.withRow(row) { squares in
            var squares = squares
            for index in 0..<values.count {
              values[index] = factors.advance(
                values[index],
                slopes[index],
                &means[index],
                &squares[index]
              )
            }
          }
        }
      }
    }
  }

  /// bf16 keeps 8 bits: rounding to nearest would lose every step below 1/512 of the value, so the
  /// lost bits decide by chance which neighbour it becomes, and the mean comes out right.
  private func advance(_ row: Int, _ values: MatrixView<UInt16>) {
    var random = CounterRandom(seed: seed, .rounding, step, tensor, row)
    values.withRow(row) { values in
      var values = values
      gradient.withRow(row) { slopes in
        parameter.mean.withRow(row) { means in
          var means = means
          parameter.square.withRow(row) { squares in
            var squares = squares
            for index in 0..<values.count {
              let next = factors.advance(
                Float(bitPattern: UInt32(values[index]) << 16),
                slopes[index],
                &means[index],
                &squares[index]
              )
              let noise = UInt32(truncatingIfNeeded: random.next()) & 0xffff
              let bits = next.isFinite ? next.bitPattern &+ noise : next.bitPattern
              values[index] = UInt16(truncatingIfNeeded: bits >> 16)
            }
          }
        }
      }
    }
  }
}
