// SPDX-License-Identifier: Apache-2.0
// The commands that live in `sea-tools`, so that people need to know one name only.

import SEACommandLine
import SEATensor

/// Commands of the host wing, which devices need not have.
enum HostCommand {
  private static let commands: [(name: String, abstract: String)] = [
    ("convert", "Turn a checkpoint into one model file."),
    ("quantize", "Store a model file's weights in fewer bits."),
    ("export", "Write a model as a checkpoint folder for other projects."),
    ("merge", "Merge a low-rank fine-tuning into a checkpoint."),
    ("label", "Find the words that fit each patch of many pictures."),
    ("recall", "Show the word that each visual token of a picture means."),
    ("train", "Train a model."),
    ("data", "Look at training data."),
    ("world", "Draw harbour scenes with captions and questions, from a seed."),
    ("eval", "Ask a model a benchmark's questions, and score the answers."),
    ("preset", "Make a full-size model of random weights, for measuring."),
  ]

  /// The second group of `sea --help`.
  static var help: String {
    let lines = commands.map { command in
      "  \(command.name)\(String(repeating: " ", count: 24 - command.name.count))\(command.abstract)"
    }
    return "COMMANDS OF sea-tools, where it is installed beside sea:\n"
      + lines.joined(separator: "\n")
  }

  /// Replaces this process by `sea-tools` when the arguments name one of its commands.
  ///
  /// Nothing has been printed yet, so no buffer can be lost, and signals and the exit code are those of
  /// the program that takes over.
  static func runIfNamed(in arguments: [String]) {
    let name = arguments.first == "help" ? arguments.dropFirst().first : arguments.first
    guard commands.contains(where: { $0.name == name }) else { return }
    var failure = CommandError(
      .unavailable,
      "sea-tools is not installed beside sea",
      hints: ["the package builds both: swift build -c release"]
    )
    if let folder = System.executableFolder {
      let path = "\(folder)/sea-tools"
      if System.isExecutable(path) {
        let code = System.execute(path, arguments: ["sea"] + arguments)
        failure = CommandError(
          .unavailable,
          "\(path): cannot be run: \(FileError.text(of: code))"
        )
      }
    }
    Program.fail(failure, command: "sea \(name ?? "")")
  }
}
