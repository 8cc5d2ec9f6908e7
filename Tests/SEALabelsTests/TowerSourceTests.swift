// SPDX-License-Identifier: Apache-2.0
// Both towers of a checkpoint from its own files, against PyTorch's numbers.

import SEACheckpoint
import SEAModel
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct TowerSourceTests {
  @Test func towersAreDescribedAsTheirFilesSay() throws {
    let clip = try Encoders.source(Encoders.clip)
    let words = try #require(clip.model.textTower)
    #expect(words.vocab == 1014 && words.context == 32 && words.hidden == 48)
    // The file says 0 and 2 and means the last two ids.
    #expect(words.startID == 1012 && words.endID == 1013 && words.padID == 1013)
    #expect(words.isCausal && words.pooling == .endOfText && words.jointWidth == 40)
    #expect(clip.model.encoder?.jointWidth == 40 && clip.tokenizerFolder == Encoders.clip)
    let siglip = try Encoders.source(Encoders.siglip)
    let others = try #require(siglip.model.textTower)
    #expect(others.startID == nil && others.endID == 1 && others.padID == 1)
    #expect(!others.isCausal && others.pooling == .last && others.jointWidth == 72)
    #expect(siglip.model.encoder?.hasPoolingHead == true && siglip.tokenizerFolder == nil)
  }

  @Test(arguments: [Encoders.clip, Encoders.siglip])
  func towersAreTakenOnlyWhenAskedFor(path: String) throws {
    let source = try SourceModel(path: path)
    #expect(source.model.textTower == nil && source.model.encoder?.jointWidth == nil)
    #expect(source.tokenizerFolder == nil)
  }

  @Test(arguments: [Encoders.clip, Encoders.siglip])
  func textsArePlacedWhereTheReferencePlacesThem(path: String) throws {
    let source = try Encoders.source(path)
    let reference = try values(path + "/reference.safetensors")
    let ids = try #require(reference["word_ids"])
    let lengths = reference["word_lens"]
    let width = ids.count / 40
    let texts = (0..<40).map { word in
      ids[word * width..<word * width + (lengths.map { Int($0[word]) } ?? width)].map { Int32($0) }
    }
    let tower = try TextTower(
      try #require(source.model.textTower),
      weights: StreamedWeights(source)
    )
    let found = try tower.encode(texts, on: execution()).array()
    let wanted = try #require(reference["text_embeds"])
    #expect(found.count == wanted.count)
    for (left, right) in zip(found, wanted) { #expect(abs(Double(left) - right) < 5e-4) }
  }

  @Test(arguments: [(Encoders.clip, "image_embeds"), (Encoders.siglip, "pooler_output")])
  func picturesArePlacedWhereTheReferencePlacesThem(path: String, name: String) throws {
    let source = try Encoders.source(path)
    let description = try #require(source.model.encoder)
    let encoder = try VisionEncoder(description, weights: StreamedWeights(source))
    let found = try encoder.encode(
      pixels(path),
      to: try #require(encoder.joint),
      scratch: EncoderScratch(description, threads: 2),
      on: execution()
    ).picture.array()
    let wanted = try #require(try values(path + "/reference.safetensors")[name])
    for (left, right) in zip(found, wanted) { #expect(abs(Double(left) - right) < 5e-4) }
  }
}
