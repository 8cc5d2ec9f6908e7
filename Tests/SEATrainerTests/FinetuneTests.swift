// SPDX-License-Identifier: Apache-2.0
// `sea train finetune` on tiny models: what it leaves is taken by convert; interruption changes nothing.

import Foundation
import SEACheckpoint
import SEAModel
import SEATensor
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct FinetuneTests {
  private let folder: TemporaryFolder
  private let shared: String
  private let model: String

  init() throws {
    folder = try TemporaryFolder()
    shared = Fixtures.shared ?? ""
    model = shared + "/mllm/sea-gemma-tiny/llava"
    var lines: [String] = []
    let answers = ["a cat", "some coffee", "two birds", "a red boat"]
    for index in 0..<14 {
      let picture = index % 3 == 2 ? nil : ["cat_225x150.png", "coffee_120x150.png"][index % 2]
      let mark = picture == nil ? "" : "<image>\\n"
      let image = picture.map { "\"image\": \"\($0)\", " } ?? ""
      lines.append(
        """
        {"id": "r\(index)", \(image)"conversations": [{"from": "human", "value": \
        "\(mark)What is it?"}, {"from": "gpt", "value": "\(answers[index % 4])"}, {"from": "human", \
        "value": "How many?"}, {"from": "gpt", "value": "\(index)"}]}
        """
      )
    }
    try write(lines.joined(separator: "\n"), to: "data.jsonl")
  }

  private func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/" + name))
  }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  private func arguments(_ out: String, _ more: [String]) -> [String] {
    [
      "train", "finetune", "--model", model, "--data", path("data.jsonl"), "--images",
      shared + "/images", "--out", path(out), "--batch", "2", "--accumulate", "2", "--save-every",
      "2", "--seed", "5", "--epochs", "2",
    ] + more
  }

  private func train(_ out: String, _ more: [String]) throws {
    let result = try SeaTools.run(arguments(out, more), in: folder)
    try #require(result.status == 0, "\(result.errors)")
  }

  private func losses(_ out: String) throws -> [Double] {
    let data = try #require(FileManager.default.contents(atPath: path(out) + "/metrics.jsonl"))
    return try data.split(separator: 0x0a).map {
      let line = try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]
      return try #require(line?["loss"] as? Double)
    }
  }

  /// The values of a tensor as conversion reads it.
  private func values(_ source: SourceModel, _ name: String) throws -> [Float] {
    let part = try #require(source.part(name), "\(name)")
    let matrix = try MatrixView<Float>(rows: part.rows.count, columns: part.tensor.columns)
    part.read(0..<part.rows.count, into: matrix)
    return matrix.array()
  }

  private func last(_ out: String) throws -> TensorFile {
    let steps = try FileManager.default.contentsOfDirectory(atPath: path(out) + "/checkpoints")
    let newest = try #require(steps.max())
    return try TensorFile(path: path(out) + "/checkpoints/\(newest)/weights.safetensors")
  }

  private func convert(_ arguments: [String]) throws {
    let result = try SeaTools.run(
      ["convert"] + arguments + ["-o", path("out.sea"), "--weights", "f32"],
      in: folder
    )
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test(arguments: [[], ["--vision-lr", "1e-4"]])
  func tunesInFullAndLeavesAWholeCheckpoint(more: [String]) throws {
    try train("run", ["--method", "full", "--lr", "1e-3"] + more)
    let found = try losses("run")
    #expect(found.count == 8 && found.suffix(3).reduce(0, +) < found.prefix(3).reduce(0, +))
    let (weights, before) = (try last("run"), try SourceModel(path: model))
    let source = try SourceModel(path: path("run/model"))
    #expect(source.layout == .llava)
    #expect(source.names == before.names.filter { !$0.hasPrefix("vision.head.") })
    for name in source.names {
      let (value, old) = (try values(source, name), try values(before, name))
      let trained = weights.floats(name)
      if trained.isEmpty {
        #expect(value == old, "\(name)")
      } else {
        // Gemma's norms are written without their 1 and get it back: an ulp may be lost.
        let room: Float = name.hasPrefix("llm.") && name.contains("norm") ? 3e-7 : 0
        #expect(zip(value, trained).allSatisfy { abs($0 - $1) <= room }, "\(name)")
      }
    }
    let isEncoderTrained = weights.names.contains("vision.patch.weight")
    #expect(isEncoderTrained == !more.isEmpty)
    #expect(weights.names.contains("llm.embed.weight") && weights.names.contains("adapter.0.bias"))
    try convert([path("run/model")])
    // A run that is complete keeps its result.
    let again = try SeaTools.run(
      arguments("run", ["--method", "full", "--lr", "1e-3"] + more + ["--resume"]),
      in: folder
    )
    #expect(again.status == 0 && again.errors.contains("is there already"), "\(again.errors)")
  }

  @Test(arguments: [[], ["--vision-lr", "1e-4"], ["--targets", "q,v", "--dropout", "0"]])
  func tunesFactorsThatConvertMerges(more: [String]) throws {
    try train("run", ["--rank", "4", "--lr", "1e-2", "--frozen", "f32"] + more)
    let found = try losses("run")
    #expect(found.suffix(3).reduce(0, +) < found.prefix(3).reduce(0, +))
    let (weights, base) = (try last("run"), try SourceModel(path: model))
    var options = SourceOptions()
    options.lowRankFolder = path("run/lora")
    let merged = try SourceModel(path: model, options: options)
    let alone = try SourceModel(path: path("run/lora"))
    #expect(alone.names == merged.names)
    for source in [merged, alone] {
      #expect(source.model.language == base.model.language)
      #expect(source.model.encoder == base.model.encoder)
      #expect(source.model.adapter == base.model.adapter)
    }
    var changed = 0
    for name in merged.names {
      var expected = try values(base, name)
      let stem = name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
      let (a, b) = (weights.floats(stem + ".lora_a"), weights.floats(stem + ".lora_b"))
      if !a.isEmpty {
        changed += 1
        let (rows, columns) = (b.count / 4, a.count / 4)
        for row in 0..<rows {
          for column in 0..<columns {
            let sum = (0..<4).reduce(Float(0)) { $0 + b[row * 4 + $1] * a[$1 * columns + column] }
            expected[row * columns + column] += 2 * sum
          }
        }
      } else if !weights.floats(name).isEmpty {
        expected = weights.floats(name)
      }
      for source in [merged, alone] {
        let value = try values(source, name)
        #expect(zip(value, expected).allSatisfy { abs($0 - $1) <= 1e-6 }, "\(name)")
      }
    }
    #expect(changed == (more.contains("q,v") ? 6 : 21))
    try convert([model, "--lora", path("run/lora")])
  }

  @Test func tunesFactorsOfStackedMatrices() throws {
    var all = arguments(
      "run",
      ["--rank", "2", "--lr", "1e-2", "--frozen", "f32", "--targets", "q,v,up"]
    )
    all[3] = shared + "/mllm/sea-phi3-tiny/hf"
    let result = try SeaTools.run(all, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    var options = SourceOptions()
    options.lowRankFolder = path("run/lora")
    let (base, merged) = (
      try SourceModel(path: all[3]), try SourceModel(path: all[3], options: options)
    )
    for layer in ["attn.q", "attn.k", "attn.v", "mlp.gate", "mlp.up"] {
      let name = "llm.blk.1.\(layer).weight"
      let isTuned = ["attn.q", "attn.v", "mlp.up"].contains(layer)
      #expect((try values(base, name) != values(merged, name)) == isTuned, "\(layer)")
    }
  }

  @Test func goesOnFromFactors() throws {
    let flags = ["--rank", "4", "--frozen", "f32", "--dropout", "0"]
    try train("first", flags)
    try train(
      "second",
      ["--lora-init", path("first/lora"), "--frozen", "f32", "--lr", "0", "--adapter-lr", "0"]
    )
    let (first, second) = (try last("first"), try last("second"))
    #expect(first.names == second.names && first.names.count == 46)
    for name in first.names { #expect(first.floats(name) == second.floats(name), "\(name)") }
  }

  @Test func tunesALanguageModelOnText() throws {
    let text = try String(contentsOfFile: path("data.jsonl"), encoding: .utf8)
    let plain = text.split(separator: "\n").filter { !$0.contains("image") }
    try write(plain.joined(separator: "\n"), to: "text.jsonl")
    let language = shared + "/llm/llama-tiny"
    let flags = [
      "train", "finetune", "--llm", language, "--out", path("run"), "--rank", "2", "--batch", "2",
      "--accumulate", "1",
    ]
    let result = try SeaTools.run(flags + ["--data", path("text.jsonl")], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    try convert([language, "--lora", path("run/lora")])
    for more in [
      ["--data", path("text.jsonl"), "--method", "full"],
      ["--data", path("data.jsonl"), "--images", shared + "/images"],
    ] {
      var all = flags + more
      all[5] = path("other")
      if more.contains("full") { all.removeSubrange(6...7) }
      let refused = try SeaTools.run(all, in: folder)
      #expect(refused.status == 64, "\(refused.errors)")
    }
  }

  @Test(arguments: [
    ["--method", "full", "--vision-lr", "1e-4"], ["--rank", "4"],
    ["--method", "full", "--weights", "bf16"],
  ])
  func endsInTheSameBitsWhenKilled(flags: [String]) throws {
    let more = flags + ["--epochs", "6"]
    try train("whole", more + ["--threads", "1"])
    var random = SeededRandom(seed: 31)
    var kills = 0
    for attempt in 0..<6 {
      let threads = ["--threads", attempt % 2 == 0 ? "2" : "1", "--resume"]
      let process = try SeaTools.start(arguments("killed", more + threads), in: folder)
      usleep(UInt32.random(in: 20_000...500_000, using: &random))
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        kills += 1
      }
      process.waitUntilExit()
    }
    #expect(kills > 0)
    try train("killed", more + ["--resume", "--threads", "2"])
    func states(_ out: String) throws -> [String: Data] {
      try folder.files(in: out).filter {
        !$0.key.hasPrefix("metrics") && !$0.key.hasPrefix("curves") && $0.key != "lock"
      }
    }
    let (found, wanted) = (try states("killed"), try states("whole"))
    #expect(Set(found.keys) == Set(wanted.keys) && wanted.count > 5)
    for (name, bytes) in wanted { #expect(found[name] == bytes, "\(name)") }
  }

  @Test(arguments: [
    ["--method", "full", "--rank", "4"], ["--lora-init", "x", "--rank", "4"], ["--targets", "q,x"],
    ["--llm", "x"], ["--method", "full", "--frozen", "int8"], ["--vision-lr", "nan"],
    ["--dropout", "1"], ["--rank", "0"],
  ])
  func refusesSettingsBeforeAnythingIsRead(more: [String]) throws {
    var all = arguments("run", more)
    all[3] = path("no-model")
    let result = try SeaTools.run(all, in: folder)
    #expect(result.status == 64, "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: path("run")))
  }
}
