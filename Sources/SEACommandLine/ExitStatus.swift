// SPDX-License-Identifier: Apache-2.0
// The exit codes of both commands: the whole list, and nothing else is ever returned.

/// What a command tells the shell when it ends.
package enum ExitStatus: Int32, Sendable, CaseIterable {
  /// Done.
  case success = 0
  /// Failed in a way that no other code describes.
  case failure = 1
  /// A quality or parity gate did not hold.
  case gateFailed = 2
  /// The command line is wrong.
  case usage = 64
  /// A file, image or configuration is wrong.
  case badData = 65
  /// An input does not exist or is not a regular file.
  case missingInput = 66
  /// A program or part that is needed is not installed.
  case unavailable = 69
  /// The program itself is wrong.
  case internalBug = 70
  /// The operating system or the memory plan refused.
  case system = 71
  /// Reading or writing failed; the disk may be full.
  case inputOutput = 74
  /// Another process holds the output.
  case busy = 75
  /// Permission denied.
  case permission = 77
  /// Interrupted (Ctrl-C) after a clean end of the step.
  case interrupted = 130
  /// Asked to terminate, after a clean end of the step.
  case terminated = 143
}

/// A failure that knows its exit code.
package protocol ExitStatusProviding: Error {
  /// The exit code a command ends with when this error reaches the top.
  var exitStatus: ExitStatus { get }
}

/// A failure that a command itself finds.
package struct CommandError: ExitStatusProviding, Equatable, CustomStringConvertible {
  package let exitStatus: ExitStatus
  /// One line: what is wrong, where, what was expected.
  package let description: String
  /// What to do about it; each on a line of its own.
  package let hints: [String]

  /// A failure with its exit code and message.
  package init(_ exitStatus: ExitStatus, _ message: String, hints: [String] = []) {
    self.exitStatus = exitStatus
    description = message
    self.hints = hints
  }
}
