// SPDX-License-Identifier: Apache-2.0
// Fork and join over persistent threads, without allocation per call.

internal import CSIMD
internal import Glibc
internal import Synchronization

/// Work that can be done in pieces, in any order, on any thread.
///
/// A piece must write only memory of its own: results may not depend on which thread ran it or when.
package protocol ParallelWork {
  /// What kind of work it is, for profiles.
  static var kind: WorkKind { get }

  /// Does one piece.
  ///
  /// - Parameters:
  ///   - piece: index of the piece.
  ///   - worker: index of the thread that runs it, for per-thread scratch.
  func run(piece: Int, worker: Int)
}

extension ParallelWork {
  package static var kind: WorkKind { .other }
}

/// Persistent worker threads.
///
/// The caller takes part in the work. Workers spin for about 50 µs after a step, then sleep, so an idle
/// pool uses no processor time. One thread at a time may call `run`; work may not call it again.
package final class WorkerPool: Sendable {
  /// Threads that do the work, the caller included.
  package let threads: Int

  /// Where time goes, while somebody wants to know.
  package let profiler: WorkProfiler

  private let state: PoolState
  private let handles: [pthread_t]

  /// Starts `threads - 1` workers (at least 0).
  package init(threads: Int) {
    let profiler = WorkProfiler(threads: max(threads, 1))
    let state = PoolState(profiler)
    self.profiler = profiler
    var handles: [pthread_t] = []
    for index in 1..<max(threads, 1) {
      var handle = pthread_t()
      let start = unsafe Unmanaged.passRetained(WorkerStart(state: state, index: index))
      let code = unsafe pthread_create(&handle, nil, workerMain, start.toOpaque())
      guard code == 0 else {
        unsafe start.release()
        break
      }
      handles.append(handle)
    }
    self.state = state
    self.handles = handles
    self.threads = handles.count + 1
    state.workers.store(handles.count, ordering: .releasing)
  }

  deinit {
    state.stop()
    for handle in handles { pthread_join(handle, nil) }
  }

  /// Runs pieces `0..<pieces` of `work` and returns when all are done.
  package func run<Work: ParallelWork>(_ work: Work, pieces: Int) {
    let start = profiler.isOn ? MonotonicClock.nanoseconds : 0
    defer { if profiler.isOn { profiler.add(parallel: MonotonicClock.nanoseconds - start) } }
    guard pieces > 1, threads > 1 else {
      for piece in 0..<max(pieces, 0) { work.run(piece: piece, worker: 0) }
      if profiler.isOn {
        profiler.add(MonotonicClock.nanoseconds - start, of: Work.kind, worker: 0)
      }
      return
    }
    unsafe withUnsafePointer(to: work) { pointer in
      unsafe state.run(
        PoolState.Job(address: UnsafeRawPointer(pointer), type: Work.self, pieces: pieces)
      )
    }
  }
}

/// What a new thread is told.
private final class WorkerStart {
  let state: PoolState
  let index: Int

  init(state: PoolState, index: Int) {
    self.state = state
    self.index = index
  }
}

private func workerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument = unsafe argument else { return nil }
  let start = unsafe Unmanaged<WorkerStart>.fromOpaque(argument).takeRetainedValue()
  start.state.work(as: start.index)
  return nil
}

/// State shared by the caller and the workers.
///
/// `job` is written by the caller only while no worker is inside a step (`pending` is 0), and published
/// by the release increment of `step`.
@safe private final class PoolState: @unchecked Sendable {
  @unsafe struct Job {
    var address: UnsafeRawPointer
    var type: any ParallelWork.Type
    var pieces: Int
  }

  let workers = Atomic<Int>(0)
  private let step = Atomic<Int>(0)
  private let next = Atomic<Int>(0)
  private let pending = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let isStopped = Atomic<Bool>(false)
  private let profiler: WorkProfiler
  private var job: Job?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Pauses before a waiting thread sleeps: about 50 µs.
  private static let spins = 1500

  init(_ profiler: WorkProfiler) {
    self.profiler = profiler
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(wake, nil)
    unsafe pthread_cond_init(done, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(wake)
    unsafe pthread_cond_destroy(done)
    unsafe pthread_mutex_destroy(mutex)
    unsafe wake.deallocate()
    unsafe done.deallocate()
    unsafe mutex.deallocate()
  }

  @unsafe func run(_ newJob: Job) {
    unsafe job = newJob
    next.store(0, ordering: .relaxed)
    pending.store(workers.load(ordering: .acquiring), ordering: .relaxed)
    step.add(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      unsafe pthread_mutex_lock(mutex)
      unsafe pthread_cond_broadcast(wake)
      unsafe pthread_mutex_unlock(mutex)
    }
    unsafe Self.drain(newJob.type, newJob, next, profiler, worker: 0)
    for _ in 0..<Self.spins {
      if pending.load(ordering: .acquiring) == 0 { return }
      csimd_relax()
    }
    unsafe pthread_mutex_lock(mutex)
    while pending.load(ordering: .acquiring) != 0 { unsafe pthread_cond_wait(done, mutex) }
    unsafe pthread_mutex_unlock(mutex)
  }

  func work(as index: Int) {
    var seen = 0
    while true {
      seen = waitForStep(after: seen)
      if isStopped.load(ordering: .acquiring) { return }
      if let job = unsafe job { unsafe Self.drain(job.type, job, next, profiler, worker: index) }
      if pending.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
        // Taking the lock orders this signal after the caller's check of `pending`.
        unsafe pthread_mutex_lock(mutex)
        unsafe pthread_cond_signal(done)
        unsafe pthread_mutex_unlock(mutex)
      }
    }
  }

  func stop() {
    isStopped.store(true, ordering: .releasing)
    step.add(1, ordering: .sequentiallyConsistent)
    unsafe pthread_mutex_lock(mutex)
    unsafe pthread_cond_broadcast(wake)
    unsafe pthread_mutex_unlock(mutex)
  }

  private func waitForStep(after seen: Int) -> Int {
    for _ in 0..<Self.spins {
      let now = step.load(ordering: .acquiring)
      if now != seen { return now }
      csimd_relax()
    }
    unsafe pthread_mutex_lock(mutex)
    sleepers.add(1, ordering: .sequentiallyConsistent)
    while step.load(ordering: .sequentiallyConsistent) == seen {
      unsafe pthread_cond_wait(wake, mutex)
    }
    sleepers.subtract(1, ordering: .sequentiallyConsistent)
    unsafe pthread_mutex_unlock(mutex)
    return step.load(ordering: .acquiring)
  }

  /// Takes pieces until none is left; opens the job's type once.
  @unsafe private static func drain<Work: ParallelWork>(
    _ type: Work.Type,
    _ job: Job,
    _ next: borrowing Atomic<Int>,
    _ profiler: WorkProfiler,
    worker: Int
  ) {
    let work = unsafe job.address.assumingMemoryBound(to: Work.self)
    let pieces = unsafe job.pieces
    let start = profiler.isOn ? MonotonicClock.nanoseconds : 0
    while true {
      let piece = next.add(1, ordering: .relaxed).oldValue
      if piece >= pieces {
        guard profiler.isOn else { return }
        return profiler.add(MonotonicClock.nanoseconds - start, of: Work.kind, worker: worker)
      }
      unsafe work.pointee.run(piece: piece, worker: worker)
    }
  }
}
