// SPDX-License-Identifier: Apache-2.0
// Every stage of preprocessing against the reference's tensors.

import SEAFormat
import SEAImage
import Testing

@Suite struct PreprocessFixtureTests {
  @Test(arguments: PreprocessFixture.bundled)
  func bundledPicturesMatchEveryStage(name: String) throws {
    try check(PreprocessFixture(bundled: name), name: name)
  }

  @Test(
    .enabled(if: PreprocessFixture.hasShared, "shared fixtures are not beside the repository"),
    arguments: PreprocessFixture.sharedOnly
  )
  func sharedPicturesMatchEveryStage(name: String) throws {
    try check(PreprocessFixture(shared: name), name: name)
  }

  @Test func clippedGray16MatchesPillow() throws {
    let fixture = try PreprocessFixture(bundled: "gray16_120x90.png")
    let image = try ImageFile.read(path: fixture.imagePath, gray16: .clipped)
    #expect(try image == fixture.image("rgb"))
    #expect(try ImageRecipe.clipPad(side: 112).resampled(image) == fixture.image("clip112_pad.u8"))
  }

  /// Compares the decoded picture and what each recipe makes of it.
  private func check(_ fixture: PreprocessFixture, name: String) throws {
    let isJPEG = name.hasSuffix(".jpg")
    let isGray16 = name.hasPrefix("gray16")
    let decoded = try ImageFile.read(path: fixture.imagePath)
    let stored = try fixture.image(isGray16 ? "highbyte.rgb" : "rgb") ?? decoded
    if isJPEG {
      try expectClose(decoded, stored)
    } else {
      #expect(decoded == stored)
    }

    var compared = 0
    for tensor in fixture.tensors.tensorNames {
      var base = tensor
      var source = stored
      if tensor.hasPrefix("exif_applied.") {
        base.removeFirst("exif_applied.".count)
        let orientation = try header(of: fixture).orientation
        source = stored.turned(from: orientation)
      } else if tensor.hasPrefix("highbyte.") {
        base.removeFirst("highbyte.".count)
      } else if isGray16 {
        continue  // the clipped reading has its own test
      }
      guard let recipe = PreprocessFixture.recipe(base) else { continue }
      compared += 1
      if base.hasSuffix(".u8") {
        #expect(try recipe.resampled(source) == fixture.image(tensor), "\(name) \(tensor)")
      } else {
        let values = try recipe.run(source).values
        let expected = try fixture.floats(tensor)
        try #require(values.count == expected.count)
        let worst = zip(values, expected).map { abs($0 - $1) }.max() ?? 0
        #expect(worst <= 1e-6, "\(name) \(tensor)")
      }
    }
    #expect(compared >= 3)
  }

  private func header(of fixture: PreprocessFixture) throws -> ImageHeader {
    let bytes = try fixtureBytes(fixture.imagePath)
    return try ImageFile.header(bytes: bytes, name: fixture.imagePath)
  }

  /// Decoders differ in rounding: the mean stays below one level and no value is off by more than 4.
  private func expectClose(_ image: PixelImage, _ expected: PixelImage) throws {
    try #require(image.width == expected.width && image.height == expected.height)
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    #expect(differences.reduce(0, +) < differences.count)
    #expect(differences.max() ?? 0 <= 4)
  }
}
