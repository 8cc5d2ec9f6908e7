// SPDX-License-Identifier: Apache-2.0
// `sea run`: one prompt, any number of pictures, one answer, streamed.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import SEAText

struct RunCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Answer a prompt, about pictures where there are some.",
    discussion: """
      <image> in the prompt marks the place of a picture; without marks the pictures come first. \
      With --json every piece of the answer is an object on its own line, the last one the whole.
      """
  )

  @Argument(help: ArgumentHelp("The model file.", valueName: "model"))
  var path: String

  @Argument(help: "The prompt; - reads it from standard input.")
  var prompt: String?

  @Option(
    name: .customLong("image"),
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A PNG, JPEG or WebP file, - for standard input; may be repeated.",
      valueName: "file"
    )
  )
  var images: [String] = []

  @Flag(name: .customLong("exif-orient"), help: "Turn pictures as their EXIF orientation says.")
  var turnsImages = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Replaces the template's system text.", valueName: "text")
  )
  var system: String?

  @Option(
    help: ArgumentHelp("Conversation template (default: the model's own).", valueName: "name")
  )
  var template: String?

  @Flag(help: "Compare all checksums of the model file first.")
  var verify = false

  @OptionGroup(title: "Answer") var generation: GenerationArguments
  @OptionGroup(title: "Memory") var memory: MemoryArguments
  @OptionGroup(title: "Machine") var compute: ComputeOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  /// Longest prompt read from standard input, in bytes.
  private static let maxPromptBytes = 16 << 20

  func validate() throws {
    guard prompt != nil || !images.isEmpty else {
      throw ValidationError("missing a prompt or an image")
    }
    let inputs = images.count { $0 == ImageInput.standardInput } + (prompt == "-" ? 1 : 0)
    guard inputs <= 1 else { throw ValidationError("standard input can be read once only") }
  }

  func run(_ console: Console) throws {
    let kernels = try compute.kernels()
    let text = try promptText()
    let start = System.seconds
    let header = try ModelHeader(path: path)
    let execution = Execution(kernels: kernels, threads: compute.threadCount)
    let plan = try GeneratorPlan(
      header,
      options: memory.options,
      threads: execution.pool.threads
    )
    try plan.check()
    let model = try Model(header, placement: memory.placement)
    if verify { try ModelCheck.verify(model.file, console) }
    ModelCheck.noteTraining(model.file, console)
    console.explain("open: \(Quantity.duration(System.seconds - start))")

    let template = try model.template(named: template)
    let turn = try Prompt.Turn(marked: text, images: images.count)
    let ids = try model.ids(of: Prompt(system: system, turns: [turn]), template: template)
    let stops = try model.stops(template: template, texts: generation.stops)
    let generator = try Generator(model, plan: plan, on: execution)
    let answer = Answer(generator: generator, ids: ids, console: console)
    try answer.checkContext(images: images.count)
    let pictures = try images.map {
      try ImageInput.read(
        $0,
        orientation: turnsImages ? .applied : .ignored,
        console: console
      )
    }
    try answer.run(
      pictures,
      options: GenerationOptions(
        maxTokens: generation.maxTokens,
        sampling: generation.sampling,
        stops: stops
      )
    )
  }

  private func promptText() throws -> String {
    guard prompt == "-" else { return prompt ?? "" }
    let bytes = try StandardInput.readAll(limit: Self.maxPromptBytes, what: "a prompt")
    // The line end of a file or of `echo` is not part of the question.
    let text = String(decoding: bytes, as: UTF8.self)
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }
}
