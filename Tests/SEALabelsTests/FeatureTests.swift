// SPDX-License-Identifier: Apache-2.0
// Patch features of every kind, against numbers computed from the formulas in double precision.

import SEACheckpoint
import SEALabels
import SEAModel
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct FeatureTests {
  private static let reference = Fixtures.path("SEALabelsTests", "features.safetensors")

  private static func points(
    _ path: String,
    _ form: PatchForm,
    threads: Int = 2
  ) throws -> [Float] {
    let source = try Encoders.source(path)
    let description = try #require(source.model.encoder)
    let encoder = try VisionEncoder(description, weights: StreamedWeights(source))
    return try encoder.points(
      pixels(path),
      as: form,
      scratch: EncoderScratch(description, threads: threads),
      on: execution(threads)
    ).array()
  }

  @Test(arguments: [
    (
      "clip.maskclip.residual1.ffn1",
      PatchForm.selfAttending(keepsResidual: true, keepsFeedForward: true)
    ),
    (
      "clip.maskclip.residual1.ffn0",
      .selfAttending(keepsResidual: true, keepsFeedForward: false)
    ),
    (
      "clip.maskclip.residual0.ffn1",
      .selfAttending(keepsResidual: false, keepsFeedForward: true)
    ),
    (
      "clip.maskclip.residual0.ffn0",
      .selfAttending(keepsResidual: false, keepsFeedForward: false)
    ),
    ("clip.surgery.2", .valueAttending(blocks: 2)),
    ("clip.surgery.4", .valueAttending(blocks: 4)),
    ("siglip.map_value", .pooledAlone),
  ])
  func featuresFollowTheirFormulas(name: String, form: PatchForm) throws {
    let wanted = try #require(try values(Self.reference)[name])
    let path = name.hasPrefix("clip") ? Encoders.clip : Encoders.siglip
    let found = try Self.points(path, form)
    #expect(found.count == wanted.count)
    for (left, right) in zip(found, wanted) { #expect(abs(Double(left) - right) < 5e-4) }
    #expect(try Self.points(path, form, threads: 5) == found)
  }

  @Test(arguments: [
    (Encoders.clip, "patch_projected"), (Encoders.siglip, "last_hidden_state"),
  ])
  func rawFeaturesAreTheReferences(path: String, name: String) throws {
    let both = try #require(try values(path + "/reference.safetensors")[name])
    let found = try Self.points(path, .raw)
    for (left, right) in zip(found, both.prefix(both.count / 2)) {
      #expect(abs(Double(left) - right) < 5e-4)
    }
  }

  @Test func formsThatAnEncoderHasNotAreRefused() throws {
    #expect(throws: RuntimeError.self) { try Self.points(Encoders.clip, .pooledAlone) }
    #expect(throws: RuntimeError.self) {
      try Self.points(Encoders.clip, .valueAttending(blocks: 5))
    }
    let clip = try #require(try Encoders.source(Encoders.clip).model.encoder)
    let siglip = try #require(try Encoders.source(Encoders.siglip).model.encoder)
    #expect(throws: LabelError.self) { try LabelFeature(.mapValue).check(clip, path: "x") }
    #expect(throws: LabelError.self) { try LabelFeature(.surgery).check(siglip, path: "x") }
    #expect(throws: LabelError.self) { try LabelFeature(.maskclip).check(siglip, path: "x") }
  }

  @Test func theTableGivesDefaultsAndSigns() throws {
    let clip = try #require(try Encoders.source(Encoders.clip).model.encoder)
    let siglip = try #require(try Encoders.source(Encoders.siglip).model.encoder)
    #expect(LabelFeature.standard(for: clip).kind == .raw)
    #expect(LabelFeature.standard(for: siglip).kind == .mapValue)
    #expect(LabelFeature(.raw).tableSign(for: clip) == .negative)
    #expect(LabelFeature(.maskclip).tableSign(for: clip) == .positive)
    #expect(LabelFeature(.surgery).tableSign(for: clip) == .positive)
    #expect(LabelFeature(.mapValue).tableSign(for: siglip) == .positive)
  }
}
