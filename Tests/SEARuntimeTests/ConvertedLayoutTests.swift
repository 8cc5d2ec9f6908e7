// SPDX-License-Identifier: Apache-2.0
// One model saved in the layouts of several projects gives the reference's numbers from each.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAImage
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import Testing

/// A fixture's tensors written under other names in a folder of its own.
final class RekeyedCheckpoint {
  let path: String

  /// Copies the fixture's tensors.
  ///
  /// - Parameters:
  ///   - config: the configuration file's text, from the fixture's own.
  ///   - rename: the new name of a tensor; nil leaves it out.
  ///   - extra: tensors to add.
  /// - Throws: when a file cannot be read or written.
  init(
    config: (JSONObject) -> JSONValue,
    rename: (String) -> String?,
    extra: [(name: String, values: [Float])] = []
  ) throws {
    let folder = try fixture(MultimodalTests.name)
    path = NSTemporaryDirectory() + "sea-layout-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let own = try FixtureModel.config(folder)
    let text = config(try #require(own.object)).serialized()
    try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/config.json"))
    for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] {
      try FileManager.default.copyItem(atPath: folder + "/" + name, toPath: path + "/" + name)
    }
    let file = try SafetensorsFile(path: folder + "/model.safetensors")
    let kept = file.tensors.compactMap { info in rename(info.name).map { (info, $0) } }
    var writer = try SafetensorsWriter(
      path: path + "/model.safetensors",
      tensors: kept.map { SafetensorsTensor($1, $0.type, $0.shape) }
        + extra.map { SafetensorsTensor($0.name, .float32, [$0.values.count]) }
    )
    for (info, name) in kept { try writer.write(file.bytes(of: info), to: name) }
    for tensor in extra { try writer.write(tensor.values, to: tensor.name) }
    try writer.finish()
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Converts to an f32 model file and opens it.
  func model(_ options: SourceOptions = SourceOptions()) throws -> (Model, SourceModel, String) {
    let source = try SourceModel(path: path, options: options)
    let output = path + "/model.sea"
    let builder = ModelFileBuilder(
      source: source,
      tokenizer: nil,
      policy: PrecisionPolicy(all: .float32),
      pool: WorkerPool(threads: 1),
      kernels: try Kernels(.best)
    )
    _ = try builder.write(to: output)
    return (try Model(path: output), source, output)
  }
}

@Suite struct ConvertedLayoutTests {
  private static let vision = "vision_tower.vision_model."

  /// Runs the fixture's first picture and prompt.
  private func run(_ model: Model) throws -> (tokens: [Float], logits: [Float]) {
    let reference = try tensors(fixture(MultimodalTests.name) + "/reference.safetensors")
    let generator = try Generator(
      model,
      options: GeneratorOptions(context: 64),
      on: Execution(kernels: try Kernels(.best), threads: 2)
    )
    var seen: [String: [Float]] = [:]
    let tracing = Tracing { point, rows in seen[point.name, default: []] += rows.array() }
    let picture = try generator.encode(
      try #require(reference["image0.pixel_values"]).values,
      tracing: tracing
    )
    try generator.read(
      try #require(reference["prompt_ids"]).ids,
      images: [picture],
      tracing: tracing
    )
    return (try #require(seen["visual_tokens"]), try #require(seen["logits"]))
  }

  private func expectReference(_ model: Model) throws {
    let reference = try tensors(fixture(MultimodalTests.name) + "/reference.safetensors")
    let (tokens, logits) = try run(model)
    let wantedTokens = try #require(reference["image0.visual_tokens"])
    let wanted = try #require(reference["image0.logits"])
    #expect(largestDifference(tokens, wantedTokens.values) < 5e-4)
    #expect(largestDifference(MultimodalTests.known(logits, wanted), wanted.values) < 3e-3)
  }

  private static func tinyLLaVA(_ own: JSONObject, strategy: String) -> JSONValue {
    [
      "model_type": "tinyllava", "connector_type": "mlp2x_gelu",
      "vision_feature_select_strategy": .string(strategy), "vision_feature_layer": -2,
      "text_config": own["text_config"] ?? .null, "vision_config": own["vision_config"] ?? .null,
    ]
  }

  private static func tinyLLaVAName(_ name: String) -> String {
    name.replacingOccurrences(of: "vision_tower.", with: "vision_tower._vision_tower.")
      .replacingOccurrences(of: "multi_modal_projector.linear_1", with: "connector._connector.0")
      .replacingOccurrences(of: "multi_modal_projector.linear_2", with: "connector._connector.2")
  }

  @Test func tinyLLaVAGivesTheReference() throws {
    let checkpoint = try RekeyedCheckpoint(
      config: { Self.tinyLLaVA($0, strategy: "cls_patch") },
      rename: { Self.tinyLLaVAName($0) }
    )
    try expectReference(checkpoint.model().0)
  }

  @Test func tinyLLaVAWithoutItsFirstPatch() throws {
    let checkpoint = try RekeyedCheckpoint(
      config: { Self.tinyLLaVA($0, strategy: "patch") },
      rename: { Self.tinyLLaVAName($0) }
    )
    let reference = try tensors(fixture(MultimodalTests.name) + "/reference.safetensors")
    let (tokens, _) = try run(checkpoint.model().0)
    let wanted = Array(try #require(reference["image0.visual_tokens"]).values.dropFirst(72))
    #expect(tokens.count == 15 * 72 && largestDifference(tokens, wanted) < 5e-4)
  }

  @Test func loRAOfNothingGivesTheReference() throws {
    let checkpoint = try RekeyedCheckpoint(
      config: { .object($0) },
      rename: { $0 }
    )
    let config = """
      {"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":"q_proj.*"}
      """
    let folder = checkpoint.path + "/lora"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(config.utf8).write(to: URL(fileURLWithPath: folder + "/adapter_config.json"))
    let module = "base_model.model.language_model.model.layers.0.self_attn.q_proj"
    var writer = try SafetensorsWriter(
      path: folder + "/adapter_model.safetensors",
      tensors: [
        SafetensorsTensor("\(module).lora_A.weight", .float32, [2, 72]),
        SafetensorsTensor("\(module).lora_B.weight", .float32, [128, 2]),
      ]
    )
    try writer.write([Float](repeating: 0.5, count: 144), to: "\(module).lora_A.weight")
    try writer.write([Float](repeating: 0, count: 256), to: "\(module).lora_B.weight")
    try writer.finish()
    var options = SourceOptions()
    options.lowRankFolder = folder
    options.visualScale = .squareRoot
    try expectReference(checkpoint.model(options).0)
  }

  @Test func cambrianRunsOnItsGridAsItsSourceDoes() throws {
    let newline = (0..<72).map { Float($0) / 64 - 0.5 }
    let checkpoint = try RekeyedCheckpoint(
      config: { own in
        var object = own["text_config"]?.object ?? JSONObject()
        object["model_type"] = "cambrian_gemma"
        object["mm_projector_type"] = "mlp2x_gelu"
        object["mm_vision_tower_aux_list"] = ["tower"]
        object["image_token_len"] = 9
        return .object(object)
      },
      rename: { name in
        name.replacingOccurrences(of: "language_model.", with: "")
          .replacingOccurrences(
            of: "vision_tower.",
            with: "model.vision_tower_aux_list.0.vision_tower."
          )
          .replacingOccurrences(of: "multi_modal_projector.linear_1", with: "model.mm_projector.0")
          .replacingOccurrences(of: "multi_modal_projector.linear_2", with: "model.mm_projector.2")
      },
      extra: [("model.image_newline", newline)]
    )
    let tower = checkpoint.path + "/tower"
    try FileManager.default.createDirectory(atPath: tower, withIntermediateDirectories: true)
    let own = try FixtureModel.config(fixture(MultimodalTests.name))
    let vision = try #require(own["vision_config"]).serialized()
    try Data(vision.utf8).write(to: URL(fileURLWithPath: tower + "/config.json"))
    let (model, source, path) = try checkpoint.model()
    #expect(source.layout == .cambrian)
    #expect(model.description.encoder?.selection.appliesFinalNorm == true)

    let (tokens, logits) = try run(model)
    #expect(tokens.count == 12 * 72 && logits.allSatisfy { $0.isFinite })
    #expect(Array(tokens[3 * 72..<4 * 72]) == newline && Array(tokens.suffix(72)) == newline)
    let generator = try Generator(
      model,
      options: GeneratorOptions(context: 64),
      on: Execution(kernels: try Kernels(.best), threads: 2)
    )
    let wide = PixelImage(width: 90, height: 30, pixels: [UInt8](repeating: 128, count: 8100))
    #expect(try generator.encode(wide).rows.rows == 1 * 4)
    let square = PixelImage(width: 30, height: 30, pixels: [UInt8](repeating: 128, count: 2700))
    #expect(try generator.encode(square).rows.rows == 3 * 4)

    let execution = Execution(kernels: try Kernels(.best), threads: 2)
    let verdict = try ParityComparison(source: source, path: path, on: execution).run()
    #expect(verdict.isGood && (verdict.visualTokens?.meanCosine ?? 0) > 0.99999)
  }
}
