// SPDX-License-Identifier: Apache-2.0
// What stage 2 leaves in other layouts: merged factors and whole checkpoints come back as they were.

import Foundation
import SEACheckpoint
import SEAModel
import SEATensor
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct MergeTests {
  private let folder: TemporaryFolder
  private let shared: String

  init() throws {
    folder = try TemporaryFolder()
    shared = Fixtures.shared ?? ""
    let lines = ["a cat", "some coffee"].enumerated().map { index, answer in
      """
      {"id": "r\(index)", "image": "\(["cat_225x150.png", "coffee_120x150.png"][index])", \
      "conversations": [{"from": "human", "value": "<image>\\nWhat is it?"}, {"from": "gpt", \
      "value": "\(answer)"}]}
      """
    }
    try Data(lines.joined(separator: "\n").utf8)
      .write(to: URL(fileURLWithPath: folder.path + "/data.jsonl"))
  }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  @discardableResult
  private func run(_ arguments: [String], status: Int32 = 0) throws -> CommandResult {
    let result = try SeaTools.run(arguments, in: folder)
    try #require(result.status == status, "\(result.errors)")
    return result
  }

  private func train(_ model: String, _ more: [String]) throws {
    try run(
      [
        "train", "finetune", "--model", model, "--data", path("data.jsonl"), "--images",
        shared + "/images", "--out", path("run"), "--batch", "2", "--accumulate", "1", "--epochs",
        "4", "--lr", "1e-2",
      ] + more
    )
  }

  private func values(_ source: SourceModel, _ name: String) throws -> [Float] {
    let part = try #require(source.part(name), "\(name)")
    let matrix = try MatrixView<Float>(rows: part.rows.count, columns: part.tensor.columns)
    part.read(0..<part.rows.count, into: matrix)
    return matrix.array()
  }

  /// Compares every tensor; Gemma's norms are written without their 1, so an ulp may be lost.
  private func expectSame(_ found: SourceModel, _ wanted: SourceModel) throws {
    #expect(found.names == wanted.names.filter { !$0.hasPrefix("vision.head.") })
    for name in found.names {
      let room: Float = name.hasPrefix("llm.") && name.contains("norm") ? 3e-7 : 0
      let pairs = zip(try values(found, name), try values(wanted, name))
      #expect(pairs.allSatisfy { abs($0 - $1) <= room }, "\(name)")
    }
  }

  /// The last rows of logits of a model file, as the runtime computes them.
  private func logits(_ source: [String], _ name: String) throws -> [Float] {
    try run(["convert"] + source + ["-o", path("\(name).sea"), "--weights", "f32"])
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Fixtures.products + "/sea")
    process.arguments = [
      "probe", path("\(name).sea"), "--ids", "2,-200,5,6,7", "--image",
      shared + "/images/cat_225x150.png", "-o", path("\(name).safetensors"),
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let file = try TensorFile(path: path("\(name).safetensors"))
    let found = try #require(file.names.first { $0.contains("logits") })
    return file.floats(found)
  }

  private func merged(_ model: String) throws -> SourceModel {
    var options = SourceOptions()
    options.lowRankFolder = path("run/lora")
    return try SourceModel(path: model, options: options)
  }

  @Test(arguments: [
    "sea-gemma-tiny/llava", "sea-gemma-tiny/hf", "llava-llama-tiny/hf", "sea-phi3-tiny/hf",
  ])
  func mergesFactorsInTheBasesLayout(name: String) throws {
    let base = shared + "/mllm/" + name
    try train(base, ["--rank", "3", "--adapter-lr", "1e-3"])
    let said = try run(["merge", base, "--lora", path("run/lora"), "-o", path("out"), "--json"])
    #expect(said.output.contains("\"merged\":"), "\(said.output)")
    let again = try SourceModel(path: path("out"))
    #expect(again.layout == (name.hasSuffix("hf") ? .huggingFaceLlava : .llava))
    try expectSame(again, try merged(base))
    let changed = try values(again, "llm.blk.0.attn.q.weight")
    #expect(try changed != values(try SourceModel(path: base), "llm.blk.0.attn.q.weight"))
    let template = ["--template", "vicuna_v1"]
    let found = try logits([path("out")] + template, "merged")
    let wanted = try logits([base, "--lora", path("run/lora")] + template, "base")
    #expect(found.count > 1000 && found.count == wanted.count)
    let largest = wanted.map { abs($0) }.max() ?? 0
    #expect(zip(found, wanted).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
  }

  @Test func mergesIntoALanguageModelAlone() throws {
    let base = shared + "/llm/llama-tiny"
    let line = """
      {"id": "a", "conversations": [{"from": "human", "value": "Hello?"}, {"from": "gpt", \
      "value": "Good morning"}]}
      """
    try Data(line.utf8).write(to: URL(fileURLWithPath: path("text.jsonl")))
    try run(
      [
        "train", "finetune", "--llm", base, "--data", path("text.jsonl"), "--out", path("run"),
        "--rank", "2", "--batch", "1", "--accumulate", "1", "--epochs", "3", "--lr", "1e-2",
      ]
    )
    try run(["merge", base, "--lora", path("run/lora"), "-o", path("out")])
    let again = try SourceModel(path: path("out"))
    #expect(again.layout == .languageModel)
    try expectSame(again, try merged(base))
  }

  @Test func roundsToTheBasesTypesWhenAsked() throws {
    let base = shared + "/mllm/sea-gemma-tiny/llava"
    try train(base, ["--rank", "3"])
    let half = path("half")
    try run(["merge", base, "--lora", path("run/lora"), "-o", path("exact")])
    try run(["merge", base, "--lora", path("run/lora"), "-o", half, "--round", "--layout", "hf"])
    let (exact, rounded) = (try SourceModel(path: path("exact")), try SourceModel(path: half))
    #expect(rounded.layout == .huggingFaceLlava)
    let name = "llm.blk.1.mlp.up.weight"
    let type = try #require(try SourceModel(path: base).part(name)?.tensor.type)
    #expect(rounded.part(name)?.tensor.type == type)
    #expect(exact.part(name)?.tensor.type == .float32)
    for (a, b) in zip(try values(exact, name), try values(rounded, name)) {
      #expect(abs(a - b) <= abs(a) / 256)
    }
  }

  @Test(arguments: ["sea-gemma-tiny/hf", "llava-llama-tiny/hf"])
  func leavesHuggingFacesLayout(name: String) throws {
    let base = shared + "/mllm/" + name
    try train(base, ["--method", "full", "--layout", "hf"])
    let source = try SourceModel(path: path("run/model"))
    #expect(source.layout == .huggingFaceLlava)
    for file in ["config.json", "model.safetensors", "processor_config.json", "tokenizer.json"] {
      #expect(FileManager.default.fileExists(atPath: path("run/model/" + file)), "\(file)")
    }
    let steps = try FileManager.default.contentsOfDirectory(atPath: path("run/checkpoints"))
    let newest = try #require(steps.max())
    let trained = try TensorFile(path: path("run/checkpoints/\(newest)/weights.safetensors"))
    let before = try SourceModel(path: base)
    for name in source.names {
      let wanted = trained.floats(name).isEmpty ? try values(before, name) : trained.floats(name)
      let room: Float = name.hasPrefix("llm.") && name.contains("norm") ? 3e-7 : 0
      #expect(zip(try values(source, name), wanted).allSatisfy { abs($0 - $1) <= room }, "\(name)")
    }
    try run(["convert", path("run/model"), "-o", path("out.sea"), "--weights", "f32"])
  }

  @Test func refusesWhatItCannotMerge() throws {
    let base = shared + "/mllm/sea-gemma-tiny/llava"
    try train(base, ["--rank", "3"])
    let lora = path("run/lora")
    func refused(_ arguments: [String], _ status: Int32, _ words: String...) throws {
      let result = try SeaTools.run(["merge"] + arguments, in: folder)
      #expect(result.status == status, "\(result.errors)")
      for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
    }
    try refused([base, "-o", path("x")], 64, "--lora")
    try refused([base, "--lora", shared + "/images", "-o", path("x")], 66, "adapter_config.json")
    try refused([path("none"), "--lora", lora, "-o", path("x")], 66, "none")
    try refused([base, "--lora", lora, "-o", path("run")], 64, "run")
    // Factors of another model's shapes.
    let other = shared + "/mllm/llava-llama-tiny/hf"
    try refused([other, "--lora", lora, "-o", path("x")], 65)
    #expect(!FileManager.default.fileExists(atPath: path("x")))
  }
}
