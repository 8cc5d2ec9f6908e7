// SPDX-License-Identifier: Apache-2.0
// `sea label`: makes label files and looks into them.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEALabels

struct LabelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "label",
    abstract: "Find the words that fit each patch of many pictures.",
    discussion: """
      Without a subcommand labels are made: sea label --encoder FOLDER --words FILE --data FILE \
      --images FOLDER -o OUT.labels. All its options: sea label extract --help.
      """,
    subcommands: [
      LabelExtractCommand.self, LabelShowCommand.self, LabelStatsCommand.self,
      LabelMergeCommand.self, LabelBenchCommand.self,
    ],
    defaultSubcommand: LabelExtractCommand.self
  )
}

/// A command below `sea label`, whose messages start with that name.
protocol LabelSubcommand: SEACommand {}

extension LabelSubcommand {
  func run() throws {
    let console = Console(command: "sea label", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }
}

extension Console {
  /// Shows progress in pictures, of which less than one may be done a second.
  func progress(_ label: String, done: Int, total: Int, unit: String, since start: Double) {
    terminal.progress(
      label,
      done: done * 1000,
      total: total * 1000,
      unit: { "\(Quantity.decimal(Double($0) / 1000, places: $0 < 10_000 ? 2 : 0)) \(unit)" },
      since: start
    )
  }
}

/// A share as people read it.
func percent(_ share: Double) -> String { "\(Quantity.decimal(share * 100, places: 1)) %" }
