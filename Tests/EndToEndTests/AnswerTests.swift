// SPDX-License-Identifier: Apache-2.0
// The main job: a checkpoint becomes one file, and the file answers as the reference does.

import Foundation
import SEAFormat
import SEATensor
import Testing

@Suite struct AnswerTests {
  /// A way to compute.
  struct Machine: CustomTestStringConvertible, Sendable {
    let isa: InstructionSet
    let threads: Int

    var testDescription: String { "\(isa.rawValue), \(threads) threads" }
    var options: [String] { ["--isa", isa.rawValue, "--threads", "\(threads)"] }
  }

  static let machines = InstructionSet.available.flatMap { isa in
    [1, 2].map { Machine(isa: isa, threads: $0) }
  }

  /// Runs `sea probe` and reads what it wrote.
  static func probe(_ arguments: [String], _ machine: Machine? = nil) throws -> TensorFile {
    let folder = try Folder()
    let outcome = try Command(
      arguments: ["probe"] + arguments + (machine?.options ?? []) + ["-o", folder / "probe"]
    ).run()
    #expect(outcome.status == 0, "\(outcome)")
    return try TensorFile(path: folder / "probe")
  }

  /// Expects a tensor to be the reference's, but for rounding.
  static func expectEqual(
    _ tensor: TensorFile.Tensor?,
    _ reference: TensorFile.Tensor?,
    within tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let (found, wanted) = (try #require(tensor).values, try #require(reference).values)
    try #require(found.count == wanted.count, sourceLocation: sourceLocation)
    let difference = zip(found, wanted).map { abs($0 - $1) }.max() ?? 0
    #expect(difference <= tolerance, sourceLocation: sourceLocation)
  }

  static func cosine(_ left: [Double], _ right: [Double]) -> Double {
    let norms = [left, right].map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } / (norms[0] * norms[1] + 1e-30)
  }

  static func list(_ ids: [Int]) -> String { ids.map(String.init).joined(separator: ",") }

  /// A file with the reference's pixels of a picture.
  static func pixels(_ image: Int, in folder: Folder) throws -> String {
    var tensor = try #require(
      try Checkpoints.reference("sea-gemma-tiny")["image\(image).pixel_values"]
    )
    tensor.name = "pixels"
    tensor.shape.removeFirst()
    return try folder.write("pixels-\(image)", TensorFile(tensors: [tensor]).bytes)
  }

  // MARK: - Language

  @Test(arguments: machines)
  func aLanguageModelChoosesTheReferencesTokens(machine: Machine) throws {
    let reference = try Checkpoints.reference("llama-tiny")
    let ids = try #require(reference["input_ids"]).ids
    let probe = try Self.probe(
      [Models.llama, "--ids", Self.list(ids), "--generate", "24"],
      machine
    )
    #expect(probe["generated_ids"]?.ids == reference["greedy.ids"]?.ids)
    #expect(probe["input_ids"]?.ids == ids)
    try Self.expectEqual(probe["logits"], reference["logits"], within: 2e-3)
  }

  @Test func readsEmbeddingsInPlaceOfIDs() throws {
    let folder = try Folder()
    let reference = try Checkpoints.reference("llama-tiny")
    var embeddings = try #require(reference["mixed.inputs_embeds_raw"])
    embeddings.name = "inputs_embeds"
    embeddings.shape.removeFirst()
    let path = try folder.write("embeddings", TensorFile(tensors: [embeddings]).bytes)
    let probe = try Self.probe([Models.llama, "--embeds", path, "--generate", "24"])
    #expect(probe["generated_ids"]?.ids == reference["mixed.greedy.ids"]?.ids)
    #expect(probe["input_ids"] == nil)
  }

  // MARK: - Pictures

  @Test(arguments: machines, [0, 1])
  func aPictureIsAnsweredAsByTheReference(machine: Machine, image: Int) throws {
    let folder = try Folder()
    let reference = try Checkpoints.reference("sea-gemma-tiny")
    let probe = try Self.probe(
      [
        Models.gemma, "--pixels", Self.pixels(image, in: folder), "--prompt", "What is this?",
        "--generate", "24",
      ],
      machine
    )
    #expect(probe["input_ids"]?.ids == reference["prompt_ids"]?.ids)
    #expect(probe["generated_ids"]?.ids == reference["image\(image).greedy.ids"]?.ids)
    try Self.expectEqual(
      probe["visual_tokens"],
      reference["image\(image).visual_tokens"],
      within: 5e-4
    )
    try Self.expectEqual(
      probe["vision.features"],
      reference["image\(image).encoder_features"],
      within: 5e-4
    )
    try SharedCheckpointTests.expectLastLogits(
      probe["logits"],
      reference["image\(image).logits"]
    )
  }

  @Test func theCheckpointsVersionDecidesTheVisualScale() throws {
    let folder = try Folder()
    try seaSucceeds(
      "convert",
      Checkpoints.gemma,
      "-o",
      folder / "m.sea",
      "--weights",
      "f32",
      "--template",
      "gemma_it"
    )
    let reference = try Checkpoints.reference("sea-gemma-tiny")
    let probe = try Self.probe([
      folder / "m.sea", "--pixels", Self.pixels(0, in: folder), "--prompt", "What is this?",
      "--generate", "24",
    ])
    #expect(probe["generated_ids"]?.ids == reference["image0.visual_unscaled.greedy.ids"]?.ids)
  }

  @Test func bothLayoutsOfACheckpointGiveTheSameAnswer() throws {
    let folder = try Folder()
    let source = try Checkpoints.llava(in: folder)
    let outcome = try seaSucceeds("convert", source, "-o", folder / "m.sea", "--weights", "f32")
    #expect(outcome.text.contains("top-1 agree 32/32"))
    let reference = try Checkpoints.reference("sea-gemma-tiny")
    let probe = try Self.probe([
      folder / "m.sea", "--pixels", Self.pixels(1, in: folder), "--prompt", "What is this?",
      "--generate", "24",
    ])
    #expect(probe["input_ids"]?.ids == reference["prompt_ids"]?.ids)
    #expect(probe["generated_ids"]?.ids == reference["image1.greedy.ids"]?.ids)
  }

  // MARK: - Integers

  @Test func eightBitsStayNearTheReference() throws {
    let folder = try Folder()
    let reference = try Checkpoints.reference("sea-gemma-tiny")
    let probe = try Self.probe([
      Models.int8, "--pixels", Self.pixels(0, in: folder), "--prompt", "What is this?",
    ])
    for (name, wanted, width, limit) in [
      ("visual_tokens", "image0.visual_tokens", 72, 0.99), ("logits", "image0.logits", 1024, 0.98),
    ] {
      let found = try #require(probe[name]).values.prefix(36 * width)
      let wanted = try #require(reference[wanted]).values
      try #require(wanted.count <= found.count)
      let vocab = (probe[name]?.shape.last ?? width)
      for row in 0..<wanted.count / width {
        let start = row * vocab
        let values = try #require(probe[name]).values[start..<start + width]
        let cosine = Self.cosine(Array(values), Array(wanted[row * width..<(row + 1) * width]))
        #expect(cosine > limit, "\(name), row \(row)")
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func eightBitsGiveTheSameBitsForAnyThreads(isa: InstructionSet) throws {
    let folder = try Folder()
    let arguments = [
      Models.int8, "--pixels", try Self.pixels(0, in: folder), "--prompt", "What is this?",
      "--generate", "24",
    ]
    let files = try [1, 2].map { threads in
      try Self.probe(arguments, Machine(isa: isa, threads: threads)).bytes
    }
    #expect(files[0] == files[1])
  }

  @Test(arguments: machines)
  func runAnswersAsProbeDoes(machine: Machine) throws {
    for model in [Models.llama, Models.int8] {
      let run = try Command(
        arguments: ["run", model, "What is this?", "--json", "--max-tokens", "12"] + machine.options
      ).run()
      let last = try #require(run.text.split(separator: "\n").last)
      let ids = try #require(try JSONScanner.parse(Array(last.utf8))["ids"]?.array).map(\.int)
      let probe = try Self.probe([model, "--prompt", "What is this?", "--generate", "12"], machine)
      // Nothing stops a probe; an answer may end at a stop token before.
      let wanted = try #require(probe["generated_ids"]).ids.prefix(ids.count)
      #expect(ids == Array(wanted))
      #expect(!ids.isEmpty)
    }
  }

  @Test func theEnvironmentNamesTheInstructionSet() throws {
    let arguments = ["run", Models.int8, "What is this?", "--image", Picture.harbour, "--json"]
    var texts: [String] = []
    for isa in InstructionSet.available {
      let flag = try Command(arguments: arguments + ["--isa", isa.rawValue]).run()
      let variable = try Command(arguments: arguments, environment: ["SEA_ISA": isa.rawValue]).run()
      #expect(flag.status == 0, "\(flag)")
      texts.append(try #require(Self.answer(flag)))
      #expect(texts.last == Self.answer(variable))
    }
  }

  /// The text of the last object of `sea run --json`.
  static func answer(_ outcome: Outcome) -> String? {
    outcome.text.split(separator: "\n").last.flatMap {
      try? JSONScanner.parse(Array($0.utf8))["text"]?.string
    }
  }

  @Test func theStreamedPiecesAreTheAnswer() throws {
    let arguments = ["run", Models.gemma, "What is this?", "--image", Picture.harbour]
    let plain = try Command(arguments: arguments + ["--max-tokens", "40"]).run()
    let json = try Command(arguments: arguments + ["--max-tokens", "40", "--json"]).run()
    let answer = try #require(Self.answer(json))
    #expect(plain.text == answer + "\n")
    let objects = try json.text.split(separator: "\n").map { try JSONScanner.parse(Array($0.utf8)) }
    let pieces = objects.filter { $0["schema"]?.string == "sea.run.piece/1" }
    #expect(pieces.compactMap { $0["text"]?.string }.joined() == answer)
    #expect(pieces.count > 1)
  }

  @Test func standardInputIsPromptOrPicture() throws {
    let folder = try Folder()
    let prompt = try folder.write("prompt", "What is this?\n")
    let typed = try sea("run", Models.llama, "What is this?", "--max-tokens", "8")
    let read = try sea("run", Models.llama, "-", "--max-tokens", "8", input: prompt)
    #expect(typed.output == read.output)
    #expect(typed.status == 0)
    let named = try sea("run", Models.gemma, "hi", "--image", Picture.harbour, "--max-tokens", "8")
    let piped = try sea(
      "run",
      Models.gemma,
      "hi",
      "--image",
      "-",
      "--max-tokens",
      "8",
      input: Picture.harbour
    )
    #expect(named.output == piped.output)
    #expect(named.status == 0)
  }

  @Test func aSeedRepeatsADraw() throws {
    let draws = try [1, 1, 2].map { seed in
      try sea(
        "run",
        Models.llama,
        "hi",
        "--max-tokens",
        "24",
        "--temperature",
        "1.5",
        "--seed",
        "\(seed)"
      ).output
    }
    #expect(draws[0] == draws[1])
    #expect(draws[0] != draws[2])
  }

  @Test func aStopTextEndsTheAnswerAndIsNotShown() throws {
    let whole = try #require(
      Self.answer(try sea("run", Models.llama, "hi", "--max-tokens", "24", "--json"))
    )
    let start = whole.index(whole.startIndex, offsetBy: whole.count / 2)
    let stop = String(whole[start...].prefix(4))
    let outcome = try sea("run", Models.llama, "hi", "--max-tokens", "24", "--stop", stop, "--json")
    let found = try #require(whole.range(of: stop))
    #expect(Self.answer(outcome) == String(whole[..<found.lowerBound]))
    #expect(!outcome.text.contains("\"length\""))
  }
}
