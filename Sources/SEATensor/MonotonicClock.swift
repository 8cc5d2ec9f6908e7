// SPDX-License-Identifier: Apache-2.0
// The clock of every measurement.

import Glibc

/// A clock that never runs backwards and never stops.
package enum MonotonicClock {
  /// Nanoseconds since some moment in the past.
  package static var nanoseconds: Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
  }
}
