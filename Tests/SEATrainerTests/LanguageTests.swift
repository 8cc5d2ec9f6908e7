// SPDX-License-Identifier: Apache-2.0
// `sea train language` on tiny models: the loss falls, bits repeat, and the folder is taken by others.

import Foundation
import SEACheckpoint
import SEADataset
import SEALayers
import SEAModel
import SEATensor
import SEAText
import SEATrainer
import TestSupport
import Testing

@Suite struct LanguageTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let colors = ["red", "blue", "green", "white"]
    let records = (0..<80).map { index in
      index % 3 == 0
        ? "{\"text\": \"The \(colors[index % 4]) boat is at pier \(index % 7).\"}"
        : "{\"question\": \"Which color is boat \(index)?\", \"answer\": \"\(colors[index % 4])\"}"
    }
    try write(records.joined(separator: "\n"), to: "text.jsonl")
    try write(records[40...].joined(separator: "\n"), to: "held.jsonl")
    for family in TokenizerFamily.allCases {
      var recipe = TokenizerRecipe(vocab: 400)
      recipe.family = family
      let training = try TokenizerTraining(
        recipe,
        files: [try TextFile(path: path("text.jsonl"))],
        template: try Template.named(family.template)
      )
      try training.run().files.write(to: path("tokenizer-\(family.rawValue)"))
    }
  }

  private func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  private func arguments(_ out: String, _ more: [String], family: String = "llama") -> [String] {
    [
      "train", "language", "--tokenizer", path("tokenizer-\(family)"), "--family", family,
      "--hidden",
      "32", "--layers", "2", "--heads", "2", "--kv-heads", "1", "--intermediate", "48", "--context",
      "64", "--text", path("text.jsonl"), "--batch", "4", "--sequence", "32", "--steps", "12",
      "--save-every", "3", "--lr", "1e-2", "--seed", "3", "--out", path(out),
    ] + more
  }

  @discardableResult
  private func train(
    _ out: String,
    _ more: [String] = [],
    family: String = "llama"
  ) throws -> CommandResult {
    let result = try SeaTools.run(arguments(out, more, family: family), in: folder)
    try #require(result.status == 0, "\(result.errors)")
    return result
  }

  private func losses(_ out: String, file: String = "metrics.jsonl") throws -> [Double] {
    let data = try #require(FileManager.default.contents(atPath: path(out) + "/" + file))
    return try data.split(separator: 0x0a).map {
      let line = try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]
      return try #require(line?["loss"] as? Double)
    }
  }

  private func bytes(_ out: String) -> Data? {
    FileManager.default.contents(atPath: path(out) + "/model/model.safetensors")
  }

  // MARK: - Runs

  @Test(arguments: ["llama", "gemma", "phi3"], [[], ["--weights", "bf16"]])
  func theLossFallsAndTheFolderConverts(family: String, more: [String]) throws {
    try train("run", more, family: family)
    let found = try losses("run")
    #expect(found.count == 12 && found[11] < found[0] - 1)
    // At first every token is as likely as any other.
    #expect(abs(found[0] - log(400)) < 0.5)
    let source = try SourceModel(path: path("run/model"), options: SourceOptions())
    #expect(source.model.language?.family == family && source.model.language?.blocks == 2)
    #expect(source.model.template?.name == TokenizerFamily(rawValue: family)?.template)
    let result = try SeaTools.run(
      ["convert", path("run/model"), "-o", path("out.sea"), "--weights", "f32"],
      in: folder
    )
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test func bitsRepeatForAnyNumberOfThreads() throws {
    try train("one", ["--threads", "1"])
    try train("two", ["--threads", "2"])
    try train("other", ["--seed", "4"])
    #expect(bytes("one") != nil && bytes("one") == bytes("two"))
    #expect(bytes("one") != bytes("other"))
  }

  @Test func interruptionChangesNothing() throws {
    let more = ["--steps", "60", "--eval-text", path("held.jsonl"), "--eval-every", "7"]
    try train("whole", more)
    var random = SeededRandom(seed: 9)
    for _ in 0..<5 {
      let process = try SeaTools.start(arguments("killed", more + ["--resume"]), in: folder)
      usleep(UInt32.random(in: 20_000...200_000, using: &random))
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
    }
    try train("killed", more + ["--resume"])
    #expect(bytes("killed") != nil && bytes("killed") == bytes("whole"))
    let held = try losses("whole", file: "heldout.jsonl")
    #expect(held.count == 9 && held[8] < held[0])
    #expect(try losses("killed", file: "heldout.jsonl") == held)
  }

  @Test func aRunGoesOnFromAFolderAndFromAConfiguration() throws {
    try train("first")
    let base = [
      "train", "language", "--text", path("text.jsonl"), "--batch", "4", "--sequence", "32",
      "--steps", "6",
    ]
    let second = try SeaTools.run(
      base + ["--init", path("first/model"), "--out", path("second")],
      in: folder
    )
    #expect(second.status == 0, "\(second.errors)")
    let (before, after) = (try losses("first"), try losses("second"))
    #expect(after[0] < before[0] - 1)
    let third = try SeaTools.run(
      base + [
        "--config-json", path("first/model/config.json"), "--tokenizer", path("tokenizer-llama"),
        "--out", path("third"),
      ],
      in: folder
    )
    #expect(third.status == 0, "\(third.errors)")
    #expect(
      try SourceModel(path: path("third/model"), options: SourceOptions()).model.language
        == SourceModel(path: path("first/model"), options: SourceOptions()).model.language
    )
  }

  @Test func aRecipeNamesListsOfFiles() throws {
    try write("text: [\(path("text.jsonl")), \(path("held.jsonl"))]\nsteps: 2\n", to: "r.yaml")
    let result = try SeaTools.run(
      [
        "train", "language", "--config", path("r.yaml"), "--tokenizer", path("tokenizer-llama"),
        "--hidden", "32", "--heads", "2", "--layers", "1", "--batch", "2", "--sequence", "32",
        "--out", path("run"),
      ],
      in: folder
    )
    #expect(result.status == 0, "\(result.errors)")
    #expect(try losses("run").count == 2)
  }

  @Test(arguments: [
    (["--hidden", "33"], 64, "--hidden 33"), (["--kv-heads", "3"], 64, "--kv-heads 3"),
    (["--sequence", "65"], 64, "64 positions"), (["--head-dim", "7"], 64, "--head-dim 7"),
    (["--init", "x"], 64, "--init decides"), (["--replay", "x"], 64, "--replay"),
    (["--template", "phi3"], 65, "<|end|>"), (["--text", "missing.txt"], 66, "missing.txt"),
  ]) func aWrongFlagIsOneSentence(more: [String], status: Int32, words: String) throws {
    let result = try SeaTools.run(arguments("run", more), in: folder)
    #expect(result.status == status && result.errors.contains(words), "\(result.errors)")
    #expect(bytes("run") == nil)
  }

  // MARK: - Text

  private func corpus(_ targets: TextTargets, longest: Int = 32) throws -> TextCorpus {
    let files = try TokenizerFiles(folder: path("tokenizer-llama"))
    let tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(files))
    return try TextCorpus(
      [try TextFile(path: path("text.jsonl"))],
      SampleTokenizer(tokenizer, template: try Template.named("vicuna_v1")),
      targets: targets,
      longest: longest
    )
  }

  @Test func everyTokenIsSeenOnceAnEpochWhereverAStepBegins() throws {
    let corpus = try corpus(.all)
    let stream = TextStream(corpus, seed: 1)
    let whole = stream.sample(at: 0, count: 3 * stream.length)
    #expect(whole.ids.count == 3 * stream.length)
    for epoch in 0..<3 {
      let part = whole.ids[epoch * stream.length..<(epoch + 1) * stream.length]
      #expect(part.sorted() == corpus.ids.sorted())
    }
    #expect(whole.ids[..<stream.length] != whole.ids[stream.length..<2 * stream.length])
    for start in [7, stream.length - 5, 2 * stream.length + 3] {
      let part = TextStream(corpus, seed: 1).sample(at: start, count: 40)
      #expect(part.ids == Array(whole.ids[start..<start + 40]))
      #expect(part.isTarget == Array(whole.isTarget[start..<start + 40]))
    }
  }

  @Test func answersAloneAreTargetsWhereThatIsAskedFor() throws {
    let (all, answers) = (try corpus(.all, longest: 1000), try corpus(.answers, longest: 1000))
    #expect(all.ids == answers.ids && all.count == 80)
    // Everything counts but the token that begins a text.
    #expect(all.isTarget.count { !$0 } == 80)
    let question = answers.sample(1)
    #expect(question.isTarget.last == true && question.counted < question.ids.count / 2)
    #expect(answers.sample(0).counted == answers.sample(0).ids.count - 1)
  }
}
