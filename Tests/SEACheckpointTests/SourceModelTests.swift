// SPDX-License-Identifier: Apache-2.0
// Checkpoints of every layout: what is recognised, described and read.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAModel
import SEATensor
import Testing

@Suite struct SourceModelTests {
  /// Opens a generated checkpoint; the mappings outlive its files.
  private func open(_ name: String, options: SourceOptions = SourceOptions()) throws -> SourceModel
  {
    let checkpoint = try TestCheckpoint(name)
    return try withExtendedLifetime(checkpoint) {
      try SourceModel(path: checkpoint.path, options: options)
    }
  }

  /// Reads a whole canonical tensor.
  private func values(_ source: SourceModel, _ name: String) throws -> [Float] {
    let part = try #require(source.part(name), "\(name)")
    let out = try MatrixView<Float>(rows: part.rows.count, columns: part.tensor.columns)
    try source.read(name, rows: 0..<part.rows.count, into: out)
    source.release(name)
    return out.array()
  }

  /// What the formula gives for rows of a foreign tensor.
  private func expected(_ name: String, _ range: Range<Int>, plus addend: Float = 0) -> [Float] {
    ListedTensor.values(name, range).map { $0 + addend }
  }

  @Test(
    arguments: [
      ("llm/gemma-tiny", "", SourceLayout.languageModel, 29, 0),
      ("llm/llama-tiny", "", .languageModel, 30, 0),
      ("llm/llama-f16bin-tiny", "", .languageModel, 21, 0),
      ("llm/llama3-tiny", "", .languageModel, 30, 0),
      ("llm/phi3-tiny", "", .languageModel, 15, 6),
      ("mllm/llava-linear-tiny/llava", "", .llava, 78, 0),
      ("mllm/llava-llama-tiny/llava", "", .llava, 105, 0),
      ("mllm/llava-llama-tiny/hf", "", .huggingFaceLlava, 105, 0),
      ("mllm/sea-gemma-tiny/llava", "", .llava, 102, 0),
      ("mllm/sea-gemma-tiny/hf", "", .huggingFaceLlava, 102, 0),
      ("mllm/sea-phi3-tiny/llava", "/stage1", .llavaStage1, 72, 6),
      ("mllm/sea-phi3-tiny/hf", "", .huggingFaceLlava, 72, 6),
      ("vision/clip-tiny", "", .encoder, 71, 0),
      ("vision/clip-tiny-84", "", .encoder, 55, 0),
      ("vision/siglip-tiny", "", .encoder, 69, 0),
    ] as [(String, String, SourceLayout, Int, Int)]
  )
  func opensEveryLayout(
    _ name: String,
    _ below: String,
    _ layout: SourceLayout,
    _ taken: Int,
    _ split: Int
  ) throws {
    let checkpoint = try TestCheckpoint(name)
    let source = try SourceModel(path: checkpoint.path + below)
    #expect(source.layout == layout)
    #expect(source.inventory.counts.taken == taken)
    #expect(source.inventory.counts.split == split)
    // The description survives its own JSON, and every planned tensor can be read.
    #expect(try ModelDescription(json: source.model.json) == source.model)
    let plan = try TensorPlan(source.model, policy: PrecisionPolicy(all: .float32))
    #expect(source.names == plan.all.map(\.name).sorted())
    for spec in plan.all {
      let out = try MatrixView<Float>(rows: spec.rows, columns: spec.columns)
      try source.read(spec.name, rows: 0..<spec.rows, into: out)
      let part = try #require(source.part(spec.name))
      let start = part.rows.lowerBound * part.tensor.columns
      let range = start..<start + spec.rows * spec.columns
      #expect(out.array() == expected(part.tensor.name, range, plus: part.addend), "\(spec.name)")
    }
    try source.refuseNonFinite()
  }

  @Test func describesLlama() throws {
    let model = try open("llm/llama3-tiny").model
    let llm = try #require(model.language)
    #expect(llm.family == "llama" && llm.blocks == 3 && llm.hidden == 64 && llm.ffn == 224)
    #expect(llm.heads == 8 && llm.kvHeads == 2 && llm.headDim == 8 && llm.vocab == 640)
    #expect(llm.ropeTheta == 500_000 && llm.epsilon == 1e-5 && llm.activation == .silu)
    #expect(!llm.isHeadTied && llm.slidingWindow == 0 && llm.embeddingScale == 1)
    #expect(llm.maxPositions == 8192)
    #expect(model.template?.name == "llama3")
    #expect(model.generation?.stopIDs == [635, 639])
    #expect(model.encoder == nil && model.adapter == nil && model.recipe == nil)
  }

  @Test func describesGemma() throws {
    let source = try open("llm/gemma-tiny")
    let llm = try #require(source.model.language)
    #expect(llm.family == "gemma" && llm.headDim == 32 && llm.kvHeads == 1 && llm.queryWidth == 128)
    #expect(llm.activation == .geluTanh && llm.isHeadTied)
    #expect(llm.embeddingScale == 72.squareRoot())
    #expect(source.model.template?.name == "gemma_it")
    // The norms store what exceeds 1.
    let norm = expected("model.norm.weight", 0..<72, plus: 1)
    #expect(try values(source, "llm.norm.weight") == norm)
    let first = expected("model.layers.0.input_layernorm.weight", 0..<72, plus: 1)
    #expect(try values(source, "llm.blk.0.norm1.weight") == first)
  }

  @Test func splitsFusedRows() throws {
    let source = try open("llm/phi3-tiny")
    let qkv = "model.layers.1.self_attn.qkv_proj.weight"
    #expect(try values(source, "llm.blk.1.attn.q.weight") == expected(qkv, 0..<4096))
    #expect(try values(source, "llm.blk.1.attn.k.weight") == expected(qkv, 4096..<8192))
    #expect(try values(source, "llm.blk.1.attn.v.weight") == expected(qkv, 8192..<12_288))
    let gateUp = "model.layers.1.mlp.gate_up_proj.weight"
    #expect(try values(source, "llm.blk.1.mlp.up.weight") == expected(gateUp, 12_288..<24_576))
    #expect(source.model.language?.slidingWindow == 11)
    #expect(source.model.template?.name == "phi3")
    #expect(source.inventory.lines.contains("split by rows: 6 tensors into 15"))
  }

  @Test func readsSomeRowsIntoPartOfAMatrix() throws {
    let source = try open("llm/llama-tiny")
    let out = try MatrixView<Float>(rows: 5, columns: 64)
    try source.read("llm.embed.weight", rows: 700..<703, into: out.rows(1..<4))
    let row = expected("model.embed_tokens.weight", 701 * 64..<702 * 64)
    #expect((0..<64).map { out[2, $0] } == row)
    #expect((0..<64).allSatisfy { out[0, $0] == 0 && out[4, $0] == 0 })
    #expect(throws: ModelError.missingTensor(name: "llm.nothing")) {
      try source.read("llm.nothing", rows: 0..<1, into: out.rows(0..<1))
    }
  }

  @Test func takesTowerInsideTheCheckpoint() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    let part = try #require(source.part("vision.patch.weight"))
    #expect(part.tensor.path == checkpoint.path + "/model.safetensors")
    let encoder = try #require(source.model.encoder)
    #expect(encoder.family == "siglip" && encoder.gridSide == 4 && encoder.patches == 16)
    #expect(
      encoder.selection == FeatureSelection(layer: 3, appliesFinalNorm: false, dropsFirst: false)
    )
    #expect(
      source.model.adapter?.widths == [72, 72, 72] && source.model.adapter?.activation == .geluErf
    )
    #expect(source.model.recipe?.name == "siglip_pad")
    #expect(source.model.recipe?.padFill?.red == 127)
    #expect(source.model.generation?.context == 2048)
    #expect(source.inventory.counts.ignored == 11)
    #expect(source.openedPaths.contains(checkpoint.path + "/vision_tower"))
  }

  @Test func takesTowerFromItsFolder() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-linear-tiny/llava")
    let source = try SourceModel(path: checkpoint.path)
    let part = try #require(source.part("vision.class"))
    #expect(part.tensor.path == checkpoint.path + "/vision_tower/model.safetensors")
    #expect(source.model.adapter?.name == "linear" && source.model.adapter?.widths == [64, 64])
    #expect(source.model.recipe?.name == "clip_square")
    let selection = FeatureSelection(layer: 2, appliesFinalNorm: false, dropsFirst: true)
    #expect(source.model.encoder?.selection == selection)
    #expect(source.model.template?.name == "vicuna_v1")
    var options = SourceOptions()
    options.template = "llava_v0"
    options.recipe = "clip_pad"
    options.selectLayer = -1
    options.selectRows = .classAndPatch
    let other = try SourceModel(path: checkpoint.path, options: options).model
    #expect(other.template?.name == "llava_v0" && other.recipe?.name == "clip_pad")
    #expect(other.encoder?.selection.layer == 3 && other.encoder?.features == 17)
  }

  @Test func joinsStageOneWithItsModels() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-phi3-tiny/llava")
    let source = try SourceModel(path: checkpoint.path + "/stage1")
    #expect(source.tokenizerFolder == checkpoint.path + "/base")
    #expect(source.model.recipe?.name == "siglip_pad")
    #expect(source.part("adapter.1.weight")?.tensor.name == "model.mm_projector.2.weight")
    #expect(
      source.part("llm.head.weight")?.tensor.path == checkpoint.path + "/base/pytorch_model.bin"
    )
  }

  @Test func preparesPicturesAsHuggingFaceSays() throws {
    let llama = try open("mllm/llava-llama-tiny/hf").model
    #expect(llama.recipe?.name == "clip_square" && llama.encoder?.selection.dropsFirst == true)
    #expect(llama.language?.vocab == 832)
    let phi = try open("mllm/sea-phi3-tiny/hf").model
    #expect(phi.recipe?.name == "siglip_hf" && phi.encoder?.selection.dropsFirst == false)
  }

  @Test(arguments: [
    ("mllm/sea-gemma-tiny/llava", VisualScaleChoice.automatic, 72.0.squareRoot()),
    ("mllm/sea-gemma-tiny/hf", .automatic, 1), ("mllm/sea-gemma-tiny/llava", .one, 1),
    ("mllm/sea-gemma-tiny/hf", .squareRoot, 72.0.squareRoot()),
    ("mllm/llava-llama-tiny/hf", .automatic, 1),
  ])
  func choosesVisualScale(_ name: String, _ choice: VisualScaleChoice, _ scale: Double) throws {
    var options = SourceOptions()
    options.visualScale = choice
    let source = try open(name, options: options)
    #expect(source.model.visualScale == scale)
  }

  @Test func olderHuggingFaceGemmaScalesVisualTokens() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/hf")
    try checkpoint.set("transformers_version", to: "\"4.57.1\"")
    #expect(try SourceModel(path: checkpoint.path).model.visualScale == 72.0.squareRoot())
  }

  @Test func describesEncodersAlone() throws {
    let clip = try open("vision/clip-tiny")
    let encoder = try #require(clip.model.encoder)
    #expect(encoder.activation == .quickGelu && encoder.hasClassToken && encoder.hasPreNorm)
    #expect(encoder.blocks == 4 && encoder.selection.layer == 3 && encoder.selection.dropsFirst)
    #expect(clip.model.recipe?.name == "clip_square" && clip.tokenizerFolder == nil)
    #expect(clip.inventory.counts.ignored == 41)
    let siglip = try open("vision/siglip-tiny")
    #expect(siglip.model.encoder?.hasPatchBias == true && siglip.model.encoder?.epsilon == 1e-6)
    #expect(siglip.model.encoder?.features == 16 && siglip.model.recipe?.name == "siglip_hf")
  }

  @Test func joinsLooseParts() throws {
    let model = try TestCheckpoint("llm/llama-tiny")
    let tower = try TestCheckpoint("mllm/llava-llama-tiny/llava/vision_tower")
    let adapter = ["0.weight", "0.bias", "2.weight", "2.bias"].map {
      ListedTensor(
        name: "model.mm_projector.\($0)",
        type: "F32",
        shape: $0.hasSuffix("bias") ? [64] : [64, 64]
      )
    }
    let file = try model.folder.write(
      "x/mm_projector.bin",
      TestCheckpoint.bytes(adapter, isTorch: true)
    )
    var options = SourceOptions()
    options.visionFolder = tower.path
    options.adapterFile = file
    let source = try SourceModel(path: model.path, options: options)
    #expect(source.model.adapter?.widths == [64, 64, 64])
    #expect(source.model.encoder?.selection.layer == 3)
  }

  @Test func recognisesTokenizerFolders() throws {
    let folder = try TemporaryFolder()
    try folder.write("tokenizer.json", "{}")
    let source = try SourceModel(path: folder.path)
    #expect(source.layout == .tokenizer && source.tokenizerFolder == folder.path)
    #expect(source.names.isEmpty)
  }

  @Test func acceptsBareTowerNames() throws {
    // The library's fifth release drops "vision_model." on saving.
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/hf") { _, tensors in
      for index in tensors.indices {
        tensors[index].name = tensors[index].name
          .replacingOccurrences(of: "vision_tower.vision_model.", with: "vision_tower.")
      }
    }
    #expect(try SourceModel(path: checkpoint.path).inventory.counts.taken == 102)
    let lone = try TestCheckpoint("vision/clip-tiny-84") { _, tensors in
      for index in tensors.indices {
        tensors[index].name = tensors[index].name.replacingOccurrences(
          of: "vision_model.",
          with: ""
        )
      }
    }
    #expect(try SourceModel(path: lone.path).inventory.counts.taken == 55)
  }

  @Test func acceptsNewerHuggingFaceNames() throws {
    let checkpoint = try TestCheckpoint("mllm/llava-llama-tiny/hf") { _, tensors in
      for index in tensors.indices {
        let name = tensors[index].name
          .replacingOccurrences(of: "language_model.model.", with: "model.language_model.")
          .replacingOccurrences(of: "language_model.lm_head", with: "lm_head")
        let isOuter = name.hasPrefix("vision_tower.") || name.hasPrefix("multi_modal")
        tensors[index].name = isOuter ? "model." + name : name
      }
    }
    #expect(try SourceModel(path: checkpoint.path).inventory.counts.taken == 105)
  }

  @Test func recordsWhereItCameFrom() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    let folder = checkpoint.path.split(separator: "/").last ?? ""
    let provenance = try SourceModel(path: checkpoint.path).provenance()
    #expect(provenance["layout"]?.string == "llm")
    let inputs = try #require(provenance["inputs"]?.array)
    #expect(
      inputs.map { $0["file"]?.string } == [
        "\(folder)/config.json", "\(folder)/model.safetensors", "\(folder)/tokenizer_config.json",
        "\(folder)/generation_config.json",
      ]
    )
    // The SHA-256 of this file, from another program.
    let digest = "ec5714dc47c8a91c5c989211ea54a51ed2da2ce9673fe0d154a7d235ff54d824"
    #expect(inputs[2]["sha256"]?.string == digest)
  }

  @Test(
    .enabled(if: SharedFixtures.isPresent),
    arguments: [
      ("llm/gemma-tiny", SourceLayout.languageModel), ("llm/llama-tiny", .languageModel),
      ("llm/llama-f16bin-tiny", .languageModel), ("llm/llama3-tiny", .languageModel),
      ("llm/phi3-tiny", .languageModel), ("mllm/llava-linear-tiny/llava", .llava),
      ("mllm/llava-llama-tiny/llava", .llava), ("mllm/llava-llama-tiny/hf", .huggingFaceLlava),
      ("mllm/sea-gemma-tiny/llava", .llava), ("mllm/sea-gemma-tiny/hf", .huggingFaceLlava),
      ("mllm/sea-phi3-tiny/llava/base", .languageModel),
      ("mllm/sea-phi3-tiny/llava/stage1", .llavaStage1),
      ("mllm/sea-phi3-tiny/llava/vision_tower", .encoder),
      ("mllm/sea-phi3-tiny/hf", .huggingFaceLlava), ("vision/clip-tiny", .encoder),
      ("vision/clip-tiny-84", .encoder), ("vision/siglip-tiny", .encoder),
      ("tokenizers/llama2", .tokenizer), ("tokenizers/clip", .tokenizer),
      ("tokenizers/siglip-standin", .tokenizer),
    ] as [(String, SourceLayout)]
  )
  func opensSharedFixture(_ name: String, _ layout: SourceLayout) throws {
    let source = try SourceModel(path: try #require(SharedFixtures.path) + "/" + name)
    #expect(source.layout == layout)
    try source.refuseNonFinite()
  }

  @Test(.enabled(if: SharedFixtures.isPresent))
  func bothLayoutsOfOneModelHoldTheSameValues() throws {
    let root = try #require(SharedFixtures.path) + "/mllm/sea-gemma-tiny"
    let original = try SourceModel(path: root + "/llava")
    let resaved = try SourceModel(path: root + "/hf")
    #expect(original.names == resaved.names)
    for name in original.names where name != "llm.embed.weight" {
      #expect(try values(original, name) == values(resaved, name), "\(name)")
    }
    let table = try values(original, "llm.embed.weight")
    #expect(try values(resaved, "llm.embed.weight").prefix(table.count).elementsEqual(table))
  }
}
