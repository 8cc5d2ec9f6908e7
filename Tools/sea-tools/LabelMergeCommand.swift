// SPDX-License-Identifier: Apache-2.0
// `sea label merge`: shards become one file.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEALabels

struct LabelMergeCommand: LabelSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Join the shards of a dataset into the file that one run would have made."
  )

  @Argument(help: "The label files of all shards, in any order.")
  var shards: [String]

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The label file to write.", valueName: "file"),
    transform: Checked.text
  )
  var target: String

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    for shard in shards where System.isSameFile(shard, target) {
      throw CommandError(
        .usage,
        "\(target.printable(limit: 4096)): output and input are the same file"
      )
    }
    let start = System.seconds
    var files: [LabelFile] = []
    for shard in shards { files.append(try LabelFile(path: shard)) }
    let header = try LabelMerge.run(files, to: target) { done, total in
      console.terminal.progress(
        "merge",
        done: done,
        total: total,
        unit: { "\($0) pictures" },
        since: start
      )
      try Interruption.check()
    }
    if console.isJSON {
      try console.output.object(
        schema: "sea.label.merge/1",
        [("output", .string(target)), ("header", header.json)]
      )
    } else {
      try console.output.line(
        "\(target.printable(limit: 4096)): \(header.images) pictures of \(shards.count) shards"
      )
    }
  }
}
