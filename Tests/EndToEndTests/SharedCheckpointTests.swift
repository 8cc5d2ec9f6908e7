// SPDX-License-Identifier: Apache-2.0
// Every family and layout from checkpoint to answer; needs the shared fixtures.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared, "needs ../shared or SEA_SHARED"))
struct SharedCheckpointTests {
  static func names(_ kind: String) -> [String] {
    let folder = (Fixtures.shared ?? "") + "/" + kind
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// A checkpoint of a whole model.
  struct Whole: CustomTestStringConvertible, Sendable {
    let name: String
    let layout: String

    var testDescription: String { "\(name)/\(layout)" }
    var folder: String { "\(Fixtures.shared ?? "")/mllm/\(name)" }

    /// The arguments that name the sources.
    var source: [String] {
      let stage = "\(folder)/\(layout)/stage1"
      guard FileManager.default.fileExists(atPath: stage) else { return ["\(folder)/\(layout)"] }
      let parts = "\(folder)/\(layout)"
      return [stage, "--llm", "\(parts)/base", "--vision", "\(parts)/vision_tower"]
    }

    static let all = names("mllm").flatMap { name in
      ["llava", "hf"].map { Whole(name: name, layout: $0) }.filter {
        FileManager.default.fileExists(atPath: "\($0.folder)/\($0.layout)")
      }
    }
  }

  @Test(arguments: names("llm"))
  func aLanguageModelChoosesTheReferencesTokens(name: String) throws {
    let folder = try Folder()
    let source = try #require(Fixtures.shared) + "/llm/" + name
    let reference = try TensorFile(path: source + "/reference.safetensors")
    try seaSucceeds(
      "convert",
      source,
      "-o",
      folder / "m.sea",
      "--weights",
      "f32",
      "--no-verify",
      "--quiet"
    )
    let ids = AnswerTests.list(try #require(reference["input_ids"]).ids)
    let probe = try AnswerTests.probe([folder / "m.sea", "--ids", ids, "--generate", "24"])
    #expect(probe["generated_ids"]?.ids == reference["greedy.ids"]?.ids)
    try AnswerTests.expectEqual(probe["logits"], reference["logits"], within: 2e-3)
  }

  /// Our names for the fixtures' conversation formats.
  static let templates = [
    "llava_v0": "llava_v0", "vicuna_v1": "vicuna_v1", "gemma": "gemma_it", "phi3": "phi3_nosys",
  ]

  @Test(arguments: Whole.all)
  func aWholeModelAnswersAsTheReferenceDoes(whole: Whole) throws {
    let folder = try Folder()
    let reference = try TensorFile(path: whole.folder + "/reference.safetensors")
    let prompt = try JSONScanner.parse(try contents(whole.folder + "/prompt.json"))
    let images = try #require(prompt["images"]?.array).compactMap(\.string)
    let texts = try #require(prompt["greedy_text"]?.array).compactMap(\.string)
    let ids = try #require(prompt["prompt_ids"]?.array).compactMap(\.int)
    try #require(!images.isEmpty)
    let template = try #require(Self.templates[prompt["conversation"]?.string ?? ""])
    let outcome = try Command(
      arguments: ["convert"] + whole.source
        + ["-o", folder / "m.sea", "--weights", "f32", "--no-verify", "--template", template]
    ).run()
    #expect(outcome.status == 0, "\(outcome)")
    // Checkpoints of the newer library scale looked-up text rows only.
    let isUnscaled = outcome.errors.contains("visual scale: 1 (")
    for (index, image) in images.enumerated() {
      let scaled = "image\(index)."
      let unscaled = scaled + "visual_unscaled."
      let prefix = isUnscaled && reference[unscaled + "logits"] != nil ? unscaled : scaled
      let wanted = try #require(reference[prefix + "greedy.ids"]).ids
      var pixels = try #require(reference[scaled + "pixel_values"])
      pixels.name = "pixels"
      pixels.shape.removeFirst()
      // The newer layout's recipe does not pad, as the reference did: its pixels are given.
      let path = "\(Fixtures.shared ?? "")/images/\(image)"
      let input =
        whole.layout == "hf"
        ? ["--pixels", try folder.write("pixels", TensorFile(tensors: [pixels]).bytes)]
        : ["--image", path]
      let probe = try AnswerTests.probe(
        [folder / "m.sea", "--prompt", "What is this?", "--generate", "24"] + input
      )
      #expect(probe["input_ids"]?.ids == ids)
      #expect(probe["generated_ids"]?.ids == wanted)
      try AnswerTests.expectEqual(probe["pixels"], pixels, within: 1e-5)
      try AnswerTests.expectEqual(
        probe["visual_tokens"],
        reference[scaled + "visual_tokens"],
        within: 5e-4
      )
      try Self.expectLastLogits(
        probe["logits"],
        reference[prefix + "logits"] ?? reference[prefix + "logits_last8"]
      )
      guard whole.layout != "hf" else { continue }
      let run = try sea(
        "run",
        folder / "m.sea",
        "What is this?",
        "--image",
        path,
        "--max-tokens",
        "24",
        "--json"
      )
      #expect(AnswerTests.answer(run) == texts[index].trimmingCharacters(in: .whitespaces))
    }
  }

  /// Expects the last rows to be the reference's, columns that a layout adds left out.
  static func expectLastLogits(
    _ tensor: TensorFile.Tensor?,
    _ reference: TensorFile.Tensor?
  ) throws {
    guard let reference else { return }
    let tensor = try #require(tensor)
    let (rows, vocab) = (reference.shape[1], reference.shape[2])
    let (found, wanted, width) = (tensor.values, reference.values, tensor.shape[1])
    let first = tensor.shape[0] - rows
    var difference = 0.0
    for row in 0..<rows {
      for column in 0..<vocab {
        let value = found[(first + row) * width + column]
        difference = max(difference, abs(value - wanted[row * vocab + column]))
      }
    }
    #expect(difference <= 3e-3)
  }
}
