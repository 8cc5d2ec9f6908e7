// SPDX-License-Identifier: Apache-2.0
// `sea`: runs models; hands commands that make models to `sea-tools` beside it.

import ArgumentParser
import SEACommandLine
import SEAFormat

@main
struct SEA: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sea",
    abstract: "Run vision-language models on this machine.",
    discussion: HostCommand.help,
    version: ModelFile.toolVersion,
    subcommands: [
      RunCommand.self, InspectCommand.self, TokenizeCommand.self, ProbeCommand.self,
      BenchCommand.self,
    ]
  )

  static func main() {
    System.occupyStandardDescriptors()
    let arguments = Array(CommandLine.arguments.dropFirst())
    HostCommand.runIfNamed(in: arguments)
    Program.main(SEA.self, arguments: arguments)
  }
}
