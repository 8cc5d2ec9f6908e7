// SPDX-License-Identifier: Apache-2.0
// `sea inspect`: what a model file is, without running it.

import ArgumentParser
import SEACommandLine
import SEAModel
import SEARuntime

struct InspectCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a model file holds: parts, shapes, precisions, bytes, origin."
  )

  @Argument(help: ArgumentHelp("The model file.", valueName: "model"))
  var path: String

  @Flag(help: "Read every byte and compare all checksums.")
  var verify = false

  @Flag(help: "List every tensor.")
  var tensors = false

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let model = try Model(path: path)
    if verify { try ModelCheck.verify(model.file, console) }
    let report = InspectReport(model)
    if console.isJSON {
      try console.output.object(schema: "sea.inspect/1", report.fields(isVerified: verify))
    } else {
      for line in report.lines(listsTensors: tensors) { try console.output.line(line) }
      if verify { try console.output.line("checksums    all match") }
    }
  }
}
