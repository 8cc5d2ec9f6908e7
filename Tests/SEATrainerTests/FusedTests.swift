// SPDX-License-Identifier: Apache-2.0
// Steps within the backward pass: the same bytes as steps after it; evaluation beside them.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct FusedTests {
  private let folder: TemporaryFolder
  private let shared: String

  init() throws {
    folder = try TemporaryFolder()
    shared = Fixtures.shared ?? ""
    let answers = ["a cat", "some coffee", "two birds", "a red boat"]
    // Every third step's records are text alone: the adapter is not reached there.
    let lines = (0..<12).map { index in
      let picture = index % 3 == 2 ? nil : ["cat_225x150.png", "coffee_120x150.png"][index % 2]
      let mark = picture == nil ? "" : "<image>\\n"
      let image = picture.map { "\"image\": \"\($0)\", " } ?? ""
      return """
        {"id": "r\(index)", \(image)"conversations": [{"from": "human", "value": \
        "\(mark)What is it?"}, {"from": "gpt", "value": "\(answers[index % 4])"}]}
        """
    }
    try Data(lines.joined(separator: "\n").utf8)
      .write(to: URL(fileURLWithPath: folder.path + "/data.jsonl"))
  }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  private func arguments(_ out: String, _ more: [String]) -> [String] {
    [
      "train", "finetune", "--model", shared + "/mllm/sea-gemma-tiny/llava", "--data",
      path("data.jsonl"), "--images", shared + "/images", "--out", path(out), "--batch", "2",
      "--accumulate", "1", "--sequences", "2", "--save-every", "2", "--seed", "5", "--lr", "1e-3",
    ] + more
  }

  private func train(_ out: String, _ more: [String]) throws {
    let result = try SeaTools.run(arguments(out, more), in: folder)
    try #require(result.status == 0, "\(result.errors)")
  }

  private func lines(_ out: String) throws -> [[String: Any]] {
    let data = try #require(FileManager.default.contents(atPath: path(out) + "/metrics.jsonl"))
    return try data.split(separator: 0x0a).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  private func column(_ out: String, _ name: String) throws -> [Double] {
    try lines(out).compactMap { $0[name] as? Double }
  }

  /// Everything that a run leaves except what tells time.
  private func states(_ out: String) throws -> [String: Data] {
    try folder.files(in: out).filter {
      !$0.key.hasPrefix("metrics") && !$0.key.hasPrefix("curves") && $0.key != "lock"
    }
  }

  private func expectSame(_ first: String, _ second: String) throws {
    let (found, wanted) = (try states(first), try states(second))
    #expect(Set(found.keys) == Set(wanted.keys) && wanted.count > 5)
    for (name, bytes) in wanted { #expect(found[name] == bytes, "\(name)") }
    for name in ["loss", "grad_norm"] {
      #expect(try column(first, name) == column(second, name), "\(name)")
    }
  }

  @Test(arguments: [
    ["--method", "full", "--clip", "0"],
    ["--method", "full", "--clip", "0.05", "--vision-lr", "1e-4"],
    ["--method", "full", "--weights", "bf16", "--optimizer", "adamw8bit", "--checkpoint", "on"],
    ["--rank", "4", "--dropout", "0.1", "--clip", "0.05"],
  ])
  func isTheSameStep(flags: [String]) throws {
    try train("after", flags + ["--fused", "off"])
    try train("within", flags + ["--fused", "on", "--threads", "1"])
    try expectSame("within", "after")
    let norms = try column("after", "grad_norm")
    #expect(norms.count == 6 && norms.allSatisfy { $0 > 0 })
  }

  @Test func takesAllSamplesOfAStepTogether() throws {
    let flags = ["--method", "full", "--accumulate", "3", "--token-mean", "step"]
    try train("after", flags + ["--sequences", "6", "--batch", "6", "--accumulate", "1"])
    try train("within", flags + ["--fused", "on"])
    #expect(try column("within", "loss") == column("after", "loss"))
  }

  @Test func clipsByTheStepBefore() throws {
    let flags = ["--method", "full", "--clip", "0.05", "--epochs", "3"]
    try train("exact", flags + ["--fused", "on"])
    try train("previous", flags + ["--fused", "on", "--fused-clip", "previous"])
    let (exact, previous) = (try column("exact", "loss"), try column("previous", "loss"))
    // The first step moves nothing, the second one clips by another norm.
    #expect(exact.prefix(2) == previous.prefix(2) && exact != previous)
    #expect(zip(exact, previous).allSatisfy { abs($0 - $1) < 0.12 * $0 })
  }

  @Test(arguments: [
    ["--fused", "on", "--fused-clip", "previous", "--optimizer", "adamw8bit", "--weights", "bf16"],
    ["--optimizer", "adamw8bit", "--eval-every", "3", "--early-stop", "2"],
  ])
  func endsInTheSameBitsWhenKilled(flags: [String]) throws {
    let more =
      ["--method", "full", "--epochs", "4"] + flags
      + (flags.contains("--early-stop") ? ["--eval-data", path("data.jsonl")] : [])
    try train("whole", more + ["--threads", "1"])
    var random = SeededRandom(seed: 77)
    var kills = 0
    for attempt in 0..<6 {
      let threads = ["--threads", attempt % 2 == 0 ? "2" : "1", "--resume"]
      let process = try SeaTools.start(arguments("killed", more + threads), in: folder)
      usleep(UInt32.random(in: 20_000...400_000, using: &random))
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        kills += 1
      }
      process.waitUntilExit()
    }
    #expect(kills > 0)
    try train("killed", more + ["--resume", "--threads", "2"])
    try expectSame("killed", "whole")
    // A run without codes cannot go on with one that has them, and says why.
    let other = more.filter { $0 != "--optimizer" && $0 != "adamw8bit" }
    let refused = try SeaTools.run(arguments("whole", other + ["--resume"]), in: folder)
    #expect(refused.status == 64 && refused.errors.contains("optimizer"), "\(refused.errors)")
  }

  @Test func measuresTheLossOfTheSamplesThatItIsGiven() throws {
    try train("first", ["--rank", "4", "--lr", "2e-2", "--epochs", "2"])
    let still = ["--lora-init", path("first/lora"), "--lr", "0", "--adapter-lr", "0"]
    let whole = ["--batch", "12", "--steps", "1", "--token-mean", "step", "--sequences", "3"]
    var found: [[Double]] = []
    for dropout in ["0", "0.5"] {
      let more = ["--dropout", dropout, "--eval-data", path("data.jsonl")]
      try train("run\(dropout)", still + whole + more)
      found.append(try column("run\(dropout)", "loss") + column("run\(dropout)", "eval_loss"))
    }
    // Nothing moves: the loss of all records is that of the step where nothing is dropped out, and
    // an evaluation drops nothing out in any case.
    try #require(found.allSatisfy { $0.count == 2 })
    #expect(abs(found[0][0] - found[0][1]) < 1e-5 * found[0][0])
    #expect(found[0][1] == found[1][1])
    #expect(abs(found[1][0] - found[1][1]) > 1e-4 * found[1][0])
    try train("plain", ["--rank", "4", "--epochs", "2"])
    try train(
      "beside",
      [
        "--rank", "4", "--epochs", "2", "--eval-data", path("data.jsonl"), "--eval-every", "5",
        "--eval-samples", "3",
      ]
    )
    let kept = { (out: String) in
      try states(out).filter { $0.key.hasPrefix("lora/") || $0.key.hasPrefix("checkpoints/") }
        .filter { $0.key.hasSuffix(".safetensors") }
    }
    let (plain, beside) = (try kept("plain"), try kept("beside"))
    #expect(plain.count > 2 && plain == beside)
    let steps = try lines("beside").filter { $0["eval_loss"] != nil }
      .compactMap { $0["step"] as? Int }
    #expect(steps == [5, 10, 12])
  }

  @Test(arguments: [
    ["--fused", "on", "--accumulate", "2"], ["--early-stop", "3"], ["--eval-samples", "0"],
    ["--layout", "hf"], ["--optimizer", "sgd"], ["--fused", "on", "--probe", "x"],
    ["--eval-every", "5"],
  ])
  func refusesSettingsBeforeAnythingIsRead(more: [String]) throws {
    let result = try SeaTools.run(arguments("run", more), in: folder)
    #expect(result.status == 64, "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: path("run")))
  }

  @Test func planTellsWhatIsSaved() throws {
    let flags = ["--method", "full", "--weights", "bf16", "--optimizer", "adamw8bit"]
    let result = try SeaTools.run(
      arguments("run", flags + ["--fused", "on", "--max-memory", "1MB"]),
      in: folder
    )
    #expect(result.status == 71, "\(result.errors)")
    #expect(result.errors.contains("gradients within a pass"), "\(result.errors)")
    #expect(result.errors.contains("language model: values, two moments"), "\(result.errors)")
    let automatic = try SeaTools.run(
      arguments("other", flags + ["--max-memory", "1MB"]),
      in: folder
    )
    #expect(automatic.errors.contains("within the backward pass"), "\(automatic.errors)")
  }
}
