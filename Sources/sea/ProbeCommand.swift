// SPDX-License-Identifier: Apache-2.0
// `sea probe`: every intermediate of a forward pass, for comparison with other implementations.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import SEAText

struct ProbeCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Write every intermediate of a forward pass as f32 tensors.",
    discussion: """
      Tensors: pixels, vision.hidden.I, s2.map.K, vision.features, vision.projected, \
      vision.pooled, visual_tokens, text.pooled, input_ids (-200 stands for a picture), \
      inputs_embeds, llm.hidden.I, logits, generated_ids. Parts that the model lacks or the input \
      does not reach are absent.
      """
  )

  @Argument(help: ArgumentHelp("The model file.", valueName: "model"))
  var path: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A PNG, JPEG or WebP file, - for standard input.", valueName: "file")
  )
  var image: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A safetensors file with the tensor pixels [3, H, W], already normalised.",
      valueName: "file"
    )
  )
  var pixels: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A text file of words for the text tower, one a line, - for standard input.",
      valueName: "file"
    )
  )
  var words: String?

  @Option(
    name: .customLong("text-ids"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "Token ids for the text tower between commas, texts between semicolons.",
      valueName: "ids"
    ),
    transform: ProbeInput.texts
  )
  var textIDs: [[Int32]]?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A user's message, put into the model's template.", valueName: "text")
  )
  var prompt: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Token ids between commas, -200 for the picture.", valueName: "ids"),
    transform: ProbeInput.ids
  )
  var ids: [Int32]?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A safetensors file with the tensor inputs_embeds [T, hidden] in the space of the table.",
      valueName: "file"
    )
  )
  var embeds: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Also choose n tokens greedily; nothing stops them early.",
      valueName: "n"
    ),
    transform: Checked.integer(1...1_048_576)
  )
  var generate: Int?

  @Option(
    help: ArgumentHelp(
      "Stored keys and values: f32, bf16, f16 or int8 (default: f32 for f32 weights, else f16).",
      valueName: "type"
    ),
    transform: Checked.choice(CacheType.allCases.map { ($0.rawValue, $0) })
  )
  var kv: CacheType?

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The safetensors file to write.", valueName: "file"),
    transform: Checked.text
  )
  var target: String

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard image == nil || pixels == nil else {
      throw ValidationError("--image and --pixels contradict each other")
    }
    let prompts = [prompt != nil, ids != nil, embeds != nil].count { $0 }
    guard prompts <= 1 else { throw ValidationError("give one of --prompt, --ids and --embeds") }
    guard prompts == 1 || generate == nil else {
      throw ValidationError("--generate needs --prompt, --ids or --embeds")
    }
    guard words == nil || textIDs == nil else {
      throw ValidationError("--words and --text-ids contradict each other")
    }
    guard words != ImageInput.standardInput || image != ImageInput.standardInput else {
      throw ValidationError("standard input cannot be both an image and words")
    }
    let hasOther = [image, pixels, words].contains { $0 != nil } || textIDs != nil
    guard prompts == 1 || hasOther else {
      throw ValidationError("nothing to probe: give an image, words, a prompt, or several")
    }
  }

  func run(_ console: Console) throws {
    let execution = Execution(kernels: try compute.kernels(), threads: compute.threadCount)
    let inputs = [path, image, pixels, words, embeds].compactMap(\.self)
    guard !inputs.contains(where: { System.isSameFile($0, target) }) else {
      throw CommandError(
        .usage,
        "\(target.printable(limit: 4096)): output and input are the same file"
      )
    }
    let model = try Model(path: path)
    let picture = try readPicture(model, console)
    let input = ProbeInput(
      pixels: try picture.map { try model.pixels(of: $0).values } ?? readPixels(model),
      pictureSize: picture.map { ImageSize(height: $0.height, width: $0.width) },
      words: try readWords(model),
      prompt: try readPrompt(model)
    )
    let probe = Probe(
      model: model,
      input: input,
      generated: generate ?? 0,
      cacheType: kv,
      execution: execution
    )
    let names = try probe.write(to: target)
    if console.isJSON {
      try console.output.object(
        schema: "sea.probe/1",
        [("output", .string(target)), ("tensors", .array(names.map { .string($0) }))]
      )
    } else {
      console.explain("\(target.printable(limit: 4096)): \(names.joined(separator: ", "))")
    }
  }

  private func readPicture(_ model: Model, _ console: Console) throws -> PixelImage? {
    guard let image else { return nil }
    _ = try model.requireEncoder()
    return try ImageInput.read(image, orientation: .ignored, console: console)
  }

  private func readPixels(_ model: Model) throws -> [Float]? {
    guard let pixels else { return nil }
    let side = try model.requireEncoder().encoder.inputSide
    return try ProbeInput.tensor("pixels", in: pixels, shape: [3, side, side])
  }

  private func readWords(_ model: Model) throws -> [[Int32]]? {
    if textIDs != nil || words != nil { _ = try model.requireTextTower() }
    if let textIDs { return textIDs }
    return try words.map { path in
      try ProbeInput.words(in: path).map { try model.ids(ofWord: $0) }
    }
  }

  private func readPrompt(_ model: Model) throws -> ProbeInput.PromptInput? {
    if let ids { return .ids(ids) }
    if let embeds {
      let hidden = try model.requireLanguage().language.hidden
      return .embeddings(
        try MatrixView(
          try ProbeInput.tensor("inputs_embeds", in: embeds, shape: [nil, hidden]),
          columns: hidden
        )
      )
    }
    guard let prompt else { return nil }
    let images = image == nil && pixels == nil ? 0 : 1
    let turn = try Prompt.Turn(marked: prompt, images: images)
    return .ids(try model.ids(of: Prompt(turns: [turn]), template: model.template()))
  }
}
