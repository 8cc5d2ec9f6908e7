// SPDX-License-Identifier: Apache-2.0
// Scenes are drawn, a model is asked about them and its answers are scored, all by the built commands.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct EvaluationTests {
  private let folder: Folder
  private let model = Fixtures.repository + "/Models/demo.sea"

  init() throws { folder = try Folder() }

  private func draw(_ name: String, _ options: String...) throws -> Outcome {
    try Command(
      arguments: ["world", "--count", "5", "--seed", "3", "-o", folder / name] + options
    ).run()
  }

  private func ask(_ options: String...) throws -> Outcome {
    try Command(
      arguments: [
        "eval", "world", "--model", model, "--data", folder / "w", "--images", folder / "w/images",
        "--max-tokens", "3", "--limit", "6",
      ] + options
    ).run()
  }

  @Test func sameAnswersAndScoresInOneRunAndInTwo() throws {
    let drawn = try draw("w", "--split", "heldout", "--json")
    #expect(drawn.status == 0, "\(drawn)")
    let summary = try JSONScanner.parse(drawn.output)
    #expect(summary["schema"]?.string == "sea.world/1")
    #expect(summary["counts"]?["images"]?.int == 5)

    let asked = try ask("-o", folder / "a.jsonl", "--json", "--chart", folder / "a.svg")
    #expect(asked.status == 0, "\(asked)")
    let report = try JSONScanner.parse(asked.output)
    #expect(report["schema"]?.string == "sea.eval/1")
    #expect(report["metrics"]?.array?.first?["count"]?.int == 6)
    let chart = String(
      decoding: try Data(contentsOf: URL(fileURLWithPath: folder / "a.svg")),
      as: UTF8.self
    )
    #expect(chart.hasPrefix("<svg"))

    // As if the first run had been killed in its fourth answer.
    let answers = try Data(contentsOf: URL(fileURLWithPath: folder / "a.jsonl"))
    let lines = answers.split(separator: UInt8(ascii: "\n"))
    let cut = Data(lines[..<3].joined(separator: [UInt8(ascii: "\n")])) + Data("\n{\"que".utf8)
    try folder.write("b.jsonl.partial", Array(cut))
    expectRefusal(try ask("-o", folder / "b.jsonl"), 64, "--resume")
    let resumed = try ask("-o", folder / "b.jsonl", "--resume", "--json")
    #expect(resumed.status == 0, "\(resumed)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder / "b.jsonl")) == answers)

    let scored = try sea(
      "eval",
      "score",
      "world",
      "--answers",
      folder / "a.jsonl",
      "--data",
      folder / "w",
      "--limit",
      "6",
      "--compare",
      folder / "b.jsonl",
      "--chart",
      folder / "pair.png",
      "--json"
    )
    #expect(try contents(folder / "pair.png").starts(with: [0x89, 0x50, 0x4e, 0x47]))
    let comparison = try JSONScanner.parse(scored.output)["compare"]
    #expect(comparison?["pairs"]?.int == 6 && comparison?["p"]?.double == 1)
    #expect(try JSONScanner.parse(scored.output)["metrics"] == report["metrics"])
  }

  @Test func refusesWhatCannotBe() throws {
    #expect(try draw("w").status == 0)
    expectRefusal(try draw("w"), 64, "not empty", "--resume")
    expectRefusal(try draw("w", "--size", "113", "--resume"), 64, "112, 140, 168")
    expectRefusal(try draw("w", "--seed", "4", "--resume"), 64, "other settings")
    expectRefusal(try sea("world", "--count", "0", "-o", folder / "x"), 64, "whole number")
    #expect(!FileManager.default.fileExists(atPath: folder / "x"))

    // A training world has no test questions.
    expectRefusal(try ask("-o", folder / "a.jsonl"), 66, "questions.jsonl")
    expectRefusal(try sea("eval", "nonsense", "--data", folder / "w"), 64, "pope")
    expectRefusal(try sea("eval", "pope", "--data", folder / "w"), 64, "--model")
    expectRefusal(try sea("eval", "score", "pope", "--data", folder / "w"), 64, "--answers")
    try folder.write("q.jsonl", "{\"question_id\": 1, \"image\": 7}\n")
    expectRefusal(
      try sea(
        "eval",
        "score",
        "world",
        "--answers",
        folder / "q.jsonl",
        "--data",
        folder / "q.jsonl"
      ),
      65,
      "record 1",
      "'image'"
    )
    // A run that fails before its first answer leaves nothing.
    let question =
      #"{"question_id": 1, "image": "no.png", "text": "?", "answer": "a", "kind": "k"}"#
    let file = try folder.write("q.jsonl", question + "\n")
    let arguments = ["eval", "world", "--model", model, "--data", file, "-o", folder / "a.jsonl"]
    expectRefusal(try Command(arguments: arguments).run(), 64, "pictures")
    expectRefusal(
      try Command(arguments: arguments + ["--images", folder / "w"]).run(),
      66,
      "no.png"
    )
    #expect(try folder.names.filter { $0.hasPrefix("a.") }.isEmpty)
  }
}
