// SPDX-License-Identifier: Apache-2.0
// Cambrian's checkpoints with one encoder and linear layers as connector.

import Foundation
import SEACheckpoint
import SEAModel
import Testing

@Suite struct CambrianTests {
  private static let name = "mllm/sea-gemma-tiny/llava"
  private static let newline = ListedTensor(name: "model.image_newline", type: "F32", shape: [72])

  /// A generated checkpoint under Cambrian's names and keys.
  ///
  /// - Parameters:
  ///   - names: how the tower inside is named; nil leaves it out.
  ///   - keys: keys that replace the usual ones, as JSON; an empty text removes one.
  ///   - edit: changes the tensors.
  /// - Returns: the checkpoint.
  /// - Throws: when a file cannot be written.
  private func checkpoint(
    tower names: EncoderNames? = .timm,
    keys: [String: String] = [:],
    edit: (inout [ListedTensor]) -> Void = { _ in }
  ) throws -> TestCheckpoint {
    let checkpoint = try TestCheckpoint(Self.name) { _, tensors in
      var tower = tensors.extract("model.vision_tower.vision_tower.")
      let prefix = "model.vision_tower_aux_list.0.vision_tower."
      switch names {
      case .timm: Rekeyed.timm(&tower, blocks: 4, prefix: prefix)
      case .huggingFace: tower.rename([("vision_model.", prefix + "vision_model.")])
      case nil: tower = []
      }
      tensors += tower + [Self.newline]
      edit(&tensors)
    }
    var all = [
      "model_type": "\"cambrian_gemma\"", "mm_vision_tower": "",
      "mm_vision_tower_aux_list": "[\"vision_tower\"]", "image_token_len": "9",
      "mm_vision_tower_aux_token_len_list": "[9]", "image_aspect_ratio": "\"pad\"",
    ]
    for (key, value) in keys { all[key] = value }
    for (key, value) in all { try checkpoint.set(key, to: value.isEmpty ? nil : value) }
    return checkpoint
  }

  private enum EncoderNames { case timm, huggingFace }

  /// The same model in LLaVA's layout, with the learned row.
  private func reference() throws -> [String: [Float]] {
    var values = try canonical(TestCheckpoint(Self.name))
    values["adapter.newline"] = Self.newline.values
    return values
  }

  @Test func readsTheWhole() throws {
    for names in [EncoderNames.timm, .huggingFace] {
      let source = try open(try checkpoint(tower: names))
      #expect(source.layout == .cambrian)
      expectSame(try canonical(source), try reference())
      let model = source.model
      let selection = FeatureSelection(layer: 4, appliesFinalNorm: true, dropsFirst: false)
      #expect(model.encoder?.selection == selection)
      let adapter = try #require(model.adapter)
      #expect(adapter.grid == 3 && adapter.hasNewline && adapter.cutsPadding)
      #expect(adapter.tokens(features: 16) == 12 && model.visualTokens() == 12)
      #expect(model.recipe?.name == "cam_siglip" && model.visualScale == 72.0.squareRoot())
      #expect(try ModelDescription(json: model.json) == model)
    }
  }

  @Test func keepsTheGridOfEqualSize() throws {
    let keys = ["image_token_len": "16", "mm_vision_tower_aux_token_len_list": "[16]"]
    let model = try open(try checkpoint(keys: keys)).model
    #expect(model.adapter?.grid == nil && model.adapter?.hasNewline == true)
    #expect(model.visualTokens() == 20)
  }

  @Test func choosesItsTemplate() throws {
    let checkpoint = try checkpoint()
    try checkpoint.set("chat_template", to: nil, in: "tokenizer_config.json")
    #expect(try open(checkpoint).model.template?.name == "cam_gemma")
  }

  @Test func takesTheTowerFromAFolder() throws {
    let checkpoint = try checkpoint(tower: nil)
    let siglip = try TestCheckpoint("mllm/sea-gemma-tiny/llava")
    var tower: [ListedTensor] = []
    _ = try TestCheckpoint(Self.name) { _, tensors in
      tower = tensors.extract("model.vision_tower.vision_tower.")
    }
    try checkpoint.folder.write(
      "vision_tower/model.safetensors",
      TestCheckpoint.bytes(tower)
    )
    try withExtendedLifetime(siglip) {
      expectSame(try canonical(open(checkpoint)), try reference())
    }
  }

  /// The connector alone, as the first stage saves it.
  private func connector(edit: (inout [ListedTensor]) -> Void = { _ in }) throws -> TestCheckpoint {
    var language: [ListedTensor] = []
    var own: [ListedTensor] = []
    let checkpoint = try checkpoint(keys: ["_name_or_path": "\"./base\""]) { tensors in
      for tensor in tensors {
        if tensor.name.contains("mm_projector") || tensor.name.contains("newline") {
          own.append(tensor)
        } else {
          language.append(tensor)
        }
      }
    }
    edit(&own)
    try FileManager.default.removeItem(atPath: checkpoint.path + "/model.safetensors")
    var tower = language
    tower.removeAll { !$0.name.contains("vision_tower_aux_list") }
    tower.rename([("model.vision_tower_aux_list.0.vision_tower.", "")])
    language.removeAll { $0.name.contains("vision_tower_aux_list") }
    try checkpoint.folder.write(
      "vision_tower/model.safetensors",
      TestCheckpoint.bytes(tower)
    )
    try checkpoint.folder.write("base/model.safetensors", TestCheckpoint.bytes(language))
    let config = try TestCheckpoint("llm/gemma-tiny")
    try checkpoint.folder.write("base/config.json", try config.read("config.json"))
    try checkpoint.folder.write("mm_projector.bin", TestCheckpoint.bytes(own, isTorch: true))
    return checkpoint
  }

  @Test func joinsTheConnectorWithItsModels() throws {
    let source = try open(try connector())
    #expect(source.layout == .cambrian && source.model.adapter?.hasNewline == true)
    expectSame(try canonical(source), try reference())
  }

  // MARK: - Refusals

  private func expectRefusal(
    _ checkpoint: TestCheckpoint,
    _ fragments: [String],
    location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      try open(checkpoint)
    }
    let text = error?.description ?? "no error"
    for fragment in fragments {
      #expect(text.contains(fragment), "\(text)", sourceLocation: location)
    }
    #expect(error?.category == .badData, "\(text)", sourceLocation: location)
  }

  @Test(arguments: [
    ("mm_projector_type", "\"sva\"", "spatial vision aggregator"),
    ("mm_projector_type", "\"se_mlp\"", "se_mlp"),
    ("mm_vision_tower_aux_list", "[\"a\",\"b\"]", "2 encoders"),
    ("mm_vision_tower_aux_list", "[]", "mm_vision_tower_aux_list"),
    ("mm_vision_tower_aux_token_len_list", "[576]", "image_token_len"),
    ("image_token_len", "8", "8"), ("image_token_len", "-9", "image_token_len"),
    ("model_type", "\"cambrian_mistral\"", "cambrian_mistral"),
  ])
  func refusesKey(_ key: String, _ value: String, _ fragment: String) throws {
    expectRefusal(try checkpoint(keys: [key: value]), ["config.json", fragment])
  }

  @Test func refusesOtherConnectorsByTheirTensors() throws {
    for name in [
      "model.vision_sampler_0.layers.0.proj.weight", "model.vision_query",
      "model.mm_projector_aux_0.0.weight",
    ] {
      let odd = try checkpoint {
        $0.append(ListedTensor(name: name, type: "F32", shape: [2, 2]))
      }
      expectRefusal(odd, ["not supported", "SVA", name])
    }
    let second = try checkpoint {
      $0.append(
        ListedTensor(
          name: "model.vision_tower_aux_list.1.vision_tower.norm.weight",
          type: "F32",
          shape: [72]
        )
      )
    }
    expectRefusal(second, ["second encoder"])
  }

  @Test func needsTheLearnedRow() throws {
    let lacking = try checkpoint { $0.removeAll { $0.name.hasSuffix("newline") } }
    expectRefusal(lacking, ["1 missing tensor: adapter.newline"])
    let lone = try connector { $0.removeAll { $0.name.hasSuffix("newline") } }
    expectRefusal(lone, ["1 missing tensor: adapter.newline"])
    let short = try checkpoint {
      for index in $0.indices where $0[index].name.hasSuffix("newline") { $0[index].shape = [70] }
    }
    expectRefusal(short, ["model.image_newline has shape [70]"])
    let surplus = try connector {
      $0.append(ListedTensor(name: "model.other", type: "F32", shape: [1]))
    }
    expectRefusal(surplus, ["1 unknown tensor: model.other"])
  }
}
