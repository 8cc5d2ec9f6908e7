// SPDX-License-Identifier: Apache-2.0
// Writing model files: the same bytes, both executables, verdicts.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct ConversionTests {
  @Test(arguments: ["f32", "bf16", "int8", "int4"])
  func theSameInputsGiveTheSameBytes(weights: String) throws {
    let folder = try Folder()
    let machines = [
      ("scalar", "1"), ("scalar", "2"), ("avx2", "2"), ("avx512vnni", "2"), ("neondot", "2"),
      ("neoni8mm", "2"),
    ]
    var files: [[UInt8]] = []
    for (isa, threads) in machines {
      let outcome = try sea(
        "convert",
        Checkpoints.gemma,
        "-o",
        folder / "m.sea",
        "--weights",
        weights,
        "--no-verify",
        "--isa",
        isa,
        "--threads",
        threads
      )
      if outcome.status == 69 { continue }
      #expect(outcome.status == 0, "\(outcome)")
      files.append(try contents(folder / "m.sea"))
    }
    #expect(files.count > 1)
    #expect(files.allSatisfy { $0 == files[0] })
    #expect(try folder.names == ["m.sea"])
  }

  @Test func quantizingAnExactFileGivesTheBytesOfConverting() throws {
    let folder = try Folder()
    try seaSucceeds("quantize", Models.gemma, "-o", folder / "m.sea", "--quiet")
    let (found, wanted) = (
      try TensorFile(path: folder / "m.sea"), try TensorFile(path: Models.int8)
    )
    #expect(found.tensors.map(\.name) == wanted.tensors.map(\.name))
    #expect(found.tensors.map(\.bytes) == wanted.tensors.map(\.bytes))
    #expect(found[json: "description"] == wanted[json: "description"])
  }

  @Test func quantizingTellsTheErrorOfEachTensor() throws {
    let folder = try Folder()
    let outcome = try seaSucceeds("quantize", Models.llama, "-o", folder / "m.sea")
    #expect(outcome.text.contains("llm.blk.0.attn.q.weight"))
    #expect(outcome.text.contains("parity: logits KL"))
    let again = try sea("quantize", folder / "m.sea", "-o", folder / "n.sea")
    expectRefusal(again, 65, "m.sea", "llm.", "int8", "expected f32 or bf16")
    #expect(try folder.names == ["m.sea"])
  }

  @Test func int4IsMixedAndRuns() throws {
    let folder = try Folder()
    let outcome = try seaSucceeds(
      "quantize",
      Models.gemma,
      "-o",
      folder / "m.sea",
      "--weights",
      "int4"
    )
    #expect(outcome.text.contains("llm.blk.0.attn.q.weight"))
    #expect(outcome.text.contains("parity: visual tokens"))
    let file = try TensorFile(path: folder / "m.sea")
    let stored = file[json: "quantization"]
    for (role, name) in [
      ("llm", "int4/32"), ("head", "int4/32"), ("embedding", "int4/32"), ("vision", "int8/128"),
      ("adapter", "bf16"), ("patch", "bf16"),
    ] {
      #expect(stored[role]?.string == name, "\(role)")
    }
    let converted = try sea(
      "convert",
      Checkpoints.gemma,
      "--visual-scale",
      "sqrt",
      "-o",
      folder / "c.sea",
      "--weights",
      "int4",
      "--no-verify"
    )
    #expect(converted.status == 0, "\(converted)")
    #expect(
      try TensorFile(path: folder / "c.sea").tensors.map(\.bytes) == file.tensors.map(\.bytes)
    )
    let seen = try seaSucceeds("inspect", folder / "m.sea")
    #expect(seen.text.contains("int4/32") && seen.text.contains("int8/128"))
    let answers = try ["1", "2"].map { threads in
      try seaSucceeds(
        "run",
        folder / "m.sea",
        "What is this?",
        "--max-tokens",
        "6",
        "--threads",
        threads
      ).text
    }
    #expect(answers[0] == answers[1])
    let again = try sea("quantize", folder / "m.sea", "-o", folder / "n.sea")
    expectRefusal(again, 65, "m.sea", "expected f32 or bf16")
    let grouped = try sea(
      "quantize",
      Models.gemma,
      "-o",
      folder / "n.sea",
      "--weights",
      "int4",
      "--group",
      "64"
    )
    #expect(grouped.status == 64, "\(grouped)")
  }

  @Test func theReportIsTheWholeAccount() throws {
    let folder = try Folder()
    let outcome = try seaSucceeds(
      "convert",
      Checkpoints.gemma,
      "-o",
      folder / "m.sea",
      "--report",
      folder / "report.json",
      "--json"
    )
    let printed = try JSONScanner.parse(outcome.output)
    let saved = try JSONScanner.parse(try contents(folder / "report.json"))
    #expect(printed == saved)
    #expect(saved["schema"]?.string == "sea.convert/1")
    for key in ["inventory", "output", "quantization", "parity"] { #expect(saved[key] != nil) }
  }

  @Test func theInventoryNamesFilesTakenAndLeft() throws {
    let folder = try Folder()
    let outcome = try seaSucceeds(
      "convert",
      Checkpoints.gemma,
      "-o",
      folder / "m.sea",
      "--no-verify"
    )
    for name in ["config.json", "model.safetensors", "tokenizer.json", "special_tokens_map.json"] {
      #expect(outcome.errors.contains("reads \(Checkpoints.gemma)/\(name)\n"))
    }
    #expect(outcome.errors.contains("taken: 102 tensors"))
    #expect(outcome.errors.contains("ignored: 11 "))
    #expect(outcome.errors.contains("visual scale: 1 ("))
    let inputs = try TensorFile(path: folder / "m.sea")[json: "provenance"]["inputs"]?.array
    let names = inputs?.compactMap { $0["file"]?.string } ?? []
    #expect(names.contains("sea-gemma-tiny/tokenizer.json"))
  }

  // MARK: - Two executables, one grammar

  @Test func seaFindsItsToolsThroughASymbolicLink() throws {
    let folder = try Folder()
    try FileManager.default.createSymbolicLink(
      atPath: folder / "sea",
      withDestinationPath: "\(Fixtures.products)/sea"
    )
    let source = try Checkpoints.llama(in: folder)
    let outcome = try Command(
      program: folder / "sea",
      arguments: ["convert", source, "-o", folder / "m.sea", "--quiet"]
    ).run()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(FileManager.default.fileExists(atPath: folder / "m.sea"))
  }

  @Test func seaAloneSaysWhatIsMissing() throws {
    let folder = try Folder()
    try FileManager.default.copyItem(atPath: "\(Fixtures.products)/sea", toPath: folder / "sea")
    for arguments in [["convert", "x", "-o", "y"], ["quantize"], ["help", "convert"]] {
      let outcome = try Command(program: folder / "sea", arguments: arguments).run()
      expectRefusal(outcome, 69, "sea-tools is not installed beside sea")
    }
    let outcome = try Command(program: folder / "sea", arguments: ["inspect", Models.llama]).run()
    #expect(outcome.status == 0, "\(outcome)")
  }

  @Test func bothExecutablesSayTheSame() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    let arguments = ["convert", source, "-o", folder / "m.sea"]
    let outcomes = try ["sea", "sea-tools"].map { program in
      try Command(program: program, arguments: arguments).run()
    }
    #expect(outcomes[0].status == 0)
    #expect(outcomes[0].output == outcomes[1].output)
    #expect(outcomes[0].errors == outcomes[1].errors)
  }

  // MARK: - The gate

  @Test func aVerdictThatFailsEndsWithTwo() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    var file = try TensorFile(path: "\(source)/model.safetensors")
    // One column that dwarfs the others by more than eight bits can tell apart, alike in all rows:
    // it cancels in the probabilities, and what is left of the rest decides.
    let head = try #require(file["lm_head.weight"])
    let width = head.shape[1]
    let values = head.values.enumerated().map { $0.offset % width == 0 ? 1000 : $0.element }
    file["lm_head.weight"] = .float32(head.name, head.shape, values)
    try folder.write("llama/model.safetensors", file.bytes)
    let outcome = try sea("convert", source, "-o", folder / "m.sea", "--quiet")
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.messages.count == 1)
    #expect(outcome.errors.contains("m.sea: does not follow its source: "))
    #expect(outcome.text.contains("parity: "))
    try seaSucceeds("convert", source, "-o", folder / "m.sea", "--weights", "f32", "--quiet")
    try seaSucceeds("convert", source, "-o", folder / "m.sea", "--no-verify", "--quiet")
  }
}
