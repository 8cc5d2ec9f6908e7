// SPDX-License-Identifier: Apache-2.0
// Descriptions of text towers, joint spaces and scales: in and out of JSON, and refused when wrong.

import SEAFormat
import SEAModel
import Testing

@Suite struct TowerDescriptionTests {
  private func model(_ name: String) throws -> ModelDescription {
    try FixtureModel.towers(name).model
  }

  private func refusal(
    _ name: String,
    _ change: (inout ModelDescription) -> Void
  ) throws -> String? {
    var model = try model(name)
    change(&model)
    do throws(ModelError) {
      _ = try ModelDescription(json: model.json)
      return nil
    } catch {
      guard case .invalid(let field, _, _) = error else { return "\(error)" }
      return field
    }
  }

  @Test(arguments: ["clip-tiny", "siglip-tiny"])
  func survivesItsOwnJSON(name: String) throws {
    var model = try model(name)
    #expect(try ModelDescription(json: model.json) == model)
    #expect(try refusal(name) { _ in } == nil)
    model.textTower?.projection = nil
    model.textTower?.hidden = model.encoder?.jointWidth ?? 0
    #expect(try ModelDescription(json: model.json) == model)
    model.textTower = nil
    model.encoder?.projection = nil
    model.encoder?.hasPoolingHead = false
    let side = try #require(model.encoder).imageSide
    model.encoder?.scales = [side, 7 * side]
    #expect(try ModelDescription(json: model.json) == model)
  }

  @Test func filesFromBeforeHaveOneScaleAndNoJointSpace() throws {
    let encoder = try #require(FixtureModel.encoder(fixture("clip-tiny")).model.encoder)
    let keys = try #require(encoder.json.object).keys
    #expect(!keys.contains("scales") && !keys.contains("projection"))
    #expect(!keys.contains("pooling_head"))
    let read = try EncoderDescription(json: encoder.json)
    #expect(read.scales.isEmpty && read.jointWidth == nil)
    #expect(read.inputSide == 56 && read.featureWidth == 64)
    var fields = try #require(PrecisionPolicy.int8(group: 64).json.object).entries
    fields.removeAll { $0.key == "vtext" || $0.key == "joint" }
    let policy = try PrecisionPolicy(json: .object(JSONObject(fields)))
    #expect(
      policy.storage(of: "vision.blk.0.attn.q.weight", role: .encoderLinear)
        == .int8(group: 64)
    )
    #expect(throws: ModelError.self) {
      _ = try PrecisionPolicy(json: .object(JSONObject(fields.filter { $0.key != "llm" })))
    }
  }

  @Test func refusesTextTowersThatCannotRun() throws {
    #expect(try refusal("clip-tiny") { $0.textTower?.heads = 5 } == "vtext.heads")
    #expect(try refusal("clip-tiny") { $0.textTower?.context = 2 } == "vtext.context")
    #expect(try refusal("clip-tiny") { $0.textTower?.context = 8193 } == "vtext.context")
    #expect(try refusal("clip-tiny") { $0.textTower?.endID = 1014 } == "vtext.end_id")
    #expect(try refusal("clip-tiny") { $0.textTower?.startID = -1 } == "vtext.start_id")
    #expect(try refusal("clip-tiny") { $0.textTower?.isCausal = false } == "vtext.pooling")
    #expect(try refusal("clip-tiny") { $0.textTower?.vocab = 0 } == "vtext.vocab")
    #expect(
      try refusal("clip-tiny") { $0.textTower?.projection?.width = 41 } == "vtext.projection"
    )
  }

  @Test func refusesJointSpacesThatCannotBe() throws {
    #expect(
      try refusal("clip-tiny") { $0.encoder?.hasPoolingHead = true } == "vision.projection"
    )
    #expect(
      try refusal("siglip-tiny") { $0.encoder?.hasFinalNorm = false } == "vision.pooling_head"
    )
    #expect(try refusal("clip-tiny") { $0.encoder?.scales = [56] } == "vision.projection")
  }

  @Test(arguments: [[112], [56, 56], [112, 56], [56, 100], [56, 168, 112]])
  func refusesScalesThatAreNoTiles(scales: [Int]) throws {
    let field = try refusal("clip-tiny") {
      $0.encoder?.projection = nil
      $0.textTower = nil
      $0.encoder?.scales = scales
    }
    #expect(field == "vision.scales")
  }

  @Test func refusesScalesOfOtherRowsThanPatches() throws {
    let field = try refusal("clip-tiny") {
      $0.encoder?.projection = nil
      $0.encoder?.scales = [56, 112]
      $0.encoder?.selection.dropsFirst = false
    }
    #expect(field == "vision.selection.drops_first")
  }

  @Test func adaptersTakeTheFeaturesOfEveryScale() throws {
    var model = try model("clip-tiny")
    model.textTower = nil
    model.encoder?.projection = nil
    model.encoder?.scales = [56, 112, 168]
    model.adapter = AdapterDescription(widths: [192, 64], activation: .geluErf)
    try model.validate()
    model.recipe = .clipPad(side: 168)
    try model.validate()
    model.recipe = .clipPad(side: 56)
    #expect(throws: ModelError.self) { try model.validate() }
    model.recipe = nil
    model.adapter?.widths = [64, 64]
    #expect(throws: ModelError.self) { try model.validate() }
  }
}
