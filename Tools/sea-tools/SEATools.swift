// SPDX-License-Identifier: Apache-2.0
// `sea-tools`: makes models. Usually reached by typing `sea convert`, which runs this program.

import ArgumentParser
import SEACommandLine
import SEAFormat

@main
struct SEATools: ParsableCommand {
  static let configuration = CommandConfiguration(
    // Called by sea it answers to that name, so that help shows what people typed.
    commandName: CommandLine.arguments.first == "sea" ? "sea" : "sea-tools",
    abstract: "Make model files.",
    version: ModelFile.toolVersion,
    subcommands: [
      ConvertCommand.self, QuantizeCommand.self, ExportCommand.self, MergeCommand.self,
      PresetCommand.self, LabelCommand.self, RecallCommand.self, TrainCommand.self,
      DataCommand.self, WorldCommand.self, EvalCommand.self,
    ]
  )

  static func main() {
    System.occupyStandardDescriptors()
    var arguments = Array(CommandLine.arguments.dropFirst())
    do {
      arguments = try RecipeFile.expand(arguments)
    } catch {
      Program.fail(error, command: "sea train")
    }
    Program.main(SEATools.self, arguments: arguments)
  }
}
