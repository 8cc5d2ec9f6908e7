// SPDX-License-Identifier: Apache-2.0
// Recipes' geometry, normalisation and limits against published check values.

import SEAImage
import Testing

@Suite struct RecipeTests {
  struct Layout: Sendable, CustomTestStringConvertible {
    let picture: ImageSize
    let resized: ImageSize
    let origin: ImageOffset
    let side: Int
    let paste: ImageOffset
    var testDescription: String { "\(picture.width)x\(picture.height)" }
  }

  static let layouts = [
    Layout(
      picture: ImageSize(height: 480, width: 640),
      resized: ImageSize(height: 336, width: 448),
      origin: ImageOffset(top: 0, left: 56),
      side: 640,
      paste: ImageOffset(top: 80, left: 0)
    ),
    Layout(
      picture: ImageSize(height: 333, width: 500),
      resized: ImageSize(height: 336, width: 504),
      origin: ImageOffset(top: 0, left: 84),
      side: 500,
      paste: ImageOffset(top: 83, left: 0)
    ),
    Layout(
      picture: ImageSize(height: 500, width: 333),
      resized: ImageSize(height: 504, width: 336),
      origin: ImageOffset(top: 84, left: 0),
      side: 500,
      paste: ImageOffset(top: 0, left: 83)
    ),
    Layout(
      picture: ImageSize(height: 767, width: 1023),
      resized: ImageSize(height: 336, width: 448),
      origin: ImageOffset(top: 0, left: 56),
      side: 1023,
      paste: ImageOffset(top: 128, left: 0)
    ),
  ]

  @Test(arguments: layouts)
  func geometryMatchesCheckValues(layout: Layout) throws {
    let square = try RecipeGeometry(recipe: .clipSquare(side: 336), picture: layout.picture)
    #expect(square.resized == layout.resized)
    #expect(square.rows == layout.origin.top..<layout.origin.top + 336)
    #expect(square.columns == layout.origin.left..<layout.origin.left + 336)

    let padded = try RecipeGeometry(recipe: .clipPad(side: 336), picture: layout.picture)
    #expect(padded.canvas == ImageSize(height: layout.side, width: layout.side))
    #expect(padded.paste == layout.paste)
    #expect(padded.resized == ImageSize(height: 336, width: 336))
  }

  @Test func clipNormalizationMatchesCheckValues() throws {
    let expected: [UInt8: [Float]] = [
      0: [-1.7922626, -1.7520971, -1.4802198], 127: [0.0617376, 0.1538894, 0.3257286],
      255: [1.9303361, 2.0748837, 2.1458969],
    ]
    for (grey, channels) in expected {
      let image = PixelImage(width: 1, height: 1, pixels: [grey, grey, grey])
      let values = try ImageRecipe.clipSquare(side: 1).run(image).values
      for (value, reference) in zip(values, channels) { #expect(abs(value - reference) < 1e-7) }
    }
  }

  @Test func fillIsTheTruncatedMean() {
    #expect(RGBColor(truncatedMean: ImageRecipe.clipMean) == ImageRecipe.clipFill)
    #expect(RGBColor(truncatedMean: [0.5, 0.5, 0.5]) == ImageRecipe.siglipFill)
    #expect(RGBColor(truncatedMean: [0.5, 1.5, 0.5]) == nil)
    #expect(RGBColor(truncatedMean: [.nan, 0.5, 0.5]) == nil)
  }

  @Test(arguments: ImageRecipe.presetNames)
  func presetsAreNamedAsTheyAreFound(name: String) throws {
    let recipe = try #require(ImageRecipe.named(name, side: 28))
    #expect(recipe.name == name)
    #expect(recipe.outputSize == ImageSize(height: 28, width: 28))
    try recipe.validate()
  }

  @Test func planesHoldOneChannelEach() throws {
    let image = PixelImage(width: 2, height: 1, pixels: [10, 20, 30, 40, 50, 60])
    let recipe = ImageRecipe(
      name: "plain",
      resize: nil,
      rescale: 1,
      mean: [0, 0, 0],
      std: [1, 1, 1]
    )
    let tensor = try recipe.run(image)
    #expect(tensor.height == 1 && tensor.width == 2)
    #expect(tensor.values == [10, 40, 20, 50, 30, 60])
    #expect(recipe.outputSize == nil)
  }

  @Test func smallPicturesAreSetInBlack() throws {
    let image = PixelImage(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])
    let recipe = ImageRecipe(
      name: "plain",
      resize: nil,
      crop: ImageSize(height: 4, width: 3),
      rescale: 1,
      mean: [0, 0, 0],
      std: [1, 1, 1]
    )
    let result = try recipe.resampled(image)
    var expected = [UInt8](repeating: 0, count: 36)
    // Three spare rows and one spare column: the larger half goes above and to the left.
    expected.replaceSubrange((2 * 3 + 1) * 3..<(2 * 3 + 3) * 3, with: [1, 2, 3, 4, 5, 6])
    #expect(result == PixelImage(width: 3, height: 4, pixels: expected))
  }

  @Test(arguments: [(1, 10_000), (10_000, 1), (1, 1), (2, 2)])
  func extremeShapesGiveOneColor(width: Int, height: Int) throws {
    let pixels = (0..<width * height).flatMap { _ in [7, 80, 200] as [UInt8] }
    let image = PixelImage(width: width, height: height, pixels: pixels)
    let expected = PixelImage(
      width: 56,
      height: 56,
      pixels: (0..<56 * 56).flatMap { _ in [7, 80, 200] as [UInt8] }
    )
    #expect(try ImageRecipe.clipSquare(side: 56).resampled(image) == expected)
    #expect(try ImageRecipe.siglip(side: 56).resampled(image) == expected)
    #expect(
      try ImageRecipe.siglipPad(side: 56, fill: RGBColor(red: 7, green: 80, blue: 200))
        .resampled(image) == expected
    )
  }

  @Test func impossibleRecipesAreRefused() {
    let image = PixelImage(width: 10_000, height: 1, pixels: [UInt8](repeating: 0, count: 30_000))
    var recipes = [
      ImageRecipe.siglip(side: 0), .siglip(side: -1), .siglip(side: .max), .clipSquare(side: 8193),
    ]
    var endless = ImageRecipe.clipSquare(side: 8000)
    endless.crop = nil
    var broken = ImageRecipe.siglip(side: 4)
    broken.std = [0.5, 0, 0.5]
    var short = ImageRecipe.siglip(side: 4)
    short.mean = [0.5]
    var infinite = ImageRecipe.siglip(side: 4)
    infinite.rescale = .infinity
    recipes += [endless, broken, short, infinite]
    for recipe in recipes {
      #expect(throws: ImageError.self) { try recipe.run(image) }
    }
  }
}
