// SPDX-License-Identifier: Apache-2.0
// Stage-1 steps through the command against PyTorch's numbers.

import Foundation
import SEACheckpoint
import SEAModel
import SEAText
import SEATrainer
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct ReplayTests {
  private let folder: TemporaryFolder
  private let model: String
  private let fixture: String

  init() throws {
    folder = try TemporaryFolder()
    model = (Fixtures.shared ?? "") + "/mllm/sea-gemma-tiny"
    fixture = (Fixtures.shared ?? "") + "/sea/stage1-step"
  }

  /// The fixture's rows and samples as a replay file.
  private func writeReplay(targets: Bool = false) throws -> String {
    let reference = try TensorFile(path: fixture + "/reference.safetensors")
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture + "/samples.json"))
    let samples = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let rows = (0..<2).map { row -> [String: Any] in
      let labels = reference.ints("row\(row).labels")
      return [
        "ids": reference.ints("row\(row).ids"),
        targets ? "targets" : "labels": targets ? labels.map { $0 >= 0 } : labels,
        "pixels": "\(model)/reference.safetensors#image\(row).pixel_values",
      ]
    }
    let path = folder.path + "/replay.json"
    let json: [String: Any] = ["rows": rows, "samples": try #require(samples["samples"])]
    try JSONSerialization.data(withJSONObject: json).write(to: URL(fileURLWithPath: path))
    return path
  }

  private static let names = [
    "adapter.0.weight": "0.weight", "adapter.0.bias": "0.bias", "adapter.1.weight": "2.weight",
    "adapter.1.bias": "2.bias",
  ]

  @Test(arguments: [1, 2])
  func followsPyTorchForThreeSteps(threads: Int) throws {
    let probe = folder.path + "/probe.safetensors"
    let result = try SeaTools.run(
      [
        "train", "pretrain", "--llm", model + "/llava", "--replay", try writeReplay(),
        "--steps", "3", "--probe", probe, "--lr", "1e-3", "--tau-parameter", "tau",
        "--threads", "\(threads)",
      ],
      in: folder
    )
    try #require(result.status == 0, "\(result.errors)")
    let found = try TensorFile(path: probe)
    let wanted = try TensorFile(path: fixture + "/reference.safetensors")
    for step in 0..<3 {
      // The tolerances stand beside the fixture.
      let room = step == 0 ? 1e-5 : 1e-4
      for (name, key) in [("loss", "total"), ("L_g", "Lg"), ("L_a", "La")] {
        let expected = wanted.value("step\(step).\(key)")
        let value = found.value("step\(step).\(name)")
        #expect(abs(value - expected) <= room * abs(expected), "step \(step) \(name): \(value)")
      }
      let norm = wanted.value("step\(step).grad_norm")
      #expect(abs(found.value("step\(step).grad_norm") - norm) <= 2e-3 * norm)
      let tau = wanted.value("step\(step).tau_before")
      #expect(abs(found.value("step\(step).tau") - tau) <= 1e-5)
    }
    let slope = wanted.value("step0.d_tau")
    #expect(abs(found.value("step0.grad.align.temperature") - slope) <= 2e-3 * abs(slope))
    for (name, key) in Self.names {
      let gradient = found.floats("step0.grad.\(name)")
      let expected = wanted.floats("step0.grad.model.mm_projector.\(key)")
      try #require(gradient.count == expected.count && !gradient.isEmpty)
      let largest = expected.map { abs($0) }.max() ?? 0
      let error = zip(gradient, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(error <= 2e-3 * largest + 1e-7, "\(name): \(error) of \(largest)")
      for step in [0, 2] {
        let weights = found.floats("step\(step).weight.\(name)")
        let expected = wanted.floats("step\(step).weight.model.mm_projector.\(key)")
        let close = zip(weights, expected).count { abs($0 - $1) <= 2e-5 * Float(step + 1) }
        #expect(
          Double(close) >= 0.999 * Double(expected.count) - 1,
          "step \(step) \(name): \(expected.count - close) of \(expected.count)"
        )
      }
    }
  }

  @Test func takesFlagsForLabels() throws {
    let probes = try [false, true].map { targets in
      let probe = folder.path + "/probe\(targets).safetensors"
      let result = try SeaTools.run(
        [
          "train", "pretrain", "--llm", model + "/llava", "--replay",
          try writeReplay(targets: targets), "--probe", probe,
        ],
        in: folder
      )
      try #require(result.status == 0, "\(result.errors)")
      return try Data(contentsOf: URL(fileURLWithPath: probe))
    }
    #expect(probes[0] == probes[1])
  }

  @Test(arguments: [
    ("{\"rows\": []}", "rows"), ("{}", "rows"), ("[", "expected"),
    ("{\"rows\": [{\"ids\": [2, 99999], \"targets\": [0, 1]}]}", "rows[0].ids"),
    ("{\"rows\": [{\"ids\": [2, 5], \"targets\": [1]}]}", "rows[0].targets"),
    ("{\"rows\": [{\"ids\": [2, -200], \"targets\": [0, 0]}]}", "rows[0]"),
    (
      "{\"rows\": [{\"ids\": [2], \"targets\": [0]}], \"samples\": [{\"row\": 1}]}",
      "samples[0].row"
    ),
    (
      "{\"rows\": [{\"ids\": [2], \"targets\": [0]}], \"samples\": [{\"row\": 0, \"patch\": 16}]}",
      "samples[0].patch"
    ),
  ])
  func namesWhatIsWrong(text: String, field: String) throws {
    let path = folder.path + "/bad.json"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    let result = try SeaTools.run(
      ["train", "pretrain", "--llm", model + "/llava", "--replay", path],
      in: folder
    )
    #expect(result.status == 65)
    #expect(result.errors.contains(field), "\(result.errors)")
  }

  @Test func writesWordsAsTheReferenceDoes() throws {
    let source = try SourceModel(path: model + "/llava")
    let tokenizer = try Tokenizer(
      tables: TokenizerCompiler.compile(TokenizerFiles(folder: model + "/llava"))
    )
    let bare = try WordTargets(tokenizer, source: source, form: .bare)
    let spaced = try WordTargets(tokenizer, source: source, form: .space)
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture + "/samples.json"))
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for sample in try #require(json["samples"] as? [[String: Any]]) {
      let word = try #require(sample["label"] as? String)
      let ids = try #require(sample["token_ids"] as? [Int])
      #expect(bare.ids(of: word).map { Int($0) } == ids, "\(word)")
      // This vocabulary puts no blank before a text, so the middle of a sentence needs one.
      let text = tokenizer.decode(spaced.ids(of: word), skipsSpecial: false)
      #expect(String(decoding: text, as: UTF8.self) == " " + word)
    }
  }
}
