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

/// A task that makes the gradients of a step in one pass and tells of each that is complete.
package protocol FusibleTask: TrainingTask {
  /// The gradients of step `step`, counted from 0; `onGradient` may change the tensor and drop them.
  ///
  /// The same step called twice makes the same gradients where the tensors are the same.
  func accumulate(
    step: Int,
    onGradient: @escaping (any TrainedTensor) throws -> Void
  ) throws -> StepLosses
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
  /// The step is made within the backward pass, and gradients are clipped by this; nil: it is not.
  package var fused: FusedClipping?
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
  /// What is measured between steps; nil: nothing.
  package var evaluation: RunEvaluation?

  /// Steps that are done.
  package private(set) var step = 0
  /// What the steps so far have found.
  package private(set) var state = RunState()

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
    state = found.state
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
    var maker = StepMaker(task, store, options, on: pool)
    for step in 0..<steps {
      observer.didStep(try maker.make(step, observer))
      if observer.isStopped(), step + 1 < steps { throw TrainerError.interrupted(step: step + 1) }
    }
  }

  /// The run ends before its schedule does.
  private var isStoppedEarly: Bool { evaluation?.isOver(state) ?? false }

  /// Runs to the end of the schedule, or until nothing gets better.
  ///
  /// Where it may end early, the tensors are at the end those of the best evaluation.
  /// - Throws: `TrainerError.notFinite` with the last checkpoint untouched, `.interrupted` after a
  ///   checkpoint, or what the task, the evaluation or the last save throws.
  package func run(_ task: any TrainingTask, _ observer: RunObserver = RunObserver()) throws {
    let log = try TrainingLog(folder: folder.path, after: step)
    var maker = StepMaker(task, store, options, on: pool)
    maker.previousNorm = state.gradientNorm
    var saved = step
    var isLogBroken = false
    while step < totalSteps, !isStoppedEarly {
      observer.willStep(step)
      var record = try maker.make(step, observer)
      step += 1
      state.gradientNorm = maker.previousNorm
      if let evaluation, evaluation.isDue(step, of: totalSteps) {
        try evaluate(evaluation, &record)
      }
      do throws(TrainerError) {
        try log.append(record)
      } catch {
        // A log that has no room is no reason to lose the run.
        if !isLogBroken { observer.warn("\(error)") }
        isLogBroken = true
      }
      observer.didStep(record)
      let isStopped = observer.isStopped()
      let isLast = step == totalSteps || isStoppedEarly
      guard isStopped || isLast || step % max(options.saveEvery, 1) == 0 else { continue }
      do throws(TrainerError) {
        try save(log)
        saved = step
      } catch {
        // The last state must be saved; one on the way may wait for the next time.
        if isStopped || isLast { throw error }
        observer.warn("step \(step) is not saved: \(error)")
      }
      if isStopped, !isLast { throw TrainerError.interrupted(step: step) }
    }
    if saved < step { try save(log) }
    try takeBest()
  }

  // MARK: - Evaluation

  /// Where the state of the best evaluation is.
  private var bestShelf: CheckpointShelf { CheckpointShelf(path: folder.file("best")) }

  private func evaluate(_ evaluation: RunEvaluation, _ record: inout StepRecord) throws {
    let loss = try evaluation.loss()
    record.losses.others[RunEvaluation.name] = loss
    guard state.note(loss, at: step), evaluation.patience != nil else { return }
    try bestShelf.write(step: step, identity: identity, store: store, state: state)
    bestShelf.prune(keep: 1)
  }

  private func takeBest() throws(TrainerError) {
    guard evaluation?.patience != nil, let best = state.best, best.step != step else { return }
    try bestShelf.load(try bestShelf.check(best.step), into: store)
  }

  private func save(_ log: TrainingLog) throws(TrainerError) {
    try folder.shelf.write(step: step, identity: identity, store: store, state: state)
    folder.shelf.prune(keep: options.keep)
    try log.draw()
  }
}
