// SPDX-License-Identifier: Apache-2.0
// Where the threads' time of a stage went.

package import SEAFormat
import SEATensor

/// Thread-seconds by kind of work over one stage.
package struct BenchProfile: Sendable, Equatable {
  /// A kind of work and its share.
  package struct Part: Sendable, Equatable {
    /// `linear`, `attention`, …, `serial` for work of one thread between steps, `waiting`.
    package let name: String
    /// Seconds of all threads together.
    package let seconds: Double
    /// Of all threads' time.
    package let share: Double
  }

  /// The parts, largest first.
  package let parts: [Part]

  /// The parts as JSON.
  package var json: JSONValue {
    .array(
      parts.map {
        [
          "part": .string($0.name), "thread_seconds": BenchSeries.number($0.seconds),
          "share": BenchSeries.number($0.share),
        ]
      }
    )
  }
}

extension BenchProfile {
  /// The parts of what a pool noted on `threads` threads.
  init(_ profile: WorkProfile, threads: Int) {
    let total = Double(max(profile.elapsed * threads, 1))
    var parts: [Part] = []
    func add(_ name: String, _ nanoseconds: Int) {
      guard nanoseconds > 0 else { return }
      let time = Double(nanoseconds)
      parts.append(Part(name: name, seconds: time * 1e-9, share: time / total))
    }
    for kind in WorkKind.allCases { add(kind.rawValue, profile.busy[kind] ?? 0) }
    add("serial", profile.elapsed - profile.parallel)
    let busy = profile.busy.values.reduce(0, +)
    add("waiting", profile.elapsed * threads - busy - (profile.elapsed - profile.parallel))
    self.parts = parts.sorted { $0.share > $1.share }
  }
}
