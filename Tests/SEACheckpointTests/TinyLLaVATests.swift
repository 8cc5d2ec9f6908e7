// SPDX-License-Identifier: Apache-2.0
// TinyLLaVA Factory's checkpoints hold what the same model's LLaVA checkpoint holds.

import Foundation
import SEACheckpoint
import SEAModel
import Testing

@Suite struct TinyLLaVATests {
  private static let name = "mllm/sea-gemma-tiny/llava"

  /// The configuration of the whole, from those of the parts.
  private static func config(_ checkpoint: TestCheckpoint, strategy: String) throws -> String {
    func object(_ file: String) throws -> [String: Any] {
      let data = Data(try checkpoint.read(file))
      return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
    var text = try object("config.json").filter { !$0.key.hasPrefix("mm_") }
    text["model_type"] = "gemma"
    text["image_aspect_ratio"] = nil
    var vision = try object("vision_tower/config.json")
    vision = vision["vision_config"] as? [String: Any] ?? vision
    let whole: [String: Any] = [
      "model_type": "tinyllava", "connector_type": "mlp2x_gelu", "text_config": text,
      "vision_config": vision, "vision_hidden_size": 72, "vision_feature_layer": -2,
      "vision_feature_select_strategy": strategy, "image_aspect_ratio": "pad",
      "tokenizer_model_max_length": 2048, "llm_model_name_or_path": "google/gemma-2b-it",
      "vision_model_name_or_path": "google/siglip-so400m-patch14-384",
    ]
    return String(decoding: try JSONSerialization.data(withJSONObject: whole), as: UTF8.self)
  }

  /// The whole in one folder.
  private func whole(strategy: String = "patch") throws -> TestCheckpoint {
    let checkpoint = try TestCheckpoint(Self.name) { _, tensors in Rekeyed.tinyLLaVA(&tensors) }
    try checkpoint.folder.write("config.json", try Self.config(checkpoint, strategy: strategy))
    return checkpoint
  }

  /// One folder for each part, as the first stage saves them.
  private func parts(baseLayer: Bool = false) throws -> TestCheckpoint {
    var tensors: [ListedTensor] = []
    let checkpoint = try TestCheckpoint(Self.name) { _, all in
      Rekeyed.tinyLLaVA(&all)
      tensors = all
    }
    try FileManager.default.removeItem(atPath: checkpoint.path + "/model.safetensors")
    for (folder, prefix) in [
      ("language_model", "language_model."), ("vision_tower", "vision_tower._vision_tower."),
      ("connector", "connector."),
    ] {
      var part = tensors.extract(prefix)
      if baseLayer { part.rename([("_proj.weight", "_proj.base_layer.weight")]) }
      try checkpoint.folder.write(
        "\(folder)/pytorch_model.bin",
        TestCheckpoint.bytes(part, isTorch: true)
      )
    }
    #expect(tensors.isEmpty)
    try checkpoint.folder.write("config.json", try Self.config(checkpoint, strategy: "patch"))
    return checkpoint
  }

  private func reference() throws -> [String: [Float]] {
    try canonical(TestCheckpoint(Self.name))
  }

  @Test func readsTheWhole() throws {
    let source = try open(try whole())
    #expect(source.layout == .tinyLLaVA)
    expectSame(try canonical(source), try reference())
    let model = source.model
    let selection = FeatureSelection(layer: 3, appliesFinalNorm: false, dropsFirst: true)
    #expect(model.encoder?.selection == selection && model.encoder?.features == 15)
    #expect(model.visualScale == 72.0.squareRoot() && model.generation?.context == 2048)
    #expect(model.adapter?.widths == [72, 72, 72] && model.recipe?.name == "siglip_pad")
    #expect(source.inventory.notes.contains { $0.contains("the first patch is left out") })
  }

  @Test func keepsTheFirstRowWhereItSaysSo() throws {
    let model = try open(try whole(strategy: "cls_patch")).model
    #expect(model.encoder?.selection.dropsFirst == false && model.encoder?.features == 16)
    let error = #expect(throws: CheckpointError.self) {
      try open(try whole(strategy: "full"))
    }
    #expect(error?.description.contains("vision_feature_select_strategy") == true)
  }

  @Test func readsAFolderForEachPart() throws {
    let source = try open(try parts())
    #expect(source.layout == .tinyLLaVA)
    expectSame(try canonical(source), try reference())
  }

  @Test func choosesItsTemplate() throws {
    let checkpoint = try whole()
    try checkpoint.set("chat_template", to: nil, in: "tokenizer_config.json")
    #expect(try SourceModel(path: checkpoint.path).model.template?.name == "tl_gemma")
  }

  @Test func asksForPartsThatAreNotHere() throws {
    let checkpoint = try parts()
    try FileManager.default.removeItem(atPath: checkpoint.path + "/language_model")
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: checkpoint.path) }
    #expect(error?.category == .missingInput)
    let text = error?.description ?? ""
    #expect(text.contains("google/gemma-2b-it") && text.contains("--llm DIR"), "\(text)")
    try FileManager.default.removeItem(atPath: checkpoint.path + "/connector")
    var options = SourceOptions()
    let language = try TestCheckpoint("llm/gemma-tiny")
    options.languageFolder = language.path
    let other = #expect(throws: CheckpointError.self) {
      try SourceModel(path: checkpoint.path, options: options)
    }
    #expect(other?.description.contains("missing tensors: adapter.0.weight") == true)
  }

  @Test func refusesALanguageModelItHasNoUseFor() throws {
    let checkpoint = try whole()
    var options = SourceOptions()
    options.languageFolder = checkpoint.path
    let error = #expect(throws: CheckpointError.self) {
      try SourceModel(path: checkpoint.path, options: options)
    }
    #expect(error?.category == .usage && error?.description.contains("--llm") == true)
  }

  @Test func mergesFactorsBesideTheFrozenParts() throws {
    let checkpoint = try parts(baseLayer: true)
    let module = "language_model.model.layers.1.self_attn.q_proj"
    let factors = TestFactors(module: module, rows: 128, columns: 72, rank: 2)
    try checkpoint.folder.write(
      "adapter_config.json",
      "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":\"1\\\\.self_attn\"}"
    )
    try checkpoint.folder.write("adapter_model.safetensors", TestCheckpoint.bytes(factors.tensors))
    let source = try SourceModel(path: checkpoint.path)
    var expected = try reference()
    let name = "llm.blk.1.attn.q.weight"
    expected[name] = factors.merged(try #require(expected[name]), scale: 2)
    expectSame(try canonical(source), expected)
  }
}
