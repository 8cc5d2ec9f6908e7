// SPDX-License-Identifier: Apache-2.0
// Ctrl-C once: finish the step and leave cleanly; twice: stop now.

import Glibc
import Synchronization

/// Signals that ask the process to end, turned into a flag that steps look at.
package enum Interruption {
  /// Exit code of the first signal; 0 while there was none.
  private static let requested = Atomic<Int32>(0)

  /// Installs the handlers for SIGINT, SIGTERM and SIGHUP.
  package static func install() {
    // Touched before a handler can run: a handler must not initialise anything.
    _ = requested.load(ordering: .relaxed)
    let handler: @convention(c) (Int32) -> Void = { number in
      let status: ExitStatus = number == SIGINT ? .interrupted : .terminated
      let (exchanged, _) = Interruption.requested.compareExchange(
        expected: 0,
        desired: status.rawValue,
        ordering: .sequentiallyConsistent
      )
      if !exchanged { _exit(status.rawValue) }
    }
    let signals = [SIGINT, SIGTERM, SIGHUP]
    for number in signals { signal(number, handler) }
    // A parent may have started this process from a thread that blocks them.
    System.unblock(signals)
    System.endOnMissingPages()
  }

  /// How the process was asked to end, or nil.
  package static var status: ExitStatus? {
    ExitStatus(rawValue: requested.load(ordering: .relaxed)).flatMap { $0 == .success ? nil : $0 }
  }

  /// Leaves the current work when the process was asked to end; called between steps.
  ///
  /// - Throws: `CommandError` with code 130 or 143.
  package static func check() throws(CommandError) {
    if let status { throw CommandError(status, "interrupted") }
  }
}
