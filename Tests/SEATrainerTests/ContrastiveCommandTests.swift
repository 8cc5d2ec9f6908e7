// SPDX-License-Identifier: Apache-2.0
// `sea train contrastive` on a small harbour: it learns, repeats itself, and leaves what others read.

import Foundation
import SEACheckpoint
import SEATensor
import TestSupport
import Testing

@Suite struct ContrastiveCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let world = try SeaTools.run(
      ["world", "--count", "48", "--seed", "3", "--masks", "-o", folder.path + "/world"],
      in: folder
    )
    try #require(world.status == 0, "\(world.errors)")
  }

  private static func tokenizer(_ loss: String) -> String {
    Fixtures.path("SEATextTests", loss == "clip" ? "clip-tiny" : "siglip-standin")
  }

  private func arguments(_ out: String, loss: String, _ more: [String] = []) -> [String] {
    let world = folder.path + "/world"
    return [
      "train", "contrastive", "--loss", loss, "--tokenizer", Self.tokenizer(loss), "--data",
      world + "/captions.json", "--images", world + "/images", "--out", folder.path + "/" + out,
      "--vision-hidden", "32", "--vision-layers", "1", "--vision-heads", "2", "--text-hidden", "16",
      "--text-layers", "1", "--text-length", "16", "--batch", "8", "--seed", "5", "--save-every",
      "3", "--steps", "12",
    ] + (loss == "clip" ? ["--projection", "24"] : []) + more
  }

  private var masks: [String] {
    let world = folder.path + "/world"
    return [
      "--masks", world + "/masks.jsonl", "--words", world + "/words.txt", "--distractors", "8",
    ]
  }

  private func lines(_ out: String) throws -> [[String: Any]] {
    let path = folder.path + "/" + out + "/metrics.jsonl"
    let data = try #require(FileManager.default.contents(atPath: path))
    return try data.split(separator: 0x0a).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  private func states(_ out: String) throws -> [String: Data] {
    try folder.files(in: out).filter {
      !$0.key.hasPrefix("metrics") && !$0.key.hasPrefix("curves") && $0.key != "lock"
    }
  }

  @Test(arguments: ["clip", "siglip"]) func learnsAndProbes(_ loss: String) throws {
    let world = folder.path + "/world"
    let result = try SeaTools.run(
      arguments(
        "run",
        loss: loss,
        masks + [
          "--steps", "80", "--lr", "3e-3", "--eval-data", world + "/captions.json", "--eval-masks",
          world + "/masks.jsonl", "--eval-every", "40", "--eval-count", "16",
        ]
      ),
      in: folder
    )
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("planned") && result.output.contains("probe_colour"))
    let records = try lines("run")
    #expect(records.count == 80)
    for key in ["L_c", "L_d"] {
      let losses = records.compactMap { $0[key] as? Double }
      #expect(losses.count == 80)
      let (first, last) = (losses.prefix(10).reduce(0, +), losses.suffix(10).reduce(0, +))
      #expect(last < 0.9 * first, "\(key): \(first) to \(last)")
    }
    let probes = records.filter { $0["probe_kind"] is Double }.compactMap { $0["step"] as? Int }
    #expect(probes == [41])
    let svg = try String(contentsOfFile: folder.path + "/run/curves.svg", encoding: .utf8)
    #expect(svg.contains("L_d") && svg.contains("probe_kind"))
  }

  /// Values of the model in the layout that is written are those of the last checkpoint.
  @Test(arguments: ["clip", "siglip"]) func leavesWhatOthersRead(_ loss: String) throws {
    let result = try SeaTools.run(arguments("run", loss: loss, masks), in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let model = folder.path + "/run/model"
    var options = SourceOptions()
    options.takesTextTower = true
    let source = try SourceModel(path: model, options: options)
    let saved = try TensorFile(
      path: folder.path + "/run/checkpoints/step-00000012/weights.safetensors"
    )
    let own = saved.names.filter { $0.hasPrefix("vision") || $0.hasPrefix("vtext") }
    #expect(Set(own) == Set(source.names))
    for name in own {
      let part = try #require(source.part(name), "\(name)")
      let values = try MatrixView<Float>(rows: part.rows.count, columns: part.tensor.columns)
      try source.read(name, rows: 0..<part.rows.count, into: values)
      #expect(values.array() == saved.floats(name), "\(name)")
    }
    let world = folder.path + "/world"
    let label = try SeaTools.run(
      [
        "label", "--encoder", model, "--words", world + "/words.txt", "--data",
        world + "/captions.json", "--images", world + "/images", "-o", folder.path + "/a.labels",
      ] + (loss == "clip" ? ["--feature", "raw", "--sign", "pos"] : []),
      in: folder
    )
    #expect(label.status == 0, "\(label.errors)")
    let convert = try SeaTools.run(["convert", model, "-o", folder.path + "/a.sea"], in: folder)
    #expect(convert.status == 0, "\(convert.errors)")

    // A model that was trained can be gone on from, and has the shape that it has.
    let more = ["--init", model, "--steps", "2"]
    let on = try SeaTools.run(arguments("on", loss: loss, more), in: folder)
    #expect(on.status == 0, "\(on.errors)")
    let other = try SeaTools.run(
      arguments("other", loss: loss, more + ["--vision-layers", "2"]),
      in: folder
    )
    #expect(other.status == 64 && other.errors.contains("--vision-layers 2"), "\(other.errors)")
  }

  @Test(arguments: ["clip", "siglip"]) func endsInTheSameBits(_ loss: String) throws {
    let more = masks + ["--steps", "30"]
    let whole = try SeaTools.run(
      arguments("whole", loss: loss, more + ["--threads", "1"]),
      in: folder
    )
    try #require(whole.status == 0, "\(whole.errors)")
    let two = try SeaTools.run(arguments("two", loss: loss, more + ["--threads", "2"]), in: folder)
    try #require(two.status == 0, "\(two.errors)")
    #expect(try states("two") == states("whole"))
    var random = SeededRandom(seed: 12)
    for attempt in 0..<4 {
      let threads = ["--threads", attempt % 2 == 0 ? "2" : "1", "--resume"]
      let process = try SeaTools.start(arguments("cut", loss: loss, more + threads), in: folder)
      usleep(UInt32.random(in: 50_000...300_000, using: &random))
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
    }
    let last = try SeaTools.run(arguments("cut", loss: loss, more + ["--resume"]), in: folder)
    try #require(last.status == 0, "\(last.errors)")
    #expect(try states("cut") == states("whole"))
    #expect(try lines("cut").compactMap { $0["step"] as? Int } == Array(1...30))
    let other = try SeaTools.run(
      arguments("cut", loss: loss, more + ["--resume", "--seed", "6"]),
      in: folder
    )
    #expect(other.status == 64 && other.errors.contains("another seed"), "\(other.errors)")
  }

  @Test func refusesWhatCannotBe() throws {
    let world = folder.path + "/world"
    func expect(_ status: Int32, _ part: String, _ more: [String], loss: String = "clip") throws {
      let result = try SeaTools.run(arguments("bad", loss: loss, more), in: folder)
      #expect(result.status == status && result.errors.contains(part), "\(more): \(result.errors)")
    }
    try expect(64, "--vision-heads", ["--vision-heads", "0"])
    try expect(64, "heads", ["--vision-heads", "5"])
    try expect(64, "joint space", ["--projection", "7"], loss: "siglip")
    try expect(66, "nothing.jsonl", ["--masks", world + "/nothing.jsonl"])
    try expect(65, "grid", ["--masks", world + "/masks.jsonl", "--patch-size", "28"])
    try expect(65, "a step takes 64", ["--batch", "64"])
    try expect(64, "--eval-masks", ["--eval-data", world + "/captions.json"])
    try expect(64, "--words needs --masks", ["--words", world + "/words.txt"])
    try expect(66, "no-folder", ["--images", "/no-folder"])
    try expect(71, "the plan needs", ["--max-memory", "1MB"])
    try expect(65, "clip needs", ["--tokenizer", Self.tokenizer("siglip")])
  }
}
