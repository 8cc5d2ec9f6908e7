// SPDX-License-Identifier: Apache-2.0
// Errors of parallel pieces, which cannot throw.

import Synchronization

/// Keeps the failure of the first piece, whichever thread was first.
final class FirstFailure: Sendable {
  private let state = Mutex<(piece: Int, error: any Error)?>(nil)

  /// Notes the failure of a piece.
  func note(_ error: any Error, piece: Int) {
    state.withLock { failure in
      if let failure, failure.piece < piece { return }
      failure = (piece, error)
    }
  }

  /// Throws the failure, if there was one.
  func rethrow() throws {
    if let failure = state.withLock({ $0 }) { throw failure.error }
  }
}
