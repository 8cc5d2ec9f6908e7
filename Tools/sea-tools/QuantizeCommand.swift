// SPDX-License-Identifier: Apache-2.0
// `sea quantize`: f32 or bf16 weights in fewer bits, with the error of every tensor.

import ArgumentParser
import Glibc
import SEACheckpoint
import SEACommandLine
import SEAFormat
import SEAQuantizer
import SEATensor

struct QuantizeCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Store a model's weights in fewer bits.",
    discussion: """
      The source is a model file with f32 or bf16 weights, or a checkpoint's folder. Prints the error \
      of every tensor, the worst first, and a parity verdict; with --images and --prompts also what \
      each part's storage costs on them.
      """
  )

  @Argument(help: "A model file with f32 or bf16 weights, or the folder of a checkpoint.")
  var source: String

  @OptionGroup var target: TargetOptions
  @OptionGroup(title: "Quality on pictures") var quality: QualityOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let kernels = try compute.kernels()
    try target.refuseFolders()
    try target.refuse(inputs: [source] + quality.inputs)
    let writing =
      System.kind(of: source) == S_IFDIR ? try folder(kernels) : try modelFile(kernels)
    try writing.run(schema: "sea.quantize/1", fields: [], console)
  }

  private func modelFile(_ kernels: Kernels) throws -> ModelWriting {
    let model = try ModelFileSource(path: source, kernels: kernels)
    return ModelWriting(
      source: model,
      tokenizer: model.tokenizer,
      provenance: model.provenance().object ?? JSONObject(),
      target: target,
      kernels: kernels,
      threads: compute.threadCount,
      listsErrors: true,
      quality: quality.isAsked ? quality : nil
    )
  }

  private func folder(_ kernels: Kernels) throws -> ModelWriting {
    let model = try SourceModel(path: source)
    try target.refuse(inputs: model.inputPaths)
    return ModelWriting(
      source: model,
      tokenizer: try model.tokenizerFolder.map {
        try TokenizerCompiler.compile(TokenizerFiles(folder: $0))
      },
      provenance: try model.provenance().object ?? JSONObject(),
      target: target,
      kernels: kernels,
      threads: compute.threadCount,
      listsErrors: true,
      quality: quality.isAsked ? quality : nil
    )
  }
}
