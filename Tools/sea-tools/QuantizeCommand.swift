// SPDX-License-Identifier: Apache-2.0
// `sea quantize`: an f32 or bf16 model file in fewer bits, with the error of every tensor.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAQuantizer

struct QuantizeCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Store a model file's weights in fewer bits.",
    discussion: "Prints the error of every tensor, the worst first, and a parity verdict."
  )

  @Argument(help: "A model file with f32 or bf16 weights.")
  var source: String

  @OptionGroup var target: TargetOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let kernels = try compute.kernels()
    try target.refuseFolders()
    try target.refuse(inputs: [source])
    let model = try ModelFileSource(path: source, kernels: kernels)
    let writing = ModelWriting(
      source: model,
      tokenizer: model.tokenizer,
      provenance: model.file.manifest.provenance.object ?? JSONObject(),
      target: target,
      kernels: kernels,
      threads: compute.threadCount,
      listsErrors: true
    )
    try writing.run(schema: "sea.quantize/1", fields: [], console)
  }
}
