// SPDX-License-Identifier: Apache-2.0
// Runs the built commands as subprocesses.

import Foundation
import Glibc
import TestSupport
import Testing

/// What a process left behind.
struct Outcome: CustomStringConvertible {
  /// The exit code, or 128 and the number of the signal that ended the process.
  let status: Int32
  let output: [UInt8]
  let errors: String

  /// Standard output as text.
  var text: String { String(decoding: output, as: UTF8.self) }

  /// Lines of standard error that are messages, not hints below one.
  var messages: [String] {
    errors.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("  ") }
  }

  var description: String { "exit \(status)\nstdout: \(text.prefix(2000))\nstderr: \(errors)" }
}

/// A process to run.
struct Command {
  /// Where standard output goes.
  enum Output {
    case captured
    case closed
    case file(String)
  }

  /// A name beside the test bundle, or a path.
  var program = "sea"
  var arguments: [String] = []
  /// Replaces the environment, which holds no more than PATH otherwise.
  var environment: [String: String] = [:]
  /// A file that is read as standard input.
  var input = "/dev/null"
  var output = Output.captured
  /// Seconds after which the process is taken to hang.
  var limit = 60.0

  struct Failure: Error { let reason: String }

  /// Runs to the end.
  ///
  /// - Throws: `Failure` when the process cannot be started or does not end.
  func run() throws -> Outcome {
    let folder = try Folder()
    let (out, err) = (folder / "out", folder / "err")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    let flags = O_WRONLY | O_CREAT
    switch output {
    case .captured: posix_spawn_file_actions_addopen(&actions, 1, out, flags, 0o600)
    case .file(let path): posix_spawn_file_actions_addopen(&actions, 1, path, flags, 0o600)
    case .closed: posix_spawn_file_actions_addclose(&actions, 1)
    }
    posix_spawn_file_actions_addopen(&actions, 2, err, flags, 0o600)

    // Threads of a test run block signals, and a child would inherit that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let path = program.contains("/") ? program : "\(Fixtures.products)/\(program)"
    let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"].merging(environment) { $1 }
    var argv = ([path] + arguments).map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    var process: pid_t = 0
    var code = posix_spawn(&process, path, &actions, &attributes, &argv, &envp)
    // A program that was just copied is busy until no child of another thread holds it open.
    for _ in 0..<1000 where code == ETXTBSY {
      usleep(1000)
      code = posix_spawn(&process, path, &actions, &attributes, &argv, &envp)
    }
    guard code == 0 else { throw Failure(reason: "\(path): \(String(cString: strerror(code)))") }
    return Outcome(
      status: try wait(for: process),
      output: [UInt8]((try? Data(contentsOf: URL(fileURLWithPath: out))) ?? Data()),
      errors: String(decoding: try Data(contentsOf: URL(fileURLWithPath: err)), as: UTF8.self)
    )
  }

  private func wait(for process: pid_t) throws -> Int32 {
    var status: Int32 = 0
    let deadline = Date(timeIntervalSinceNow: limit)
    while waitpid(process, &status, WNOHANG) == 0 {
      if Date() > deadline {
        kill(process, SIGKILL)
        waitpid(process, &status, 0)
        throw Failure(reason: "'\(arguments.joined(separator: " "))' ran for over \(limit) s")
      }
      usleep(500)
    }
    let signal = status & 0x7f
    return signal == 0 ? status >> 8 & 0xff : 128 + signal
  }
}

/// Runs `sea` with arguments.
func sea(_ arguments: String..., input: String = "/dev/null") throws -> Outcome {
  try Command(arguments: arguments, input: input).run()
}

/// Runs `sea` and expects success with nothing said but the result.
@discardableResult
func seaSucceeds(
  _ arguments: String...,
  environment: [String: String] = [:],
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> Outcome {
  let outcome = try Command(arguments: arguments, environment: environment).run()
  #expect(outcome.status == 0, "\(arguments): \(outcome)", sourceLocation: sourceLocation)
  return outcome
}

/// Expects a refusal: the exit code, one line that holds all `words`, nothing on standard output.
func expectRefusal(
  _ outcome: Outcome,
  _ status: Int32,
  _ words: String...,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(outcome.status == status, "\(outcome)", sourceLocation: sourceLocation)
  #expect(outcome.output.isEmpty, "\(outcome)", sourceLocation: sourceLocation)
  #expect(outcome.messages.count == 1, "\(outcome)", sourceLocation: sourceLocation)
  let message = outcome.messages.first ?? ""
  #expect(message.hasPrefix("sea"), "\(outcome)", sourceLocation: sourceLocation)
  #expect(message.contains(": error: "), "\(outcome)", sourceLocation: sourceLocation)
  for word in words {
    #expect(message.contains(word), "no '\(word)' in: \(outcome)", sourceLocation: sourceLocation)
  }
}
