// SPDX-License-Identifier: Apache-2.0
// Stage-2 steps through the command against PyTorch's numbers.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct FinetuneReplayTests {
  private let folder: TemporaryFolder
  private let shared: String
  private let model: String

  init() throws {
    folder = try TemporaryFolder()
    shared = Fixtures.shared ?? ""
    model = shared + "/mllm/sea-gemma-tiny"
  }

  /// Rows with labels as a replay file.
  private func write(_ rows: [[String: Any]]) throws -> String {
    let path = folder.path + "/replay.json"
    try JSONSerialization.data(withJSONObject: ["rows": rows])
      .write(to: URL(fileURLWithPath: path))
    return path
  }

  /// The two rows of the multimodal fixture.
  private func pictureRows() throws -> String {
    let reference = try TensorFile(path: shared + "/sea/mm-loss/reference.safetensors")
    return try write(
      (0..<2).map { row in
        [
          "ids": reference.ints("row\(row).ids"), "labels": reference.ints("row\(row).labels"),
          "pixels": "\(model)/reference.safetensors#image\(row).pixel_values",
        ]
      }
    )
  }

  private func probe(_ arguments: [String]) throws -> TensorFile {
    let path = folder.path + "/probe.safetensors"
    let result = try SeaTools.run(
      ["train", "finetune", "--probe", path] + arguments,
      in: folder
    )
    try #require(result.status == 0, "\(result.errors)")
    return try TensorFile(path: path)
  }

  /// The name in LLaVA's checkpoints of a canonical one.
  private static func upstream(_ name: String) -> String {
    let replacements = [
      ("llm.blk.", "model.layers."), ("llm.embed.", "model.embed_tokens."),
      ("llm.norm.", "model.norm."), ("adapter.1.", "model.mm_projector.2."),
      ("adapter.0.", "model.mm_projector.0."),
      ("vision.blk.", "vision.encoder.layers."),
      ("vision.patch.", "vision.embeddings.patch_embedding."),
      ("vision.position", "vision.embeddings.position_embedding.weight"),
    ]
    var name = name
    let isVision = name.hasPrefix("vision.")
    for (from, to) in replacements where name.hasPrefix(from) {
      name = to + name.dropFirst(from.count)
      break
    }
    if isVision {
      name = "model.vision_tower.vision_tower.vision_model" + name.dropFirst("vision".count)
    }
    for part in ["q", "k", "v", "o"] {
      let target = isVision && part == "o" ? "out" : part
      name = name.replacing(".attn.\(part).", with: ".self_attn.\(target)_proj.")
    }
    for part in ["gate", "up", "down"] {
      name = name.replacing(".mlp.\(part).", with: ".mlp.\(part)_proj.")
    }
    return
      name
      .replacing(".norm1.", with: isVision ? ".layer_norm1." : ".input_layernorm.")
      .replacing(".norm2.", with: isVision ? ".layer_norm2." : ".post_attention_layernorm.")
      .replacing(".lora_a", with: ".lora_A.weight").replacing(".lora_b", with: ".lora_B.weight")
  }

  /// Checks every gradient that the fixture has.
  private func compare(
    _ found: TensorFile,
    _ wanted: TensorFile,
    prefix: String,
    room: Float,
    cosine: Double
  ) {
    var names: [String: String] = [:]
    for name in found.names where name.hasPrefix("step0.grad.") {
      names[prefix + Self.upstream(String(name.dropFirst("step0.grad.".count)))] = name
    }
    for key in wanted.names where key.hasPrefix("grad.") {
      let expected = wanted.floats(key)
      let gradient = names[String(key.dropFirst("grad.".count))].map { found.floats($0) } ?? []
      guard gradient.count == expected.count else {
        Issue.record("\(key): \(gradient.count) values, not \(expected.count)")
        continue
      }
      let largest = expected.map { abs($0) }.max() ?? 0
      let error = zip(gradient, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(error <= room * largest + 1e-7, "\(key): \(error) of \(largest)")
      func dot(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      }
      let scale = (dot(gradient, gradient) * dot(expected, expected)).squareRoot()
      #expect(dot(gradient, expected) > cosine * scale, "\(key)")
    }
  }

  @Test(arguments: [1, 2])
  func gradientsOfTheWholeModel(threads: Int) throws {
    let found = try probe([
      "--model", model + "/llava", "--method", "full", "--vision-lr", "1e-6", "--replay",
      try pictureRows(), "--threads", "\(threads)",
    ])
    let wanted = try TensorFile(path: shared + "/sea/mm-loss/reference.safetensors")
    let loss = wanted.value("loss")
    #expect(abs(found.value("step0.loss") - loss) <= 1e-5 * loss)
    compare(found, wanted, prefix: "", room: 2e-3, cosine: 0.9999)
  }

  struct Setting: Sendable, CustomTestStringConvertible {
    let name: String
    let flags: [String]
    /// Steps beyond the fixture's three: its last loss is that of the fourth.
    var steps = 4
    let rate: Double
    let room: Double

    var testDescription: String { name }
  }

  static let settings = [
    Setting(
      name: "paper_lr",
      flags: ["--lr", "2e-5", "--vision-lr", "2e-6"],
      rate: 2e-5,
      room: 1e-5
    ),
    Setting(
      name: "large_lr",
      flags: ["--lr", "1e-3", "--vision-lr", "1e-4"],
      rate: 1e-3,
      room: 1e-4
    ),
    Setting(
      name: "cosine",
      flags: [
        "--lr", "5e-4", "--vision-lr", "5e-5", "--schedule", "cosine", "--warmup", "0.05",
      ],
      steps: 20,
      rate: 5e-4,
      room: 1e-4
    ),
  ]

  @Test(arguments: settings)
  func followsPyTorch(setting: Setting) throws {
    let found = try probe(
      [
        "--model", model + "/llava", "--method", "full", "--replay", try pictureRows(), "--clip",
        "1", "--steps", "\(setting.steps)",
      ] + setting.flags
    )
    let wanted = try TensorFile(path: shared + "/sea/stage2-steps/reference.safetensors")
    for (step, expected) in wanted.floats("\(setting.name).loss").enumerated() {
      let loss = found.value("step\(step).loss")
      let room = setting.room * Double(expected)
      #expect(abs(loss - Double(expected)) <= room, "step \(step): \(loss), not \(expected)")
    }
    for (step, expected) in wanted.floats("\(setting.name).grad_norm").enumerated() {
      let norm = found.value("step\(step).grad_norm")
      #expect(abs(norm - Double(expected)) <= 2e-3 * Double(expected), "step \(step): \(norm)")
    }
    var compared = 0
    for name in found.names where name.hasPrefix("step2.weight.") {
      let canonical = String(name.dropFirst("step2.weight.".count))
      let expected = wanted.floats("\(setting.name).final.\(Self.upstream(canonical))")
      guard !expected.isEmpty else { continue }
      compared += 1
      // Gemma's norms are kept with the 1 that its checkpoints leave out.
      let offset: Float = canonical == "llm.norm.weight" ? 1 : 0
      let room = Float(0.03 * 3 * setting.rate) + 1e-7
      let close = zip(found.floats(name), expected).count { abs($0 - offset - $1) <= room }
      let least = 0.999 * Double(expected.count) - 1
      #expect(Double(close) >= least, "\(canonical): \(close) of \(expected.count)")
    }
    #expect(compared == (setting.name == "large_lr" ? 5 : 4))
  }

  @Test(arguments: [1, 2])
  func factorsOfALanguageModel(threads: Int) throws {
    let wanted = try TensorFile(path: shared + "/sea/lora/reference.safetensors")
    let rows: [[String: Any]] = [
      ["ids": wanted.ints("input_ids"), "labels": wanted.ints("labels")]
    ]
    let found = try probe([
      "--llm", shared + "/llm/llama-tiny", "--lora-init", shared + "/sea/lora", "--replay",
      try write(rows), "--threads", "\(threads)",
    ])
    let loss = wanted.value("loss")
    #expect(abs(found.value("step0.loss") - loss) <= 1e-5 * loss)
    compare(found, wanted, prefix: "base_model.model.", room: 1e-3, cosine: 0.99999)
    // Nothing but factors is trained.
    let trained = found.names.filter { $0.hasPrefix("step0.grad.") }
    #expect(trained.count == 42 && trained.allSatisfy { $0.contains(".lora_") })
  }

  @Test func refusesPairsToAlign() throws {
    let path = folder.path + "/replay.json"
    let text =
      "{\"rows\": [{\"ids\": [2, 5], \"targets\": [0, 1]}], "
      + "\"samples\": [{\"row\": 0, \"patch\": 1, \"token_ids\": [3]}]}"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    let result = try SeaTools.run(
      ["train", "finetune", "--model", model + "/llava", "--replay", path],
      in: folder
    )
    #expect(result.status == 65 && result.errors.contains("samples"), "\(result.errors)")
  }
}
