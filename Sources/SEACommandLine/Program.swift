// SPDX-License-Identifier: Apache-2.0
// The frame of both executables: parse, run, and turn whatever happened into one line and an exit code.

package import ArgumentParser
import Glibc

/// A command of `sea` or `sea-tools`.
package protocol SEACommand: ParsableCommand {
  /// Options for what is printed.
  var output: OutputOptions { get }

  /// Does the work; results go to `console.output`.
  func run(_ console: Console) throws
}

extension SEACommand {
  /// Runs with a console made from the output options.
  package func run() throws {
    let console = Console(command: "sea \(Self._commandName)", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }
}

/// Where a command's words go.
package struct Console {
  /// The command as people type it, for messages: `sea run`.
  package let command: String
  /// Results.
  package let output: StandardOutput
  /// Everything else.
  package let terminal: Terminal
  /// Results are wanted as JSON.
  package let isJSON: Bool
  /// Plans, counts and timings are wanted.
  package let isVerbose: Bool

  /// A console for one command.
  package init(command: String, options: OutputOptions) {
    self.command = command
    output = StandardOutput()
    terminal = Terminal(isQuiet: options.quiet)
    isJSON = options.json
    isVerbose = options.verbose
  }

  /// Prints a warning on standard error.
  package func warn(_ text: String) {
    terminal.warn(text, command: command)
  }

  /// Prints a line on standard error when `--verbose` was given.
  package func explain(_ text: String) {
    if isVerbose { terminal.note(text) }
  }
}

/// Parsing, running and ending.
package enum Program {
  /// Parses `arguments`, runs the command and ends the process.
  package static func main(_ root: any ParsableCommand.Type, arguments: [String]) -> Never {
    // A reader that goes away is found when writing, after which files are cleaned up.
    signal(SIGPIPE, SIG_IGN)
    Interruption.install()
    let command: any ParsableCommand
    do {
      command = try root.parseAsRoot(arguments)
    } catch {
      endParsing(root, arguments, error)
    }
    do {
      var command = command
      try command.run()
    } catch {
      let status = root.exitCode(for: error)
      // Help and version asked for inside a command arrive as errors too.
      if status == .success { endParsing(root, arguments, error) }
      fail(error, command: name(root, arguments))
    }
    exit(ExitStatus.success.rawValue)
  }

  /// Prints why parsing ended, which may be a request for help, and ends the process.
  private static func endParsing(
    _ root: any ParsableCommand.Type,
    _ arguments: [String],
    _ error: any Error
  ) -> Never {
    let command = name(root, arguments)
    guard root.exitCode(for: error) == .success else {
      let lines = root.message(for: error).split(separator: "\n").map(String.init)
      let message = lines.first ?? "the command line cannot be understood"
      let hints = Array(lines.dropFirst()) + ["see '\(command) --help'"]
      fail(CommandError(.usage, lowercased(message), hints: hints), command: command)
    }
    do {
      let output = StandardOutput()
      try output.line(root.fullMessage(for: error))
      try output.flush()
    } catch {
      fail(error, command: command)
    }
    exit(ExitStatus.success.rawValue)
  }

  /// Prints the error in one line and its hints below, and ends the process with its code.
  package static func fail(_ error: any Error, command: String) -> Never {
    if let error = error as? OutputError, error == .readerGone {
      // As if the signal had not been ignored: the shell sees what it expects of a pipe.
      signal(SIGPIPE, SIG_DFL)
      raise(SIGPIPE)
    }
    let failure = error as? CommandError
    let message = "\(error)".split(separator: "\n").joined(separator: "; ")
    Terminal.print("\(command): error: \(message)")
    for hint in failure?.hints ?? [] { Terminal.print("  \(hint)") }
    exit(ExitStatus(of: error).rawValue)
  }

  /// The command as people type it.
  private static func name(_ root: any ParsableCommand.Type, _ arguments: [String]) -> String {
    let names = root.configuration.subcommands.map { $0._commandName }
    let first = arguments.first { !$0.hasPrefix("-") }
    return names.first { $0 == first }.map { "sea \($0)" } ?? "sea"
  }

  /// A message of the parser in the style of ours: lower-case, no trailing period.
  private static func lowercased(_ message: String) -> String {
    let text = message.hasSuffix(".") ? String(message.dropLast()) : message
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
