// SPDX-License-Identifier: Apache-2.0
// The loop of a run: gradients, a step, a line in the log, now and then a checkpoint.

package import SEATensor

/// What a run trains: it knows the data and the model, the run knows neither.
package protocol TrainingTask: AnyObject {
  /// Adds the gradients of step `step`, counted from 0, to the tensors of the store.
  ///
  /// What it draws depends on the step alone.
  func accumulate(step: Int) throws -> StepLosses

  /// Called after the optimiser has changed the tensors.
  func didStep()
}

/// How a run proceeds.
package struct RunOptions: Sendable {
  package var schedule: Schedule
  package var optimizer = AdamWOptions()
  package var seed: UInt64 = 0
  /// Steps between checkpoints.
  package var saveEvery = 100
  /// Checkpoints that are kept.
  package var keep = 3
  /// The run is over after this many steps of the schedule; nil: after all.
  package var stopAfter: Int?

  /// A run along a schedule.
  package init(schedule: Schedule) { self.schedule = schedule }
}

/// Tells whoever watches.
package struct RunObserver {
  /// A step is done.
  package var didStep: (StepRecord) -> Void = { _ in }
  /// Something did not go as planned, and the run goes on.
  package var warn: (String) -> Void = { _ in }
  /// The run is asked to end after this step.
  package var isStopped: () -> Bool = { false }
  /// Before a step, its number counted from 0.
  package var willStep: (Int) -> Void = { _ in }
  /// After a step's gradients are complete, before they are used.
  package var didAccumulate: (Int, StepLosses, Double) throws -> Void = { _, _, _ in }

  /// Nobody watches.
  package init() {}
}

/// A run over its folder.
package final class TrainingRun {
  private let folder: RunFolder
  private let identity: RunIdentity
  private let store: ParameterStore
  private let options: RunOptions
  private let pool: WorkerPool
  private let optimizer: AdamW

  /// Steps that are done.
  package private(set) var step = 0

  /// A run at its start.
  package init(
    folder: RunFolder,
    identity: RunIdentity,
    store: ParameterStore,
    options: RunOptions,
    on pool: WorkerPool
  ) {
    self.folder = folder
    self.identity = identity
    self.store = store
    self.options = options
    self.pool = pool
    optimizer = AdamW(options.optimizer, seed: options.seed)
  }

  /// Steps of the whole run.
  package var totalSteps: Int {
    min(options.stopAfter ?? options.schedule.totalSteps, options.schedule.totalSteps)
  }

  /// Takes up the newest whole checkpoint, if there is one.
  ///
  /// - Returns: whether there was one.
  /// - Throws: `TrainerError.differs` when it was made with other inputs or settings,
  ///   `.noValidCheckpoint`.
  package func resume(_ observer: RunObserver = RunObserver()) throws(TrainerError) -> Bool {
    let shelf = folder.shelf
    let found = try shelf.newest { path, reason in
      observer.warn("passes over \(path): \(reason)")
    }
    guard let found else { return false }
    if let difference = identity.difference(from: found.identity) {
      throw .differs(
        path: shelf.folder(found.step),
        what: difference.name,
        here: difference.here,
        there: difference.there
      )
    }
    try shelf.load(found, into: store)
    step = found.step
    return true
  }

  /// Makes some steps without a folder: nothing is saved or logged.
  ///
  /// - Throws: what the task or the observer throws, `TrainerError.notFinite`.
  package static func replay(
    _ task: any TrainingTask,
    store: ParameterStore,
    options: RunOptions,
    steps: Int,
    on pool: WorkerPool,
    _ observer: RunObserver
  ) throws {
    let optimizer = AdamW(options.optimizer, seed: options.seed)
    for step in 0..<steps {
      let start = ProcessFigures.seconds
      let (losses, norm) = try accumulate(task, store, step: step)
      try observer.didAccumulate(step, losses, norm)
      let rate = options.schedule.factor(at: step)
      optimizer.step(store, step: step, rate: rate, norm: norm, on: pool)
      task.didStep()
      observer.didStep(
        StepRecord(
          step: step + 1,
          losses: losses,
          learningRate: (store.groups.first?.learningRate ?? 0) * rate,
          gradientNorm: norm,
          seconds: ProcessFigures.seconds - start,
          peakResidentBytes: ProcessFigures.peakResidentBytes
        )
      )
      if observer.isStopped(), step + 1 < steps { throw TrainerError.interrupted(step: step + 1) }
    }
  }

  /// Runs to the end of the schedule.
  ///
  /// - Throws: `TrainerError.notFinite` with the last checkpoint untouched, `.interrupted` after a
  ///   checkpoint, or what the task or the last save throws.
  package func run(_ task: any TrainingTask, _ observer: RunObserver = RunObserver()) throws {
    let log = try TrainingLog(folder: folder.path, after: step)
    var saved = step
    var isLogBroken = false
    while step < totalSteps {
      observer.willStep(step)
      let start = ProcessFigures.seconds
      let (losses, norm) = try Self.accumulate(task, store, step: step)
      try observer.didAccumulate(step, losses, norm)
      let rate = options.schedule.factor(at: step)
      optimizer.step(store, step: step, rate: rate, norm: norm, on: pool)
      task.didStep()
      step += 1
      let record = StepRecord(
        step: step,
        losses: losses,
        learningRate: (store.groups.first?.learningRate ?? 0) * rate,
        gradientNorm: norm,
        seconds: ProcessFigures.seconds - start,
        peakResidentBytes: ProcessFigures.peakResidentBytes
      )
      do throws(TrainerError) {
        try log.append(record)
      } catch {
        // A log that has no room is no reason to lose the run.
        if !isLogBroken { observer.warn("\(error)") }
        isLogBroken = true
      }
      observer.didStep(record)
      let isStopped = observer.isStopped()
      guard isStopped || step == totalSteps || step % max(options.saveEvery, 1) == 0 else {
        continue
      }
      do throws(TrainerError) {
        try save(log)
        saved = step
      } catch {
        // The last state must be saved; one on the way may wait for the next time.
        if isStopped || step == totalSteps { throw error }
        observer.warn("step \(step) is not saved: \(error)")
      }
      if isStopped, step < totalSteps { throw TrainerError.interrupted(step: step) }
    }
    if saved < step { try save(log) }
  }

  /// One step's gradients, checked.
  private static func accumulate(
    _ task: any TrainingTask,
    _ store: ParameterStore,
    step: Int
  ) throws -> (losses: StepLosses, norm: Double) {
    store.zeroGradients()
    let losses = try task.accumulate(step: step)
    func refuse(_ what: String) -> TrainerError {
      .notFinite(what: what, step: step, batch: losses.batch)
    }
    if let value = losses.generation, !value.isFinite { throw refuse("the generation loss") }
    if let value = losses.alignment, !value.isFinite { throw refuse("the alignment loss") }
    guard losses.total.isFinite else { throw refuse("the loss") }
    let norm = store.gradientNorm()
    guard norm.isFinite else { throw refuse("the gradient") }
    return (losses, norm)
  }

  private func save(_ log: TrainingLog) throws(TrainerError) {
    try folder.shelf.write(step: step, identity: identity, store: store)
    folder.shelf.prune(keep: options.keep)
    try log.draw()
  }
}
