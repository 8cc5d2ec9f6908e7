// SPDX-License-Identifier: Apache-2.0
// Encoders that see a picture at several scales, alone and inside a LLaVA checkpoint.

import Foundation
import SEACheckpoint
import SEAImage
import SEAModel
import Testing

@Suite struct MultiScaleSourceTests {
  /// A folder with nothing but a configuration that names `vision/clip-tiny-84` next to it.
  private func encoder(_ config: String) throws -> (TestCheckpoint, path: String) {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    try checkpoint.folder.write("s2/config.json", config)
    return (checkpoint, checkpoint.path + "/s2")
  }

  @Test(arguments: ["\"84,168,252\"", "[252, 84, 168]", "\"84, 168 , 252\""])
  func encodersAreTakenFromTheFolderTheyName(_ scales: String) throws {
    let (checkpoint, path) = try encoder(
      """
      {"vision_tower": "..", "s2": true, "s2_scales": \(scales), "s2_max_split_size": 84,
       "image_aspect_ratio": "pad"}
      """
    )
    let source = try SourceModel(path: path)
    #expect(source.layout == .multiScaleEncoder)
    let description = try #require(source.model.encoder)
    #expect(description.scales == [84, 168, 252] && description.imageSide == 84)
    #expect(
      description.selection
        == FeatureSelection(
          layer: description.blocks - 1,
          appliesFinalNorm: false,
          dropsFirst: true
        )
    )
    // Pictures are prepared at the largest scale.
    #expect(source.model.recipe == .clipPad(side: 252))
    #expect(source.part("vision.patch.weight")?.tensor.path.hasPrefix(checkpoint.path) == true)
    #expect(source.openedPaths.contains { $0.hasSuffix("s2/config.json") })
  }

  @Test func encodersThatAreNotThereAreAskedFor() throws {
    let (checkpoint, path) = try encoder(#"{"mm_vision_tower": "openai/x", "s2_scales": "84"}"#)
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: path) }
    #expect(error?.category == .missingInput)
    #expect(error?.description.contains("sea convert \(path) --vision DIR") == true)
    var options = SourceOptions()
    options.visionFolder = checkpoint.path
    options.recipe = "s2"
    let source = try SourceModel(path: path, options: options)
    #expect(source.model.encoder?.scales == [84] && source.model.recipe == .s2(side: 84))
  }

  @Test(arguments: [
    (#""s2_scales": "84,100""#, "multiples of the encoder's side 84"),
    (#""s2_scales": "168,336""#, "multiples of the encoder's side 84"),
    (#""s2_scales": "84,84""#, "multiples of the encoder's side 84"),
    (#""s2_scales": "84,168", "s2_max_split_size": 42"#, "the smallest scale 84"),
    (#""s2_scales": "84,168", "mm_vision_select_feature": "cls_patch""#, "exactly the patches"),
  ])
  func scalesThatDoNotFitAreRefused(_ fields: String, _ fragment: String) throws {
    let (checkpoint, path) = try encoder("{\"vision_tower\": \"..\", \(fields)}")
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: path) }
    #expect(error?.description.contains(fragment) == true, "\(String(describing: error))")
    #expect(error?.category == .badData)
    _ = checkpoint
  }

  @Test func aWholeModelMayNameAFolderOfScales() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-phi3-tiny/llava") { _, tensors in
      for index in tensors.indices where tensors[index].name.hasSuffix("mm_projector.0.weight") {
        tensors[index].shape[1] *= 2
      }
    }
    try checkpoint.folder.write(
      "scales/config.json",
      #"{"vision_tower": "../vision_tower", "s2_scales": "56,112"}"#
    )
    let stage = checkpoint.path + "/stage1"
    let width = try #require(try featureWidth(checkpoint.path + "/vision_tower"))
    try checkpoint.set("mm_vision_tower", to: "\"../scales\"", in: "stage1/config.json")
    try checkpoint.set("mm_hidden_size", to: "\(width)", in: "stage1/config.json")
    var options = SourceOptions()
    options.languageFolder = checkpoint.path + "/base"
    let model = try SourceModel(path: stage, options: options).model
    #expect(model.encoder?.scales == [56, 112] && model.encoder?.featureWidth == width)
    // A folder of scales that names itself ends.
    try checkpoint.set("vision_tower", to: "\".\"", in: "scales/config.json")
    #expect(throws: CheckpointError.self) { try SourceModel(path: stage, options: options) }
  }

  @Test func wholeModelsHaveScalesToo() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-gemma-tiny/llava") { _, tensors in
      for index in tensors.indices where tensors[index].name.hasSuffix("mm_projector.0.weight") {
        tensors[index].shape[1] *= 2
      }
    }
    try checkpoint.set("s2", to: "true")
    try checkpoint.set("s2_scales", to: "\"60,120\"")
    let width = try #require(try featureWidth(checkpoint.path + "/vision_tower"))
    try checkpoint.set("mm_hidden_size", to: "\(width)")
    let model = try SourceModel(path: checkpoint.path).model
    #expect(model.encoder?.scales == [60, 120])
    #expect(model.adapter?.inputWidth == model.encoder?.featureWidth)
    #expect(model.recipe?.crop == nil && model.recipe?.padFill != nil)
    #expect(model.recipe?.resize == .exact(ImageSize(height: 120, width: 120)))
  }

  /// The width that two scales of the encoder in a folder have together.
  private func featureWidth(_ folder: String) throws -> Int? {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
    let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    let vision = json?["vision_config"] as? [String: Any] ?? json
    return (vision?["hidden_size"] as? Int).map { 2 * $0 }
  }
}
