// SPDX-License-Identifier: Apache-2.0
// Exported checkpoints: other projects' names and shapes, and the same model when they come back.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAImage
import SEAModel
import SEATensor
import Testing

@Suite struct ExporterTests {
  /// Exports a checkpoint to a folder of its own.
  private func export(
    _ source: SourceModel,
    _ layout: ExportLayout,
    to target: String,
    shardBytes: Int = CheckpointExporter.shardBytes,
    tokenizer: Bool = false,
    type: ElementType? = nil
  ) throws -> CheckpointExporter {
    let exporter = try CheckpointExporter(
      source,
      layout: layout,
      path: "source",
      tokenizerFolder: tokenizer ? source.tokenizerFolder : nil,
      shardBytes: shardBytes,
      storedType: { type ?? source.part($0)?.storedType }
    )
    try exporter.write(to: target)
    return exporter
  }

  /// Opens an exported folder the way its source was described.
  private func reopen(_ path: String, as source: SourceModel) throws -> SourceModel {
    var options = SourceOptions()
    options.template = source.model.template?.name
    return try SourceModel(path: path, options: options)
  }

  /// A model's description without the name, which is the folder's.
  private func nameless(_ source: SourceModel) -> ModelDescription {
    var model = source.model
    model.name = ""
    return model
  }

  /// Names, types and shapes of a weights file's tensors.
  private func tensors(_ path: String) throws -> [String: SafetensorsTensor] {
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata("format") == "pt")
    return Dictionary(
      uniqueKeysWithValues: file.tensors.map {
        ($0.name, SafetensorsTensor($0.name, $0.type, $0.shape))
      }
    )
  }

  @Test(
    arguments: [
      ("mllm/sea-gemma-tiny/llava", ""), ("mllm/sea-gemma-tiny/hf", ""),
      ("mllm/llava-llama-tiny/llava", ""), ("mllm/llava-llama-tiny/hf", ""),
      ("mllm/sea-phi3-tiny/llava", "/stage1"), ("mllm/sea-phi3-tiny/hf", ""),
      ("mllm/llava-linear-tiny/llava", ""),
    ],
    ExportLayout.allCases
  )
  func comesBackTheSame(_ place: (name: String, below: String), _ layout: ExportLayout) throws {
    // The library's layout knows two layers only.
    guard !place.name.contains("linear") || layout == .llava else { return }
    let checkpoint = try TestCheckpoint(place.name)
    let source = try SourceModel(path: checkpoint.path + place.below)
    let target = checkpoint.path + "/exported"
    let exporter = try export(source, layout, to: target)
    let again: SourceModel
    if layout == .llava, source.model.language?.family == "gemma", source.model.visualScale == 1 {
      #expect(exporter.notes.contains { $0.contains("--visual-scale one") })
      var options = SourceOptions()
      options.template = source.model.template?.name
      options.visualScale = .one
      again = try SourceModel(path: target, options: options)
    } else {
      again = try reopen(target, as: source)
    }
    #expect(again.layout == (layout == .llava ? .llava : .huggingFaceLlava))
    #expect(nameless(again) == nameless(source))
    expectSame(try canonical(again), try canonical(source))
    #expect(again.inventory.counts.ignored == 0)
    #expect(!again.inventory.notes.contains { $0.contains("keys without effect") })
  }

  @Test func writesTheLibrarysNamesAndShapes() throws {
    for name in ["llava-llama-tiny", "sea-phi3-tiny", "sea-gemma-tiny"] {
      let checkpoint = try TestCheckpoint("mllm/\(name)/hf")
      let source = try SourceModel(path: checkpoint.path)
      let target = checkpoint.path + "/exported"
      _ = try export(source, .huggingFace, to: target)
      let written = try tensors(target + "/model.safetensors")
      var wanted: [String: SafetensorsTensor] = [:]
      for path in source.openedPaths where path.hasSuffix(".safetensors") {
        for info in try SafetensorsFile(path: path).tensors {
          // The pooling head is for labels; the configuration says that it is not there.
          guard !info.name.contains("vision_model.head.") else { continue }
          wanted[info.name] = SafetensorsTensor(info.name, info.type, info.shape)
        }
      }
      #expect(written.keys.sorted() == wanted.keys.sorted())
      for (name, tensor) in wanted {
        #expect(written[name]?.shape == tensor.shape, "\(name)")
        #expect(written[name]?.type == tensor.type, "\(name)")
      }
      #expect(written.allSatisfy { NameMap.mapping(of: $0.key) != .unknown })
    }
  }

  @Test func writesLLaVAsNames() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    let target = checkpoint.path + "/exported"
    _ = try export(source, .llava, to: target)
    let main = try tensors(target + "/model.safetensors").keys
    let tower = try tensors(target + "/vision_tower/model.safetensors").keys
    var wanted = try SafetensorsFile(path: checkpoint.path + "/model.safetensors").tensorNames
    wanted.removeAll { $0.contains("vision_model.head.") }
    let prefix = "model.vision_tower.vision_tower."
    #expect(main.sorted() == wanted.filter { !$0.hasPrefix(prefix) }.sorted())
    #expect(
      tower.sorted()
        == wanted.compactMap { name in
          name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
        }.sorted()
    )
  }

  @Test func cutsShards() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    let target = checkpoint.path + "/exported"
    _ = try export(source, .huggingFace, to: target, shardBytes: 100_000)
    let names = try FileManager.default.contentsOfDirectory(atPath: target).sorted()
    let shards = names.filter { $0.hasSuffix(".safetensors") }
    #expect(
      shards.count > 2
        && shards[0] == String(format: "model-00001-of-%05d.safetensors", shards.count)
    )
    for shard in shards {
      let tensors = try SafetensorsFile(path: target + "/" + shard).tensors
      let bytes = tensors.reduce(0) { $0 + $1.range.count }
      #expect(bytes <= 100_000 || tensors.count == 1)
    }
    let data = try Data(contentsOf: URL(fileURLWithPath: target + "/model.safetensors.index.json"))
    let index = try JSONScanner.parse([UInt8](data))
    let total = try source.names.reduce(0) {
      let part = try #require(source.part($1))
      return $0 + part.rows.count * part.tensor.columns * part.tensor.type.size
    }
    #expect(index["metadata"]?["total_size"]?.int == total)
    expectSame(try canonical(reopen(target, as: source)), try canonical(source))
  }

  @Test func namesAPlaceForPictures() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    let exporter = try export(source, .huggingFace, to: checkpoint.path + "/exported")
    let data = FileManager.default.contents(atPath: checkpoint.path + "/exported/config.json")
    let config = try JSONScanner.parse([UInt8](try #require(data)))
    #expect(config["image_token_index"]?.int == 768)
    #expect(exporter.notes.contains { $0.contains("no free row") })
    #expect(config["vision_feature_select_strategy"]?.string == "default")
    #expect(config["vision_feature_layer"]?.int == -2 && config["image_seq_length"]?.int == 16)
  }

  @Test func writesTheSameBytesTwice() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-phi3-tiny/hf")
    let source = try SourceModel(path: checkpoint.path)
    for layout in ExportLayout.allCases {
      var files: [[String: Data]] = []
      for attempt in 0..<2 {
        let target = checkpoint.path + "/\(layout.rawValue)\(attempt)"
        _ = try export(source, layout, to: target)
        var content: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: target) {
          content[name] = FileManager.default.contents(atPath: target + "/" + name)
        }
        files.append(content)
      }
      #expect(files[0] == files[1] && files[0].count >= 4)
    }
  }

  @Test func copiesTheTokenizersFiles() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/llava")
    try checkpoint.folder.write("tokenizer.json", "{\"x\": \"é\"}")
    let source = try SourceModel(path: checkpoint.path)
    let target = checkpoint.path + "/exported"
    let exporter = try export(source, .huggingFace, to: target, tokenizer: true)
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      let copy = FileManager.default.contents(atPath: target + "/" + name)
      #expect(copy == Data(try checkpoint.read(name)))
    }
    #expect(!exporter.notes.contains { $0.hasPrefix("tokenizer:") })
    let other = try export(source, .huggingFace, to: checkpoint.path + "/other")
    #expect(other.notes.contains { $0.hasPrefix("tokenizer: not written") })
    #expect(try !CheckpointFolder(path: checkpoint.path + "/other").contains("tokenizer.json"))
  }

  @Test func keepsTypesThatHoldTheValues() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    // The formula's values fit half types, vectors included.
    let target = checkpoint.path + "/half"
    _ = try export(source, .huggingFace, to: target, type: .bfloat16)
    let types = Set(try tensors(target + "/model.safetensors").values.map(\.type))
    #expect(types == [.bfloat16])
    expectSame(try canonical(reopen(target, as: source)), try canonical(source))
    let config = try JSONScanner.parse(
      [UInt8](try #require(FileManager.default.contents(atPath: target + "/config.json")))
    )
    #expect(config["torch_dtype"]?.string == "bfloat16")
  }

  @Test func padsAsTheRecipeSays() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.model.recipe?.name == "clip_pad")
    let target = checkpoint.path + "/exported"
    _ = try export(source, .huggingFace, to: target)
    let data = FileManager.default.contents(atPath: target + "/preprocessor_config.json")
    let json = try JSONScanner.parse([UInt8](try #require(data)))
    #expect(json["image_processor_type"]?.string == "LlavaImageProcessor")
    #expect(json["do_pad"]?.bool == true)
    #expect(try SourceModel(path: target).model.recipe == source.model.recipe)
  }

  @Test func exportsWhatAFineTuningMerges() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/hf")
    let module = "language_model.model.layers.0.self_attn.q_proj"
    let factors = TestFactors(module: module, rows: 64, columns: 64, rank: 2)
    try checkpoint.folder.write(
      "lora/adapter_config.json",
      "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,\"target_modules\":\"x\"}"
    )
    try checkpoint.folder.write(
      "lora/adapter_model.safetensors",
      TestCheckpoint.bytes(factors.tensors)
    )
    var options = SourceOptions()
    options.lowRankFolder = checkpoint.path + "/lora"
    let source = try SourceModel(path: checkpoint.path, options: options)
    let target = checkpoint.path + "/exported"
    _ = try export(source, .llava, to: target)
    let written = try tensors(target + "/model.safetensors")
    // The sum has more digits than its terms.
    #expect(written["model.layers.0.self_attn.q_proj.weight"]?.type == .float32)
    #expect(written["model.layers.1.self_attn.q_proj.weight"]?.type == .bfloat16)
    expectSame(try canonical(reopen(target, as: source)), try canonical(source))
  }

  // MARK: - The folder

  @Test func leavesNothingWhenItFails() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/hf")
    let source = try SourceModel(path: checkpoint.path)
    let place = try TemporaryFolder()
    let exporter = try CheckpointExporter(source, layout: .llava, path: "source") {
      source.part($0)?.storedType
    }
    struct Stop: Error {}
    var steps = 0
    #expect(throws: Stop.self) {
      try exporter.write(to: place.path + "/out") { progress in
        steps += 1
        #expect(progress.done > 0 && progress.done <= progress.total)
        if steps == 40 { throw Stop() }
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
    var last: ExportProgress?
    try exporter.write(to: place.path + "/out/") { last = $0 }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["out"])
    #expect(last?.done == last?.total)
  }

  @Test func replacesEmptyFoldersOnly() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/hf")
    let source = try SourceModel(path: checkpoint.path)
    let place = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: place.path + "/empty",
      withIntermediateDirectories: false
    )
    _ = try export(source, .llava, to: place.path + "/empty")
    try place.write("file", "x")
    // A process id that no process has, and names that are none.
    for name in ["out.tmp.4194999", "out.tmp.x", "out.tmp.04194999"] {
      try place.write(name + "/model.safetensors", "x")
    }
    for target in ["/empty", "/file", ""] {
      let error = #expect(throws: CheckpointError.self) {
        try export(source, .llava, to: place.path + target)
      }
      #expect(error?.category == .usage)
    }
    _ = try export(source, .llava, to: place.path + "/out")
    let names = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
    #expect(names == ["empty", "file", "out", "out.tmp.04194999", "out.tmp.x"])
    let error = #expect(throws: CheckpointError.self) {
      try export(source, .llava, to: place.path + "/nowhere/out")
    }
    #expect(error?.category == .missingInput)
  }

  // MARK: - Refusals

  private func expectRefusal(
    _ name: String,
    _ layout: ExportLayout,
    _ fragment: String,
    change: (inout ModelDescription) -> Void,
    location: SourceLocation = #_sourceLocation
  ) throws {
    let checkpoint = try TestCheckpoint(name)
    let source = try SourceModel(path: checkpoint.path)
    var model = source.model
    change(&model)
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      try CheckpointExporter(
        ChangedSource(model: model, source: source),
        layout: layout,
        path: "here.sea"
      ) { _ in .float32 }
    }
    let text = error?.description ?? "no error"
    #expect(text.contains("here.sea"), "\(text)", sourceLocation: location)
    #expect(text.contains(fragment), "\(text)", sourceLocation: location)
    #expect(error?.category == .badData, sourceLocation: location)
  }

  @Test func refusesWhatALayoutCannotHold() throws {
    let gemma = "mllm/sea-gemma-tiny/llava"
    for layout in ExportLayout.allCases {
      try expectRefusal(gemma, layout, "without a language model") { $0.language = nil }
      try expectRefusal(gemma, layout, "without a vision encoder") { $0.encoder = nil }
      try expectRefusal(gemma, layout, "without an adapter") { $0.adapter = nil }
      try expectRefusal(gemma, layout, "Cambrian") { $0.adapter?.hasNewline = true }
      try expectRefusal(gemma, layout, "after the final norm") {
        $0.encoder?.selection.appliesFinalNorm = true
      }
      try expectRefusal(gemma, layout, "visual scale") { $0.visualScale = 3 }
      try expectRefusal(gemma, layout, "\"mamba\"") { $0.language?.family = "mamba" }
      try expectRefusal(gemma, layout, "another colour") {
        $0.recipe = .camSiglip(side: 60)
      }
    }
    try expectRefusal(gemma, .llava, "lack the first patch") {
      $0.encoder?.selection.dropsFirst = true
    }
    try expectRefusal(gemma, .huggingFace, "adapter of 1 layers") {
      $0.adapter?.widths = [72, 72]
    }
    try expectRefusal(gemma, .llava, "adapter of gelu_pytorch_tanh") {
      $0.adapter?.activation = .geluTanh
    }
  }
}

/// A source under another description.
private struct ChangedSource: WeightSource {
  let model: ModelDescription
  let source: SourceModel

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    try source.read(name, rows: rows, into: out)
  }

  func release(_ name: String) { source.release(name) }
}
