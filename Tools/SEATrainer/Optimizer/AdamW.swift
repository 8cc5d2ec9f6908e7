// SPDX-License-Identifier: Apache-2.0
// Adam with decoupled weight decay, as PyTorch computes it.

internal import Glibc
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
    let clip = clipFactor(norm: norm)
    for index in store.parameters.indices {
      advance(store, index, step: step, rate: rate, clip: clip, on: pool)
    }
  }

  /// Changes one tensor, if it has a gradient.
  ///
  /// - Parameters:
  ///   - store: tensors and moments.
  ///   - index: the tensor's place in the store.
  ///   - step: steps made before this one.
  ///   - rate: share of the group's peak learning rate.
  ///   - clip: what the gradient is multiplied by.
  ///   - pool: threads.
  func advance(
    _ store: ParameterStore,
    _ index: Int,
    step: Int,
    rate: Double,
    clip: Double,
    on pool: WorkerPool
  ) {
    let parameter = store.parameters[index]
    guard let gradient = parameter.tensor.gradient else { return }
    let count = Double(step + 1)
    let correction1 = 1 - pow(options.beta1, count)
    let correction2 = (1 - pow(options.beta2, count)).squareRoot()
    let group = store.groups[parameter.group]
    let learningRate = group.learningRate * rate
    let factors = AdamWFactors(
      clip: Float(clip),
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
