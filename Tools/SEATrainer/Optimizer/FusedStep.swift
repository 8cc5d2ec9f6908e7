// SPDX-License-Identifier: Apache-2.0
// The optimiser's step inside the backward pass: each gradient is used and given back at once.

internal import SEATensor

/// What gradients are clipped by where they never exist together.
package enum FusedClipping: String, Sendable, CaseIterable {
  /// Their norm, which a pass of its own finds first: the numbers of a step that is not fused, in
  /// twice the time.
  case exact
  /// The norm of the step before, and each tensor's own: no tensor moves further than under `exact`
  /// with the same norm, and a step costs one pass.
  case previous
}

/// Takes gradients as they are completed.
///
/// A gradient is measured, moves its tensor where the step is applied, and its memory goes; tensors
/// that a pass does not reach move at the end as if their gradients were zero.
final class FusedStep {
  private let store: ParameterStore
  private let optimizer: AdamW
  private let pool: WorkerPool
  private let places: [ObjectIdentifier: Int]
  /// Σ g² of each tensor of this pass; nil: not reached yet.
  private var sums: [Double?]

  /// A step over a store whose gradients come and go.
  init(_ store: ParameterStore, _ optimizer: AdamW, on pool: WorkerPool) {
    self.store = store
    self.optimizer = optimizer
    self.pool = pool
    var places: [ObjectIdentifier: Int] = [:]
    for (index, parameter) in store.parameters.enumerated() {
      places[ObjectIdentifier(parameter.tensor)] = index
    }
    self.places = places
    sums = [Double?](repeating: nil, count: store.parameters.count)
  }

  /// Norm of the gradients of the last pass, the same bits as those of gradients that are kept.
  var norm: Double { sums.reduce(0.0) { $0 + ($1 ?? 0) }.squareRoot() }

  /// Gradients are measured and dropped.
  ///
  /// - Parameter pass: makes them, and tells of each that is complete.
  /// - Returns: what the pass returns.
  /// - Throws: what the pass throws.
  func measure<Result>(
    _ pass: (@escaping (any TrainedTensor) throws -> Void) throws -> Result
  ) throws -> Result {
    begin()
    return try pass { [self] tensor in
      guard let index = places[ObjectIdentifier(tensor)] else { return }
      sums[index] = store.squaredNorm(of: index, on: pool)
      tensor.dropGradient()
    }
  }

  /// Gradients move their tensors.
  ///
  /// - Parameters:
  ///   - step: steps made before this one.
  ///   - rate: share of the peak learning rates.
  ///   - clip: what a gradient is multiplied by, given its own norm.
  ///   - pass: makes the gradients.
  /// - Returns: what the pass returns.
  /// - Throws: what the pass throws, `Unusable` for a gradient that is no number; tensors that were
  ///   reached before have moved then.
  func apply<Result>(
    step: Int,
    rate: Double,
    clip: @escaping (_ norm: Double) -> Double,
    _ pass: (@escaping (any TrainedTensor) throws -> Void) throws -> Result
  ) throws -> Result {
    begin()
    let result = try pass { [self] tensor in
      guard let index = places[ObjectIdentifier(tensor)] else { return }
      try apply(index, step: step, rate: rate, clip: clip)
    }
    for index in sums.indices where sums[index] == nil {
      try store.parameters[index].tensor.makeGradient()
      try apply(index, step: step, rate: rate, clip: clip)
    }
    return result
  }

  /// A gradient is no finite number.
  struct Unusable: Error {}

  private func begin() {
    for index in sums.indices { sums[index] = nil }
  }

  private func apply(
    _ index: Int,
    step: Int,
    rate: Double,
    clip: (_ norm: Double) -> Double
  ) throws {
    let sum = store.squaredNorm(of: index, on: pool)
    guard sum.isFinite else { throw Unusable() }
    sums[index] = sum
    optimizer.advance(
      store,
      index,
      step: step,
      rate: rate,
      clip: clip(sum.squareRoot()),
      on: pool
    )
    store.parameters[index].tensor.dropGradient()
  }
}
