// SPDX-License-Identifier: Apache-2.0
// Low-rank fine-tunings, merged into the weights they were trained on.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAModel
import SEATensor
import Testing

/// Opens a generated fine-tuning; the mappings outlive its files.
private func open(_ tuning: TestFineTuning) throws -> SourceModel {
  try withExtendedLifetime(tuning) { try SourceModel(path: tuning.path) }
}

/// A base checkpoint with a fine-tuning beside it, in one temporary folder.
final class TestFineTuning {
  let base: TestCheckpoint
  var path: String { base.path + "/lora" }

  /// - Parameters:
  ///   - name: the base's fixture.
  ///   - keys: keys of adapter_config.json as JSON, beside the usual ones.
  ///   - tensors: tensors of the weights file.
  ///   - isTorch: write a torch file.
  ///   - edit: changes the base.
  /// - Throws: when a file cannot be written.
  init(
    _ name: String = "llm/llama-tiny",
    keys: [String: String] = [:],
    tensors: [ListedTensor],
    isTorch: Bool = false,
    edit: (String, inout [ListedTensor]) -> Void = { _, _ in }
  ) throws {
    base = try TestCheckpoint(name, edit: edit)
    var all = [
      "peft_type": "\"LORA\"", "r": "4", "lora_alpha": "8", "base_model_name_or_path": "\"..\"",
      "bias": "\"none\"", "target_modules": "[\"q_proj\"]", "layers_to_transform": "[1]",
    ]
    for (key, value) in keys { all[key] = value }
    let text = all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
    try base.folder.write("lora/adapter_config.json", "{\(text.joined(separator: ","))}")
    try base.folder.write(
      "lora/adapter_model.\(isTorch ? "bin" : "safetensors")",
      TestCheckpoint.bytes(tensors, isTorch: isTorch)
    )
  }
}

@Suite struct LowRankTests {
  private let module = "model.layers.1.self_attn.q_proj"
  private let target = "llm.blk.1.attn.q.weight"

  private func factors(_ module: String? = nil, rank: Int = 4) -> TestFactors {
    TestFactors(module: module ?? self.module, rows: 64, columns: 64, rank: rank)
  }

  /// Opens a fine-tuning, and expects the base with one tensor changed.
  private func expect(
    _ tuning: TestFineTuning,
    _ target: String,
    _ change: ([Float]) -> [Float],
    location: SourceLocation = #_sourceLocation
  ) throws {
    var expected = try canonical(SourceModel(path: tuning.base.path))
    expected[target] = change(try #require(expected[target]))
    let source = try SourceModel(path: tuning.path)
    expectSame(try canonical(source), expected, location: location)
    #expect(source.inventory.counts.merged == 2, sourceLocation: location)
    try source.refuseNonFinite()
  }

  // MARK: - Sums

  @Test func mergesInto32BitSums() throws {
    let factors = factors()
    let tuning = try TestFineTuning(tensors: factors.tensors)
    try expect(tuning, target) { factors.merged($0, scale: 2) }
  }

  @Test(arguments: [".default.weight", ".weight", ".style.weight"], ["base_model.model.", ""])
  func acceptsKeyStyles(_ suffix: String, _ prefix: String) throws {
    var factors = factors()
    factors.suffix = suffix
    factors.prefix = prefix
    factors.type = "BF16"
    let tuning = try TestFineTuning(tensors: factors.tensors, isTorch: true)
    try expect(tuning, target) { factors.merged($0, scale: 2) }
  }

  @Test func scalesByTheRootWhereAsked() throws {
    let factors = factors()
    let tuning = try TestFineTuning(keys: ["use_rslora": "true"], tensors: factors.tensors)
    try expect(tuning, target) { factors.merged($0, scale: 4) }
  }

  @Test(arguments: ["q_proj", "layers.1.self_attn.q_proj", "^model.layers.1.self_attn.q_proj$"])
  func readsPatternsOfRankAndScale(_ pattern: String) throws {
    let factors = factors(rank: 3)
    let tuning = try TestFineTuning(
      keys: ["rank_pattern": "{\"\(pattern)\":3}", "alpha_pattern": "{\"\(pattern)\":12}"],
      tensors: factors.tensors
    )
    try expect(tuning, target) { factors.merged($0, scale: 4) }
  }

  @Test func transposesWhereAsked() throws {
    let factors = factors()
    let tuning = try TestFineTuning(keys: ["fan_in_fan_out": "true"], tensors: factors.tensors)
    try expect(tuning, target) { factors.mergedTransposed($0, scale: 2) }
  }

  @Test func mergesIntoEmbeddings() throws {
    // Factors of a table of 768 rows of 64 are those of its transpose.
    let a = ListedTensor(
      name: "base_model.model.model.embed_tokens.lora_embedding_A",
      type: "F32",
      shape: [4, 768]
    )
    let b = ListedTensor(
      name: "base_model.model.model.embed_tokens.lora_embedding_B",
      type: "F32",
      shape: [64, 4]
    )
    let tuning = try TestFineTuning(
      keys: ["target_modules": "[\"embed_tokens\"]"],
      tensors: [a, b]
    )
    try expect(tuning, "llm.embed.weight") { table in
      let (a, b) = (a.values, b.values)
      return table.indices.map { index in
        let sum = (0..<4).reduce(Float(0)) {
          $0 + a[$1 * 768 + index / 64] * b[index % 64 * 4 + $1]
        }
        return table[index] + 2 * sum
      }
    }
  }

  @Test func mergesIntoStackedRows() throws {
    let factors = TestFactors(
      module: "model.layers.1.self_attn.qkv_proj",
      rows: 192,
      columns: 64,
      rank: 4
    )
    let tuning = try TestFineTuning(
      "llm/phi3-tiny",
      keys: ["target_modules": "[\"qkv_proj\"]"],
      tensors: factors.tensors
    )
    let names = ["q", "k", "v"].map { "llm.blk.1.attn.\($0).weight" }
    var expected = try canonical(SourceModel(path: tuning.base.path))
    let merged = factors.merged(names.flatMap { expected[$0] ?? [] }, scale: 2)
    for (index, name) in names.enumerated() {
      expected[name] = Array(merged[index * 4096..<(index + 1) * 4096])
    }
    expectSame(try canonical(SourceModel(path: tuning.path)), expected)
  }

  @Test func givesTheSameBitsForAnyRows() throws {
    let factors = factors()
    let source = try open(try TestFineTuning(tensors: factors.tensors))
    let whole = try MatrixView<Float>(rows: 64, columns: 64)
    try source.read(target, rows: 0..<64, into: whole)
    for rows in [0..<1, 3..<8, 61..<64, 5..<64] {
      let some = try MatrixView<Float>(rows: rows.count, columns: 64)
      try source.read(target, rows: rows, into: some)
      #expect(some.array() == whole.rows(rows).array())
    }
  }

  // MARK: - Places

  @Test func mergesTheSameFromEitherSide() throws {
    let tuning = try TestFineTuning(tensors: factors().tensors)
    let source = try SourceModel(path: tuning.path)
    #expect(source.layout == .languageModel && source.tokenizerFolder == tuning.base.path)
    #expect(source.openedPaths.contains(tuning.path + "/adapter_config.json"))
    var options = SourceOptions()
    options.lowRankFolder = tuning.path
    let other = try SourceModel(path: tuning.base.path, options: options)
    expectSame(try canonical(source), try canonical(other))
    options = SourceOptions()
    options.languageFolder = tuning.base.path
    expectSame(
      try canonical(source),
      try canonical(SourceModel(path: tuning.path, options: options))
    )
  }

  @Test func asksForTheBase() throws {
    let tuning = try TestFineTuning(
      keys: ["base_model_name_or_path": "\"lmsys/vicuna-7b-v1.5\""],
      tensors: factors().tensors
    )
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: tuning.path) }
    #expect(error?.category == .missingInput)
    let text = error?.description ?? ""
    #expect(text.contains("lmsys/vicuna-7b-v1.5") && text.contains("--llm DIR -o OUT.sea"))
  }

  @Test func takesWhatWasTrainedWhole() throws {
    let norm = ListedTensor(
      name: "base_model.model.model.norm.modules_to_save.default.weight",
      type: "F32",
      shape: [64]
    )
    let copy = ListedTensor(
      name: "base_model.model.model.norm.original_module.weight",
      type: "F32",
      shape: [64]
    )
    let tuning = try TestFineTuning(
      keys: ["modules_to_save": "[\"norm\"]"],
      tensors: factors().tensors + [norm, copy]
    )
    let source = try SourceModel(path: tuning.path)
    #expect(try canonical(source)["llm.norm.weight"] == norm.values)
    #expect(source.inventory.lines.contains { $0.contains("replaced by") })
  }

  @Test func takesAGrownVocabulary() throws {
    let names = ["model.embed_tokens", "lm_head"]
    let saved = names.map {
      ListedTensor(name: "base_model.model.\($0).weight", type: "F32", shape: [770, 64])
    }
    let tuning = try TestFineTuning(
      keys: ["modules_to_save": "[\"embed_tokens\",\"lm_head\"]"],
      tensors: factors().tensors + saved
    )
    let source = try SourceModel(path: tuning.path)
    #expect(source.model.language?.vocab == 770)
    #expect(try canonical(source)["llm.head.weight"] == saved[1].values)
  }

  /// LLaVA's own: factors, the adapter trained whole, and the whole's configuration in one folder.
  private func llava(
    doubled: Bool,
    edit: (inout [ListedTensor]) -> Void = { _ in }
  ) throws
    -> (TestCheckpoint, TestFactors)
  {
    var adapter: [ListedTensor] = []
    var language: [ListedTensor] = []
    let checkpoint = try TestCheckpoint("mllm/llava-linear-tiny/llava") { file, tensors in
      guard !file.contains("vision_tower") else { return }
      for tensor in tensors {
        if tensor.name.contains("mm_projector") {
          adapter.append(tensor)
        } else {
          language.append(tensor)
        }
      }
    }
    try FileManager.default.removeItem(atPath: checkpoint.path + "/pytorch_model.bin")
    adapter.rename([
      ("model.mm_projector", doubled ? "base_model.model.model.mm_projector" : "model.mm_projector")
    ])
    let factors = factors()
    var tensors = factors.tensors
    edit(&tensors)
    let write = checkpoint.folder.write(_:_:) as (String, [UInt8]) throws -> String
    _ = try write("non_lora_trainables.bin", TestCheckpoint.bytes(adapter, isTorch: true))
    _ = try write("adapter_model.bin", TestCheckpoint.bytes(tensors, isTorch: true))
    _ = try write("base/pytorch_model.bin", TestCheckpoint.bytes(language, isTorch: true))
    try checkpoint.folder.write(
      "adapter_config.json",
      """
      {"peft_type":"LORA","r":4,"lora_alpha":8,"base_model_name_or_path":"./base",
      "target_modules":["q_proj"],"layers_to_transform":[1]}
      """
    )
    var config = String(decoding: try checkpoint.read("config.json"), as: UTF8.self)
    for key in ["mm_vision_tower", "mm_hidden_size"] {
      config = config.replacingOccurrences(of: "\"\(key)\"", with: "\"x_\(key)\"")
    }
    config = config.replacingOccurrences(
      of: "\"model_type\": \"llava\"",
      with: "\"model_type\": \"llama\""
    )
    try checkpoint.folder.write("base/config.json", config)
    return (checkpoint, factors)
  }

  @Test(arguments: [false, true])
  func joinsLLaVAsParts(_ doubled: Bool) throws {
    let (checkpoint, factors) = try llava(doubled: doubled)
    let whole = try TestCheckpoint("mllm/llava-linear-tiny/llava")
    var expected = try canonical(SourceModel(path: whole.path))
    expected[target] = factors.merged(try #require(expected[target]), scale: 2)
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.layout == .llavaLoRA)
    expectSame(try canonical(source), expected)
    #expect(source.model.recipe?.name == "clip_square")
    var options = SourceOptions()
    options.lowRankFolder = checkpoint.path
    let other = try SourceModel(path: checkpoint.path + "/base", options: options)
    expectSame(try canonical(other), expected)
  }

  @Test func mergesIntoTheEncoder() throws {
    let module =
      "model.vision_tower.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj"
    let vision = TestFactors(module: module, rows: 64, columns: 64, rank: 4)
    let (checkpoint, _) = try llava(doubled: true) { $0 += vision.tensors }
    let whole = try canonical(TestCheckpoint("mllm/llava-linear-tiny/llava"))
    try checkpoint.set("layers_to_transform", to: nil, in: "adapter_config.json")
    try checkpoint.set("target_modules", to: "\".*q_proj\"", in: "adapter_config.json")
    let values = try canonical(SourceModel(path: checkpoint.path))
    let name = "vision.blk.0.attn.q.weight"
    #expect(values[name] == vision.merged(try #require(whole[name]), scale: 2))
  }

  // MARK: - Refusals

  private func expectRefusal(
    _ tuning: TestFineTuning,
    _ fragments: [String],
    location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      try open(tuning)
    }
    let text = error?.description ?? "no error"
    for fragment in fragments {
      #expect(text.contains(fragment), "\(text)", sourceLocation: location)
    }
    #expect(error?.category == .badData, "\(text)", sourceLocation: location)
    #expect(!text.hasSuffix(".") && !text.contains("\n"), sourceLocation: location)
  }

  @Test func refusesRanksThatDiffer() throws {
    let tuning = try TestFineTuning(keys: ["r": "8"], tensors: factors().tensors)
    expectRefusal(tuning, ["the rank of \(module) is 8", "lora_A.weight", "[4, 64]"])
    var tensors = factors().tensors
    tensors[1].shape = [64, 3]
    expectRefusal(try TestFineTuning(tensors: tensors), ["lora_B.weight [64, 3]"])
  }

  @Test func refusesShapesThatDoNotFit() throws {
    var tensors = factors().tensors
    tensors[0].shape = [4, 60]
    expectRefusal(
      try TestFineTuning(tensors: tensors),
      ["lora_B.weight", "makes 64×60", "is 64×64"]
    )
  }

  @Test(arguments: [
    "model.layers.9.self_attn.q_proj", "model.layers.1.self_attn.r_proj", "model.other",
    "model.vision_tower.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj",
  ])
  func refusesFactorsOfNothing(_ module: String) throws {
    let tuning = try TestFineTuning(tensors: factors().tensors + factors(module).tensors)
    expectRefusal(tuning, ["2 unknown tensors", "\(module).lora_A.weight", "lora_B.weight"])
  }

  @Test func refusesFactorsWithoutPartner() throws {
    let tuning = try TestFineTuning(tensors: [factors().a])
    expectRefusal(tuning, ["1 missing tensor: \(module).lora_B"])
  }

  @Test func refusesBlocksWithoutFactors() throws {
    let tuning = try TestFineTuning(
      keys: ["layers_to_transform": "null"],
      tensors: factors().tensors
    )
    expectRefusal(
      tuning,
      ["4 missing tensors", "model.layers.0.self_attn.q_proj.lora_A", "model.layers.2"]
    )
    let other = try TestFineTuning(
      keys: ["target_modules": "[\"q_proj\",\"v_proj\"]"],
      tensors: factors().tensors
    )
    expectRefusal(other, ["1 missing tensor: v_proj (target_modules)"])
    let saved = try TestFineTuning(
      keys: ["modules_to_save": "[\"lm_head\"]"],
      tensors: factors().tensors
    )
    expectRefusal(saved, ["1 missing tensor: lm_head.weight (modules_to_save)"])
  }

  @Test func refusesSurplusTensors() throws {
    let surplus = ListedTensor(name: "base_model.model.model.extra.weight", type: "F32", shape: [3])
    expectRefusal(
      try TestFineTuning(tensors: factors().tensors + [surplus]),
      ["1 unknown tensor: base_model.model.model.extra.weight"]
    )
    var odd = factors()
    odd.suffix = ".one.two.weight"
    expectRefusal(try TestFineTuning(tensors: odd.tensors), ["2 unknown tensors"])
    var second = factors()
    second.suffix = ".other.weight"
    expectRefusal(
      try TestFineTuning(tensors: factors().tensors + second.tensors),
      ["a second factor of \(module)"]
    )
  }

  @Test(arguments: [
    ("use_dora", "true", "use_dora"), ("peft_type", "\"IA3\"", "IA3"), ("r", "0", "r:"),
    ("r", "\"4\"", "r:"), ("lora_alpha", "0", "lora_alpha"), ("lora_alpha", "1e999", "lora_alpha"),
    ("layer_replication", "[[0,1]]", "layer_replication"), ("lora_bias", "true", "lora_bias"),
    ("init_lora_weights", "\"pissa_niter_4\"", "pissa"),
    ("rank_pattern", "{\".*q_proj\":4}", "rank_pattern"),
    ("rank_pattern", "{\"q_proj\":-1}", "rank_pattern"), ("rank_pattern", "3", "rank_pattern"),
    ("target_modules", "[3]", "target_modules"), ("fan_in_fan_out", "1", "fan_in_fan_out"),
    ("target_parameters", "[\"x\"]", "target_parameters"),
  ])
  func refusesKey(_ key: String, _ value: String, _ fragment: String) throws {
    let tuning = try TestFineTuning(keys: [key: value], tensors: factors().tensors)
    expectRefusal(tuning, ["adapter_config.json", fragment])
  }

  @Test func refusesFoldersThatAreNotWhole() throws {
    let tuning = try TestFineTuning(tensors: factors().tensors)
    try FileManager.default.removeItem(atPath: tuning.path + "/adapter_model.safetensors")
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: tuning.path) }
    #expect(error?.category == .missingInput)
    var options = SourceOptions()
    options.lowRankFolder = tuning.path
    let twice = #expect(throws: CheckpointError.self) {
      try SourceModel(path: tuning.path, options: options)
    }
    #expect(twice?.category == .usage)
  }

  @Test func refusesBasesWithoutWeights() throws {
    let tuning = try TestFineTuning(tensors: factors().tensors)
    for name in ["config.json", "model.safetensors"] {
      try FileManager.default.removeItem(atPath: tuning.base.path + "/" + name)
    }
    try tuning.base.folder.write("tokenizer.json", "{}")
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: tuning.path) }
    #expect(error?.category == .missingInput)
    #expect(error?.description.contains("no weights here") == true)
  }

  @Test func countsFactorsThatAreNotFinite() throws {
    var tensors = factors().tensors
    tensors[1].given = [Float](repeating: .infinity, count: 256)
    let source = try open(try TestFineTuning(tensors: tensors))
    let error = #expect(throws: CheckpointError.self) { try source.refuseNonFinite() }
    #expect(error?.description.contains("256 values") == true)
  }

  // MARK: - Reference

  @Test(.enabled(if: SharedFixtures.isPresent))
  func equalsTheReference() throws {
    let root = try #require(SharedFixtures.path)
    let source = try SourceModel(path: root + "/sea/lora")
    #expect(source.inventory.counts.merged == 42)
    let file = try SafetensorsFile(path: root + "/sea/lora/reference.safetensors")
    let bytes = try file.bytes(of: "merged.layer0.q_proj")
    let reference = (0..<bytes.count / 4).map {
      Float(bitPattern: bytes.loadLittleEndian(at: $0 * 4, as: UInt32.self))
    }
    let merged = try #require(try canonical(source)["llm.blk.0.attn.q.weight"])
    #expect(merged.count == reference.count)
    // Five roundings of terms no larger than the sum of the factors' products.
    for (value, expected) in zip(merged, reference) {
      #expect(abs(value - expected) <= 1e-6 * max(1, abs(expected)))
    }
  }
}
