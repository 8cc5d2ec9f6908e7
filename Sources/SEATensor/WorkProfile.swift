// SPDX-License-Identifier: Apache-2.0
// Where the time of a pool's threads goes, by kind of work.

internal import Synchronization

/// Kinds of work that a profile tells apart.
package enum WorkKind: String, Sendable, CaseIterable {
  /// Products with weights, and what follows them while outputs are in cache.
  case linear
  /// Activations, gates and sums that follow a product.
  case activation
  /// Norms and quantisation before a product.
  case preparation = "norm and quantise"
  /// Scores, softmax and the sum of values.
  case attention
  /// Rotating and storing keys and values.
  case storing = "store keys"
  /// Everything else.
  case other

  var place: Int {
    switch self {
    case .linear: 0
    case .activation: 1
    case .preparation: 2
    case .attention: 3
    case .storing: 4
    case .other: 5
    }
  }
}

/// What was noted between two moments, in nanoseconds.
package struct WorkProfile: Sendable, Equatable {
  /// From start to finish.
  package let elapsed: Int
  /// Of that, inside parallel steps, seen by the caller.
  package let parallel: Int
  /// Time in work of each kind, all threads together.
  package let busy: [WorkKind: Int]
}

/// Notes of one pool; costs a load of a flag or two a step while it is off.
///
/// Each worker adds to a line of its own inside steps; the caller of the pool starts, finishes and reads
/// between steps, which order the memory.
@safe package final class WorkProfiler: @unchecked Sendable {
  private let isNoting = Atomic<Bool>(false)
  private let times: UnsafeMutablePointer<Int>
  private let threads: Int
  private var started = 0
  private var parallel = 0

  /// Values of a line: the kinds, and a gap that keeps lines of workers apart.
  private static let line = 16

  init(threads: Int) {
    self.threads = threads
    unsafe times = .allocate(capacity: threads * Self.line)
    unsafe times.initialize(repeating: 0, count: threads * Self.line)
  }

  deinit { unsafe times.deallocate() }

  /// True between start and finish.
  package var isOn: Bool { isNoting.load(ordering: .relaxed) }

  /// Starts anew; no step may run.
  package func start() {
    unsafe times.update(repeating: 0, count: threads * Self.line)
    parallel = 0
    started = MonotonicClock.nanoseconds
    isNoting.store(true, ordering: .releasing)
  }

  /// Ends, and tells what was noted; no step may run.
  package func finish() -> WorkProfile {
    isNoting.store(false, ordering: .releasing)
    let elapsed = MonotonicClock.nanoseconds - started
    var busy: [WorkKind: Int] = [:]
    for kind in WorkKind.allCases {
      busy[kind] = (0..<threads).reduce(0) { unsafe $0 + times[$1 * Self.line + kind.place] }
    }
    return WorkProfile(elapsed: elapsed, parallel: parallel, busy: busy)
  }

  /// Notes time that was spent in work of one kind.
  package func add(_ nanoseconds: Int, of kind: WorkKind, worker: Int) {
    precondition(worker >= 0 && worker < threads, "worker \(worker) of \(threads)")
    unsafe times[worker * Self.line + kind.place] += nanoseconds
  }

  /// Notes time of the caller inside a step.
  func add(parallel nanoseconds: Int) { parallel += nanoseconds }
}
