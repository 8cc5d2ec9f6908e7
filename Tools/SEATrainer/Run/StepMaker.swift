// SPDX-License-Identifier: Apache-2.0
// One step of a run: gradients, checked, and what the optimiser makes of them, at once or at the end.

internal import SEATensor

/// Makes the steps of a run or a replay.
struct StepMaker {
  private let task: any TrainingTask
  private let store: ParameterStore
  private let optimizer: AdamW
  private let schedule: Schedule
  private let pool: WorkerPool
  private let fused: Fused?

  private struct Fused {
    let task: any FusibleTask
    let clipping: FusedClipping
    let step: FusedStep
  }

  /// Norm of the gradients of the last step; nil: there was none.
  var previousNorm: Double?

  /// Steps of a task over a store.
  ///
  /// - Precondition: a task whose steps are fused is one that can be.
  init(
    _ task: any TrainingTask,
    _ store: ParameterStore,
    _ options: RunOptions,
    on pool: WorkerPool
  ) {
    self.task = task
    self.store = store
    self.pool = pool
    schedule = options.schedule
    let optimizer = AdamW(options.optimizer, seed: options.seed)
    self.optimizer = optimizer
    if let clipping = options.fused {
      guard let task = task as? any FusibleTask else {
        preconditionFailure("a task whose step cannot be fused")
      }
      fused = Fused(task: task, clipping: clipping, step: FusedStep(store, optimizer, on: pool))
    } else {
      fused = nil
    }
  }

  /// Makes the step after `step` others.
  ///
  /// - Throws: what the task or the observer throws, `TrainerError.notFinite`.
  mutating func make(_ step: Int, _ observer: RunObserver) throws -> StepRecord {
    let start = ProcessFigures.seconds
    let rate = schedule.factor(at: step)
    let (losses, norm) =
      if let fused {
        try advance(fused, step: step, rate: rate, observer)
      } else {
        try advance(step: step, rate: rate, observer)
      }
    previousNorm = norm
    task.didStep()
    return StepRecord(
      step: step + 1,
      losses: losses,
      learningRate: (store.groups.first?.learningRate ?? 0) * rate,
      gradientNorm: norm,
      seconds: ProcessFigures.seconds - start,
      peakResidentBytes: ProcessFigures.peakResidentBytes
    )
  }

  private func advance(
    step: Int,
    rate: Double,
    _ observer: RunObserver
  ) throws -> (StepLosses, Double) {
    store.zeroGradients()
    let losses = try task.accumulate(step: step)
    let norm = store.gradientNorm(on: pool)
    try check(losses, norm: norm, step: step)
    try observer.didAccumulate(step, losses, norm)
    optimizer.step(store, step: step, rate: rate, norm: norm, on: pool)
    return (losses, norm)
  }

  /// A step whose gradients are used one by one.
  private func advance(
    _ fused: Fused,
    step: Int,
    rate: Double,
    _ observer: RunObserver
  ) throws -> (StepLosses, Double) {
    let limit = optimizer.options.clipNorm
    func pass(_ onGradient: @escaping (any TrainedTensor) throws -> Void) throws -> StepLosses {
      try fused.task.accumulate(step: step, onGradient: onGradient)
    }
    var factor = 1.0
    if limit > 0 {
      if fused.clipping == .previous, let previousNorm {
        factor = optimizer.clipFactor(norm: previousNorm)
      } else {
        let losses = try fused.step.measure(pass)
        try check(losses, norm: fused.step.norm, step: step)
        factor = optimizer.clipFactor(norm: fused.step.norm)
      }
    }
    let isOwn = limit > 0 && fused.clipping == .previous
    let losses: StepLosses
    do {
      losses = try fused.step.apply(
        step: step,
        rate: rate,
        clip: { [optimizer, factor] norm in
          isOwn ? min(factor, optimizer.clipFactor(norm: norm)) : factor
        },
        pass
      )
    } catch is FusedStep.Unusable {
      throw TrainerError.notFinite(what: "the gradient", step: step, batch: [])
    }
    let norm = fused.step.norm
    try check(losses, norm: norm, step: step)
    try observer.didAccumulate(step, losses, norm)
    return (losses, norm)
  }

  private func check(_ losses: StepLosses, norm: Double, step: Int) throws(TrainerError) {
    func refuse(_ what: String) -> TrainerError {
      .notFinite(what: what, step: step, batch: losses.batch)
    }
    if let value = losses.generation, !value.isFinite { throw refuse("the generation loss") }
    if let value = losses.alignment, !value.isFinite { throw refuse("the alignment loss") }
    guard losses.total.isFinite else { throw refuse("the loss") }
    guard norm.isFinite else { throw refuse("the gradient") }
  }
}
