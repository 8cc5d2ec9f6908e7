// SPDX-License-Identifier: Apache-2.0
// Presets: published shapes as data, and model files of random weights made from them.

import Foundation
import SEAFormat
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct PresetTests {
  private static let folder = "\(Fixtures.repository)/Models/presets"

  /// A model small enough to run, with everything that the layout pads: 40 rows, 200 inputs.
  private static let tiny = """
    {
      "schema": "sea.preset/1", "name": "tiny", "hub": ["nobody/tiny"], "summary": "tiny",
      "licence": "none",
      "vision": {
        "family": "clip", "image_side": 56, "patch_side": 14, "hidden": 64, "blocks": 2,
        "heads": 4, "ffn": 200, "activation": "quick_gelu", "epsilon": 1e-5,
        "class_token": true, "patch_bias": false, "pre_norm": true, "final_norm": true,
        "selection": {"layer": 1, "applies_final_norm": false, "drops_first": true}
      },
      "adapter": {"widths": [64, 72, 72], "activation": "gelu_erf"},
      "llm": {
        "family": "llama", "blocks": 2, "hidden": 72, "heads": 4, "kv_heads": 2, "head_dim": 10,
        "ffn": 200, "vocab": 300, "activation": "silu", "epsilon": 1e-5, "rope_theta": 10000,
        "sliding_window": 0, "tied_head": false, "embedding_scale": 1, "max_positions": 512
      },
      "recipe": {"name": "clip_pad", "side": 56}, "template": "vicuna_v1",
      "generation": {"stop_ids": [2], "context": 128}
    }
    """

  private static func write(_ text: String, as name: String, to bench: Workbench) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: bench.path("\(name).json")))
  }

  private static func tiny(in bench: Workbench) throws -> Preset {
    try write(tiny, as: "tiny", to: bench)
    return try Preset(named: "tiny", in: bench.folder)
  }

  // MARK: - Files

  /// Parameters as the published models count them; reference.md A.1 and A.2.
  @Test(arguments: [
    ("gemma-2b", "llm.", 2_506_172_416), ("phi-3-mini", "llm.", 3_821_079_552),
    ("vicuna-7b", "llm.", 6_738_415_616), ("llama-3-8b", "llm.", 8_030_261_248),
    ("clip-l-336", "vision.", 303_507_456),
    // Without the pooling head, which answers do not need.
    ("siglip-so400m-384", "vision.", 428_225_600 - 15_238_352),
    ("gemma-2b-siglip", "llm.", 2_506_172_416),
    ("vicuna-7b-clip", "adapter.", 1024 * 4096 + 4096 + 4096 * 4096 + 4096),
  ])
  func shapesAreThoseOfThePublishedModels(name: String, part: String, parameters: Int) throws {
    let preset = try Preset(named: name, in: Self.folder)
    let plan = try TensorPlan(preset.model, policy: PrecisionPolicy(all: .float32))
    let own = plan.all.filter { $0.name.hasPrefix(part) }
    #expect(own.reduce(0) { $0 + $1.rows * $1.columns } == parameters)
  }

  @Test func everyFileIsAPresetOfItsName() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
    #expect(names.count >= 9)
    for file in names {
      let name = String(file.dropLast(5))
      let preset = try Preset(named: name, in: Self.folder)
      let json = try JSONScanner.parse(
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/\(file)")))
      )
      #expect(json["name"]?.string == name)
      #expect(!preset.hub.isEmpty && !preset.summary.isEmpty && !preset.licence.isEmpty)
      #expect(preset.model.language == nil || preset.model.template != nil)
      #expect(preset.model.encoder == nil || preset.model.recipe != nil)
    }
  }

  @Test func filesThatAreWrongAreRefusedByFieldName() throws {
    let bench = try Workbench()
    func expect(_ text: String, _ field: String) throws {
      try Self.write(text, as: "bad", to: bench)
      let error = #expect(throws: PresetError.self) { try Preset(named: "bad", in: bench.folder) }
      #expect("\(try #require(error))".contains(field), "\(String(describing: error))")
    }
    try expect("{", "bad.json")
    try expect("{}", "'schema'")
    try expect(Self.tiny.replacing("sea.preset/1", with: "sea.preset/9"), "'schema'")
    try expect(Self.tiny.replacing(#"["nobody/tiny"]"#, with: "[]"), "'hub'")
    try expect(Self.tiny.replacing("[64, 72, 72]", with: "[64, 72, 80]"), "'adapter.widths'")
    try expect(Self.tiny.replacing("clip_pad", with: "nope"), "'recipe.name'")
    try expect(Self.tiny.replacing("vicuna_v1", with: "nope"), "'template'")
    try expect(Self.tiny.replacing(#""vocab": 300"#, with: #""vocab": -1"#), "llm.vocab")
    for name in ["absent", "", "../tiny", ".hidden"] {
      let error = #expect(throws: PresetError.self) { try Preset(named: name, in: bench.folder) }
      guard case .unknown = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
    }
  }

  @Test func partsDoNotHaveParts() throws {
    let bench = try Workbench()
    _ = try Self.tiny(in: bench)
    let whole = Self.tiny.replacing(#""name": "tiny","#, with: #""name": "a", "parts": ["tiny"],"#)
    try Self.write(whole, as: "a", to: bench)
    _ = try Preset(named: "a", in: bench.folder)
    try Self.write(whole.replacing("[\"tiny\"]", with: "[\"a\"]"), as: "b", to: bench)
    let error = #expect(throws: PresetError.self) { try Preset(named: "b", in: bench.folder) }
    #expect("\(try #require(error))".contains("'parts'"))
  }

  // MARK: - Models

  private static let policies = [
    PrecisionPolicy(all: .float32), PrecisionPolicy(all: .bfloat16), .int8(group: 128),
    .int8(group: 32),
  ]

  private static func make(
    _ bench: Workbench,
    _ name: String,
    _ policy: PrecisionPolicy,
    seed: UInt64 = 0,
    threads: Int = 2
  ) throws {
    let pool = WorkerPool(threads: threads)
    try PresetWriter(try tiny(in: bench), policy: policy, seed: seed, pool: pool)
      .write(to: bench.path(name))
  }

  @Test(arguments: policies) func theFileIsAModelThatRuns(policy: PrecisionPolicy) throws {
    let bench = try Workbench()
    try Self.make(bench, "a.sea", policy)
    let model = try Model(path: bench.path("a.sea"))
    try model.file.verify()
    #expect(model.file.manifest.provenance["training"]?.string?.hasPrefix("none") == true)
    let execution = Execution(kernels: bench.kernels, threads: 2)
    let generator = try Generator(model, on: execution)
    let picture = try generator.encode([Float](repeating: 0.5, count: 3 * 56 * 56))
    try generator.read([1, -200, 7, 8], images: [picture])
    let answer = try generator.generate(GenerationOptions(maxTokens: 4))
    #expect(answer.ids.count == 4)
    // Scores are of the size that trained models give: not vanishing, not overflowing.
    let scores = generator.context.logits.array()
    let spread = (scores.reduce(0) { $0 + $1 * $1 } / Float(scores.count)).squareRoot()
    #expect((0.05...50).contains(spread), "\(spread)")
  }

  @Test func bytesDependOnTheSeedAloneAndNotOnThreads() throws {
    let bench = try Workbench()
    for (index, policy) in Self.policies.enumerated() {
      try Self.make(bench, "a\(index)", policy, threads: 1)
      try Self.make(bench, "b\(index)", policy, threads: 3)
      try Self.make(bench, "c\(index)", policy, seed: 1)
      #expect(try bench.bytes("a\(index)") == bench.bytes("b\(index)"))
      #expect(try bench.bytes("a\(index)") != bench.bytes("c\(index)"))
    }
  }

  @Test func noTwoBlocksAreAlike() throws {
    let bench = try Workbench()
    for policy in Self.policies {
      try Self.make(bench, "a.sea", policy)
      let model = try Model(path: bench.path("a.sea"))
      var seen = Set<[UInt8]>()
      for spec in model.plan.matrices {
        let bytes = try model.file.tensor(spec.name).bytes.array()
        for start in stride(from: 0, to: bytes.count - 63, by: 64) {
          let line = Array(bytes[start..<start + 64])
          // Padding is alike: lines of codes of zero, or of scales of rows that are not there.
          guard line.filter({ $0 != 0x80 && $0 != 0 }).count > 16 else { continue }
          #expect(seen.insert(line).inserted, "\(spec.name) at \(start)")
        }
      }
    }
  }

  @Test func paddingOfPanelsIsZero() throws {
    let bench = try Workbench()
    try Self.make(bench, "a.sea", .int8(group: 128))
    let model = try Model(path: bench.path("a.sea"))
    // 72 rows of 200 inputs: 24 rows and 56 inputs of padding in the last panel's last block.
    let bytes = try model.file.tensor("llm.blk.0.mlp.down.weight").bytes.array()
    let block = 32 * 128 + 32 * 4
    #expect(bytes.count == 3 * 2 * block)
    for panel in 0..<3 {
      for group in 0..<2 {
        let start = (panel * 2 + group) * block
        for row in 0..<32 {
          let isRow = panel * 32 + row < 72
          for input in 0..<128 {
            let code = bytes[start + input / 4 * 128 + row * 4 + input % 4]
            let isInput = group * 128 + input < 200
            #expect(isRow && isInput ? code != 0 : code == 128)
          }
          let scale = bytes[(start + 32 * 128 + row * 4)..<(start + 32 * 128 + row * 4 + 4)]
          #expect(isRow == scale.contains { $0 != 0 })
        }
      }
    }
  }

  // MARK: - Refusals

  @Test func aModelThatTheDiskCannotHoldIsRefusedBeforeAnythingIsWritten() throws {
    let bench = try Workbench()
    let huge = Self.tiny.replacing(
      #""blocks": 2, "hidden": 72"#,
      with: #""blocks": 900, "hidden": 65536"#
    )
    .replacing(#""ffn": 200, "vocab""#, with: #""ffn": 262144, "vocab""#)
    .replacing("[64, 72, 72]", with: "[64, 72, 65536]")
    try Self.write(huge, as: "huge", to: bench)
    let writer = PresetWriter(
      try Preset(named: "huge", in: bench.folder),
      policy: PrecisionPolicy(all: .float32),
      seed: 0,
      pool: WorkerPool(threads: 1)
    )
    #expect(try writer.byteCount() > 100_000_000_000_000)
    let error = #expect(throws: FormatError.self) { try writer.write(to: bench.path("huge.sea")) }
    #expect("\(try #require(error))".contains("No space left"), "\(String(describing: error))")
    #expect(try bench.files == ["huge.json"])
  }

  @Test func aCancelledFileLeavesNothing() throws {
    let bench = try Workbench()
    let writer = PresetWriter(
      try Self.tiny(in: bench),
      policy: .int8(group: 128),
      seed: 0,
      pool: WorkerPool(threads: 2)
    )
    #expect(throws: QuantizerError.cancelled) {
      try writer.write(to: bench.path("a.sea"), isCancelled: { true })
    }
    #expect(try bench.files == ["tiny.json"])
  }
}
