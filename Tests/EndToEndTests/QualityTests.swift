// SPDX-License-Identifier: Apache-2.0
// `sea quantize` on pictures: the report in three forms, and the gate's exit code.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct QualityTests {
  private let folder: Folder
  private let images: String
  private let prompts: String

  init() throws {
    folder = try Folder()
    images = try folder.copy(
      ["gray_150x100.jpg", "lossy_61x47.webp"].map { Fixtures.path("SEAImageTests", $0) },
      into: "images"
    )
    prompts = try folder.write("prompts.txt", "What is this?\n\n  Is it a boat?\r\nWhere?\n")
  }

  private func quantize(_ output: String, _ more: String...) throws -> Outcome {
    try Command(
      arguments: [
        "quantize", Models.gemma, "-o", folder / output, "--no-verify", "--images", images,
        "--prompts", prompts,
      ] + more
    ).run()
  }

  @Test func sameWeightsCostNothing() throws {
    let outcome = try quantize("same.sea", "--weights", "f32", "--gate", "0", "--json")
    #expect(outcome.status == 0, "\(outcome)")
    let quality = try #require(try JSONScanner.parse(outcome.output)["quality"])
    // Two pictures and three prompts: the first picture is asked twice.
    #expect(quality["pairs"]?.int == 3)
    for part in ["encoder", "adapter", "llm", "all"] {
      #expect(quality[part]?["logits"]?["kl_mean"]?.double == 0)
      #expect(quality[part]?["same_word"]?.double == 1)
    }
    #expect(quality["all"]?["visual_tokens"]?["mean_cosine"]?.double == 1)
  }

  @Test func gateFailsWithItsOwnCodeAndTheReportIsWritten() throws {
    let failed = try quantize(
      "a.sea",
      "--gate",
      "0",
      "--limit",
      "1",
      "--report",
      folder / "report.md"
    )
    #expect(failed.status == 2, "\(failed)")
    #expect(failed.errors.contains("is above the gate 0"), "\(failed)")
    #expect(failed.text.contains("all (the file)"), "\(failed)")
    let report = String(decoding: try contents(folder / "report.md"), as: UTF8.self)
    #expect(report.hasPrefix("# ") && report.contains("| encoder |"))
    #expect(report.contains("## Tensors, worst first"))
    let passed = try quantize(
      "b.sea",
      "--gate",
      "100",
      "--limit",
      "1",
      "--report",
      folder / "report.json"
    )
    #expect(passed.status == 0, "\(passed)")
    let json = try JSONScanner.parse(contents(folder / "report.json"))
    #expect(json["quality"]?["pairs"]?.int == 1)
    #expect(json["quality"]?["words"]?.int ?? 0 > 10)
    #expect(try contents(folder / "a.sea") == contents(folder / "b.sea"))
  }

  @Test func wrongInputsAreRefused() throws {
    let source = Models.gemma
    func run(_ more: String...) throws -> Outcome {
      try Command(
        arguments: ["quantize", source, "-o", folder / "x.sea", "--no-verify"] + more
      ).run()
    }
    expectRefusal(try run("--gate", "1"), 64, "--images and --prompts")
    expectRefusal(try run("--images", images), 64, "need each other")
    expectRefusal(try run("--images", images, "--prompts", prompts, "--gate", "-1"), 64)
    expectRefusal(try run("--images", folder / "no", "--prompts", prompts), 66, "no such folder")
    let empty = try folder.write("empty.txt", "\n\n")
    expectRefusal(try run("--images", images, "--prompts", empty), 65, "holds no prompts")
    let none = try folder.copy([], into: "none")
    expectRefusal(try run("--images", none, "--prompts", prompts), 66, "holds no PNG")
    #expect(try !folder.names.contains("x.sea"))
  }
}
