// SPDX-License-Identifier: Apache-2.0
// `sea bench` and `sea preset` as people and scripts call them.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct BenchCommandTests {
  private static let demo = "\(Fixtures.repository)/Models/demo.sea"
  private static let quick = ["--repeat", "2", "--decode", "4", "--prompt-tokens", "8"]

  private static func bench(_ arguments: String...) throws -> Outcome {
    try Command(arguments: ["bench", demo] + quick + arguments).run()
  }

  /// A preset that takes no time to make.
  private static let tiny = """
    {
      "schema": "sea.preset/1", "name": "tiny", "hub": ["nobody/tiny"], "summary": "a tiny model",
      "licence": "none",
      "llm": {
        "family": "llama", "blocks": 2, "hidden": 64, "heads": 4, "kv_heads": 2, "head_dim": 16,
        "ffn": 160, "vocab": 300, "activation": "silu", "epsilon": 1e-5, "rope_theta": 10000,
        "sliding_window": 0, "tied_head": false, "embedding_scale": 1, "max_positions": 512
      },
      "template": "vicuna_v1"
    }
    """

  // MARK: - Results

  @Test func theJSONHoldsEveryStageWithItsValues() throws {
    let outcome = try Self.bench("--json", "--limits", "--depth", "0,3")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.errors.isEmpty, "\(outcome)")
    let json = try JSONScanner.parse(Array(outcome.output.dropLast()))
    #expect(json["schema"]?.string == "sea.bench/1")
    #expect(json["model"]?["bytes"]?.int ?? 0 > 0)
    #expect(json["machine"]?["threads"]?.int ?? 0 > 0)
    #expect(json["memory"]?["peak_resident_bytes"]?.int ?? 0 > 0)
    let measures = try #require(json["measures"]?.array)
    #expect(
      measures.compactMap { $0["stage"]?.string } == [
        "load", "image", "encode", "adapter", "prefill", "decode", "decode", "first-token",
      ]
    )
    for measure in measures {
      let seconds = try #require(measure["seconds"])
      #expect(seconds["values"]?.array?.count == 2)
      let (low, middle, high) = (seconds["min"], seconds["median"], seconds["max"])
      #expect(low?.double ?? 0 > 0)
      #expect(low?.double ?? 1 <= middle?.double ?? 0 && middle?.double ?? 1 <= high?.double ?? 0)
    }
    #expect(measures[5]["depth"]?.int == 0 && measures[6]["depth"]?.int == 3)
    #expect(json["limits"]?.array?.isEmpty == false)
  }

  @Test func onlyTheChosenStagesAreMeasured() throws {
    let csv = try Self.bench("--only", "prefill,decode", "--csv")
    #expect(csv.status == 0, "\(csv)")
    let lines = csv.text.split(separator: "\n")
    #expect(lines.count == 1 + 2 * 2, "\(csv)")
    #expect(lines[0].hasPrefix("stage,tokens,depth,round,seconds"))
    #expect(lines.dropFirst().allSatisfy { $0.count { $0 == "," } == 8 })
    let table = try Self.bench("--only", "adapter", "--markdown").text
    #expect(table.contains("| adapter |") && !table.contains("| decode"), "\(table)")
    let text = try Self.bench("--only", "encode", "--profile").text
    #expect(text.contains("encode: ") && text.contains("linear"), "\(text)")
  }

  @Test func anOlderRunIsCompared() throws {
    let folder = try Folder()
    let first = try Self.bench("--only", "decode,adapter", "--json")
    let old = try folder.write("old.json", first.output)
    let same = try Self.bench("--only", "decode", "--compare", old, "--json")
    let json = try JSONScanner.parse(Array(same.output.dropLast()))
    let entry = try #require(json["comparison"]?.array?.first)
    #expect(entry["name"]?.string == "decode 4 at 0")
    #expect(entry["speedup"]?.double ?? 0 > 0)
    // A run of another machine's speed: every value a thousand times longer.
    let slow = try folder.write(
      "slow.json",
      #"{"schema":"sea.bench/1","measures":[{"stage":"decode","tokens":4,"depth":0,"#
        + #""seconds":{"values":[100,101]}}]}"#
    )
    let text = try Self.bench("--only", "decode,adapter", "--compare", slow).text
    #expect(text.contains("faster") && text.contains("new"), "\(text)")
  }

  // MARK: - Presets

  @Test func aPresetIsMadeOnceAndKept() throws {
    let folder = try Folder()
    let presets = folder / "presets"
    try FileManager.default.createDirectory(atPath: presets, withIntermediateDirectories: true)
    try folder.write("presets/tiny.json", Self.tiny)
    let environment = ["XDG_CACHE_HOME": folder / "cache", "SEA_PRESETS": presets]
    func bench(_ arguments: String...) throws -> Outcome {
      try Command(
        arguments: ["bench", "--repeat", "1", "--decode", "2", "--only", "decode", "--csv"]
          + arguments,
        environment: environment
      ).run()
    }
    let first = try bench("--preset", "tiny")
    #expect(first.status == 0, "\(first)")
    #expect(first.text.split(separator: "\n").count == 2, "\(first)")
    #expect(first.errors.contains("a tiny model"), "\(first)")
    let path = folder / "cache/sea/presets/tiny-int8.sea"
    let bytes = try contents(path)
    let second = try bench("--preset", "tiny")
    #expect(second.status == 0 && second.errors.isEmpty, "\(second)")
    #expect(try bench("--preset", "tiny", "--weights", "bf16").status == 0)
    // A file that this version cannot read is made again.
    try Data(bytes.prefix(1000)).write(to: URL(fileURLWithPath: path))
    let third = try bench("--preset", "tiny")
    #expect(third.status == 0 && third.errors.contains("of no use"), "\(third)")
    #expect(try contents(path) == bytes)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder / "cache/sea/presets").sorted()
        == ["tiny-bf16.sea", "tiny-int8.sea"]
    )
    try seaSucceeds("inspect", path, "--verify")
    expectRefusal(try bench("--preset", "absent"), 64, "no preset 'absent'")
    expectRefusal(try bench("--preset", "../tiny"), 64, "no preset")
  }

  @Test func thePackagesOwnPresetsAreListed() throws {
    let text = try seaSucceeds("preset").text
    for name in ["gemma-2b", "gemma-2b-siglip", "clip-l-336-s2", "llama-3-8b", "vicuna-7b-clip"] {
      #expect(text.contains("\n\(name) ") || text.hasPrefix("\(name) "), "\(text)")
    }
    expectRefusal(
      try Command(
        arguments: ["preset", "vicuna-7b", "--weights", "f32", "--cache"],
        environment: ["XDG_CACHE_HOME": try Folder().path]
      ).run(),
      71,
      "27.0 GB",
      "12.0 GB"
    )
    expectRefusal(
      try sea("preset", "absent", "-o", "/nowhere/x"),
      64,
      "no preset 'absent'"
    )
    expectRefusal(try sea("preset", "clip-l-336", "-o", "/nowhere/x.sea"), 66, "/nowhere")
  }

  // MARK: - Refusals

  @Test func commandLinesThatMakeNoSenseAreRefused() throws {
    expectRefusal(try sea("bench"), 64, "model file or --preset")
    expectRefusal(try sea("bench", Self.demo, "--preset", "gemma-2b"), 64, "--preset")
    expectRefusal(try sea("bench", Self.demo, "--weights", "int8"), 64, "--weights")
    expectRefusal(try sea("bench", Self.demo, "--only", "encode,lunch"), 64, "first-token")
    expectRefusal(try sea("bench", Self.demo, "--only", ""), 64, "first-token")
    expectRefusal(try sea("bench", Self.demo, "--repeat", "0"), 64, "'0'")
    expectRefusal(try sea("bench", Self.demo, "--depth", "-1"), 64, "'-1'")
    expectRefusal(try sea("bench", Self.demo, "--depth", "5,5"), 64, "'5,5'")
    expectRefusal(try sea("bench", Self.demo, "--json", "--csv"), 64, "one of")
    expectRefusal(try sea("bench", Self.demo, "--depth", "100000"), 64, "positions")
    expectRefusal(try sea("bench", "/nowhere.sea"), 66, "/nowhere.sea")
    expectRefusal(try sea("bench", Self.demo, "--compare", "/nowhere.json"), 66, "/nowhere.json")
    let folder = try Folder()
    for text in ["{", "{}", #"{"schema":"sea.bench/9","measures":[]}"#] {
      let old = try folder.write("old.json", text)
      let outcome = try Self.bench("--only", "adapter", "--compare", old)
      expectRefusal(outcome, 65, "old.json")
    }
    expectRefusal(try sea("preset", "-o", "x"), 64, "missing the name")
    expectRefusal(try sea("preset", "gemma-2b"), 64, "-o FILE")
    expectRefusal(try sea("preset", "gemma-2b", "--cache", "--seed", "4"), 64, "--cache")
  }
}
