// SPDX-License-Identifier: Apache-2.0
// `sea train pretrain` on tiny models: runs that are killed end as if they had not been.

import Foundation
import SEACheckpoint
import SEAModel
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct PretrainTests {
  private let folder: TemporaryFolder
  private let shared: String

  init() throws {
    folder = try TemporaryFolder()
    shared = Fixtures.shared ?? ""
    var lines: [String] = []
    let captions = ["a cat on a sofa", "a cup of coffee", "two birds in the sky", "a red boat"]
    for index in 0..<24 {
      let image = ["cat_225x150.png", "coffee_120x150.png"][index % 2]
      lines.append(
        """
        {"id": "r\(index)", "image": "\(image)", "conversations": [{"from": "human", "value": \
        "Describe it.\\n<image>"}, {"from": "gpt", "value": "\(captions[index % 4]) \(index)"}]}
        """
      )
    }
    try write(lines.joined(separator: "\n"), to: "data.jsonl")
  }

  private func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/" + name))
  }

  private func arguments(_ out: String, _ more: [String] = []) -> [String] {
    [
      "train", "pretrain", "--llm", shared + "/llm/gemma-tiny", "--vision",
      shared + "/vision/siglip-tiny", "--data", folder.path + "/data.jsonl", "--images",
      shared + "/images", "--out", folder.path + "/" + out, "--batch", "2", "--accumulate", "2",
      "--save-every", "3", "--seed", "4", "--epochs", "3",
    ] + more
  }

  /// Labels of both pictures, made by the command that makes labels.
  private func labels() throws -> [String] {
    let list = try Data(contentsOf: URL(fileURLWithPath: shared + "/vision/siglip-tiny/words.json"))
    let words = try #require(try JSONSerialization.jsonObject(with: list) as? [String])
    try write(words.joined(separator: "\n"), to: "words.txt")
    let path = folder.path + "/words.labels"
    let result = try SeaTools.run(
      [
        "label", "--encoder", shared + "/vision/siglip-tiny", "--words",
        folder.path + "/words.txt", "--data", folder.path + "/data.jsonl", "--images",
        shared + "/images", "-o", path, "--sign", "pos",
      ],
      in: folder
    )
    try #require(result.status == 0, "\(result.errors)")
    return ["--labels", path]
  }

  private func states(_ out: String) throws -> [String: Data] {
    try folder.files(in: out).filter { !$0.key.hasPrefix("metrics") && !$0.key.hasPrefix("curves") }
      .filter { $0.key != "lock" }
  }

  private func lines(_ out: String) throws -> [[String: Any]] {
    let path = folder.path + "/" + out + "/metrics.jsonl"
    let data = try #require(FileManager.default.contents(atPath: path))
    return try data.split(separator: 0x0a).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  @Test(arguments: [false, true])
  func trainsAndLeavesWhatConvertTakes(hasLabels: Bool) throws {
    let more = hasLabels ? try labels() : []
    let result = try SeaTools.run(arguments("run", more + ["--frozen", "f32"]), in: folder)
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("planned"))
    let records = try lines("run")
    #expect(records.count == 18)
    for key in ["loss", "L_g", "lr", "grad_norm", "tokens_per_second", "peak_rss_bytes"] {
      #expect(records.allSatisfy { $0[key] is Double || $0[key] is Int }, "\(key)")
    }
    #expect(records.contains { $0["L_a"] is Double } == hasLabels)
    let losses = records.compactMap { $0["L_g"] as? Double }
    // An epoch sees the same captions as the one before.
    #expect(losses.suffix(6).reduce(0, +) < losses.prefix(6).reduce(0, +))
    let config = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: folder.path + "/run/config.json"))
    )
    #expect((config as? [String: Any])?["tune_mm_mlp_adapter"] as? Bool == true)

    // The stage-1 folder is a checkpoint: our reader takes the torch file and the safetensors alike.
    let source = try SourceModel(path: folder.path + "/run")
    #expect(source.layout == .llavaStage1)
    #expect(source.model.adapter?.widths == [72, 72, 72])
    var options = SourceOptions()
    options.adapterFile = folder.path + "/run/mm_projector.bin"
    let torch = try SourceModel(path: folder.path + "/run", options: options)
    for name in ["adapter.0.weight", "adapter.0.bias", "adapter.1.weight", "adapter.1.bias"] {
      let one = try #require(source.part(name)).tensor
      let other = try #require(torch.part(name)).tensor
      #expect(one.floats() == other.floats() && !one.floats().isEmpty)
    }
    let converted = try SeaTools.run(
      ["convert", folder.path + "/run", "-o", folder.path + "/run.sea", "--weights", "f32"],
      in: folder
    )
    #expect(converted.status == 0, "\(converted.errors)")
  }

  @Test func endsInTheSameBitsWhenKilled() throws {
    let more = try labels() + ["--epochs", "40"]
    let whole = try SeaTools.run(arguments("whole", more + ["--threads", "1"]), in: folder)
    try #require(whole.status == 0, "\(whole.errors)")
    var random = SeededRandom(seed: 12)
    var kills = 0
    for attempt in 0..<8 {
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
    let last = try SeaTools.run(arguments("killed", more + ["--resume"]), in: folder)
    try #require(last.status == 0, "\(last.errors)")
    let (found, wanted) = (try states("killed"), try states("whole"))
    #expect(Set(found.keys) == Set(wanted.keys))
    for (name, bytes) in wanted { #expect(found[name] == bytes, "\(name)") }
    #expect(try lines("killed").compactMap { $0["step"] as? Int } == Array(1...240))
  }

  /// A limit on the size of files stands for a disk that is full.
  @Test func keepsTheOldStateWhenNothingCanBeWritten() throws {
    let more = ["--epochs", "40", "--keep", "1000", "--threads", "1"]
    try #require(SeaTools.run(arguments("whole", more), in: folder).status == 0)
    let process = try SeaTools.start(arguments("full", more), in: folder)
    let manifest = folder.path + "/full/checkpoints/step-00000003/manifest.json"
    try SeaTools.wait { FileManager.default.fileExists(atPath: manifest) }
    try SeaTools.end(process, by: SIGKILL)
    let before = try FileManager.default.contentsOfDirectory(
      atPath: folder.path + "/full/checkpoints"
    )

    let limited = try SeaTools.run(
      arguments("full", more + ["--resume"]),
      in: folder,
      through: "trap '' XFSZ; ulimit -f 30; exec \"$0\" \"$@\""
    )
    #expect(limited.status == 74, "\(limited.errors)")
    #expect(limited.errors.contains("is not saved"))
    let after = try FileManager.default.contentsOfDirectory(
      atPath: folder.path + "/full/checkpoints"
    )
    #expect(Set(after).isSubset(of: Set(before)) && !after.isEmpty)

    let last = try SeaTools.run(arguments("full", more + ["--resume"]), in: folder)
    try #require(last.status == 0, "\(last.errors)")
    #expect(try states("full") == states("whole"))
  }

  /// The first line of the log says that steps are being made.
  private func waitForSteps() throws {
    let log = folder.path + "/run/metrics.jsonl"
    try SeaTools.wait { (FileManager.default.contents(atPath: log)?.count ?? 0) > 0 }
  }

  @Test func savesWhenInterrupted() throws {
    let process = try SeaTools.start(arguments("run", ["--epochs", "2000"]), in: folder)
    try waitForSteps()
    try SeaTools.end(process, by: SIGINT)
    #expect(process.terminationStatus == 130)
    let errors = try String(contentsOfFile: folder.path + "/err.txt", encoding: .utf8)
    #expect(errors.contains("interrupted after step"))
    let names = try FileManager.default.contentsOfDirectory(
      atPath: folder.path + "/run/checkpoints"
    )
    #expect(!names.isEmpty)
  }

  @Test func refusesASecondTrainer() throws {
    let process = try SeaTools.start(arguments("run", ["--epochs", "2000"]), in: folder)
    defer { kill(process.processIdentifier, SIGKILL) }
    try waitForSteps()
    let other = try TemporaryFolder()
    let second = try SeaTools.run(arguments("run", ["--epochs", "2000", "--resume"]), in: other)
    #expect(second.status == 75, "\(second.errors)")
    #expect(second.errors.contains("another trainer"))
    try SeaTools.end(process, by: SIGTERM)
    #expect(process.terminationStatus == 143)
  }

  @Test func refusesToGoOnWithOtherInputs() throws {
    try SeaTools.run(arguments("run", ["--steps", "3"]), in: folder)
    for (more, what) in [
      (["--steps", "4"], "steps"), (["--steps", "3", "--seed", "5"], "seed"),
      (["--steps", "3", "--frozen", "f32"], "frozen"),
      (["--steps", "3", "--lr", "2e-3"], "lr"),
    ] {
      let result = try SeaTools.run(arguments("run", more + ["--resume"]), in: folder)
      #expect(result.status == 64, "\(result.errors)")
      #expect(result.errors.contains("another \(what)"), "\(result.errors)")
    }
    let full = try SeaTools.run(arguments("run", ["--steps", "3"]), in: folder)
    #expect(full.status == 64 && full.errors.contains("--resume"))
    let text = try String(contentsOfFile: folder.path + "/data.jsonl", encoding: .utf8)
    try write(text.replacing("sofa", with: "couch"), to: "data.jsonl")
    let changed = try SeaTools.run(arguments("run", ["--steps", "3", "--resume"]), in: folder)
    #expect(changed.status == 64 && changed.errors.contains("another data"), "\(changed.errors)")
  }

  @Test func aRecipeEqualsItsFlags() throws {
    try write(
      "# a recipe\nsteps: 4\nlr: 2e-3\nwarmup: 0\nsave-every: 2\ncheckpoint: 'on'\n",
      to: "recipe.yaml"
    )
    let recipe = ["--config", folder.path + "/recipe.yaml"]
    try #require(SeaTools.run(arguments("a", recipe), in: folder).status == 0)
    let flags = ["--steps", "4", "--lr", "2e-3", "--warmup", "0", "--checkpoint", "on"]
    try #require(SeaTools.run(arguments("b", flags), in: folder).status == 0)
    let (one, other) = (try states("a"), try states("b"))
    #expect(one == other && !one.isEmpty)
    for (text, reason) in [
      ("steps: {a: 1}", "expected one value"), ("steps: [1, 2]", "2"), ("nonsense: 3", "nonsense"),
      ("[1, 2]", "flag names"),
      ("steps: 4\nsteps: 5", "steps"), ("a: b: c", "not YAML"),
    ] {
      try write(text, to: "bad.yaml")
      let bad = try SeaTools.run(
        arguments("c", ["--config=" + folder.path + "/bad.yaml"]),
        in: folder
      )
      #expect(bad.status == 65 || bad.status == 64, "\(text): \(bad.errors)")
      #expect(bad.errors.contains(reason), "\(text): \(bad.errors)")
    }
  }

  @Test(arguments: [
    ["--lr", "nan"], ["--lr", "-1"], ["--lr", "1e9"], ["--batch", "0"], ["--epochs", "0"],
    ["--lambda", "inf"], ["--warmup", "2"], ["--tau-init", "0"], ["--beta2", "1"],
    ["--alignment-only"], ["--probe", "x"], ["--window", "0"],
  ])
  func refusesSettingsBeforeAnythingIsRead(more: [String]) throws {
    var all = arguments("run", more)
    all[3] = folder.path + "/no-model"
    let result = try SeaTools.run(all, in: folder)
    #expect(result.status == 64, "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
  }

  @Test func trainsOnSeveralScalesOfAPicture() throws {
    // The fixture's configuration alone; its numbers lie beside it and are no weights.
    let config = try String(
      contentsOfFile: shared + "/vision/s2-tiny/config.json",
      encoding: .utf8
    )
    try FileManager.default.createDirectory(
      atPath: folder.path + "/s2",
      withIntermediateDirectories: true
    )
    try write(
      config.replacing("../clip-tiny", with: shared + "/vision/clip-tiny"),
      to: "s2/config.json"
    )
    var all = arguments("run", ["--steps", "3"])
    all[5] = folder.path + "/s2"
    let result = try SeaTools.run(all, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    #expect(try lines("run").count == 3)
  }

  @Test func refusesPlansBeyondTheMemory() throws {
    let result = try SeaTools.run(arguments("run", ["--max-memory", "100kB"]), in: folder)
    #expect(result.status == 71, "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
  }

  @Test func countsWhatCannotBeUsed() throws {
    let text = try String(contentsOfFile: folder.path + "/data.jsonl", encoding: .utf8)
    let bad = "{\"id\": \"x\", \"image\": \"../cat.png\", \"conversations\": []}"
    try write(text + "\n" + bad + "\n", to: "data.jsonl")
    let check = try SeaTools.run(
      ["data", "check", folder.path + "/data.jsonl", "--images", shared + "/images"],
      in: folder
    )
    #expect(check.status == 65)
    #expect(check.output.contains("data.jsonl:25: 'x': the conversation is empty"))
    let refused = try SeaTools.run(arguments("run"), in: folder)
    #expect(refused.status == 65 && refused.errors.contains("line 25"), "\(refused.errors)")
    let skipped = try SeaTools.run(
      arguments("other", ["--skip-bad", "--steps", "1"]),
      in: folder
    )
    #expect(skipped.status == 0 && skipped.errors.contains("1 records"), "\(skipped.errors)")
  }

  @Test(arguments: [
    ["--negatives", "accum", "--window-draw", "score", "--label-sampling", "argmax"],
    ["--alignment-only", "--empty", "global", "--dedupe", "off", "--tau-init", "paper"],
    ["--generation-every", "3", "--token-mean", "step", "--word-form", "bare", "--frozen", "int8"],
    ["--long", "cut", "--max-length", "19", "--group-by", "modality", "--checkpoint", "on"],
  ])
  func everyRuleTrains(more: [String]) throws {
    let result = try SeaTools.run(
      arguments("run", try labels() + more + ["--steps", "6"]),
      in: folder
    )
    try #require(result.status == 0, "\(result.errors)")
    let records = try lines("run")
    #expect(records.count == 6)
    #expect(records.allSatisfy { $0["L_a"] is Double })
    let spoken = records.count { $0["L_g"] is Double }
    #expect(spoken == (more.contains("--alignment-only") ? 0 : more.contains("3") ? 2 : 6))
  }
}
