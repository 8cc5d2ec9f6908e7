// SPDX-License-Identifier: Apache-2.0
// The integer resampler against published coefficients and rows.

import SEAImage
import Testing

@Suite struct ResamplerTests {
  private func taps(_ input: Int, _ output: Int) -> ResampleTaps {
    ResampleTaps(
      filter: .bicubic,
      input: input,
      output: output,
      kept: 0..<output,
      picture: 0..<input
    )
  }

  /// A one-row picture resampled to `count` columns, its red channel.
  private func row(_ values: [UInt8], to count: Int) throws -> [UInt8] {
    let image = PixelImage(
      width: values.count,
      height: 1,
      pixels: values.flatMap { [$0, 0, 255] }
    )
    let recipe = ImageRecipe(
      name: "row",
      resize: .exact(ImageSize(height: 1, width: count)),
      mean: [0, 0, 0],
      std: [1, 1, 1]
    )
    let result = try recipe.resampled(image)
    return (0..<count).map { result.pixels[3 * $0] }
  }

  @Test func coefficientsMatchCheckValues() {
    let up = taps(4, 8)
    #expect(up.starts[0] == 0 && Array(up[0]) == [4_564_390, -370_086])
    #expect(up.starts[1] == 0 && Array(up[1]) == [3_398_305, 887_845, -91_846])
    let down = taps(8, 4)
    #expect(down.starts[0] == 0)
    #expect(Array(down[0]) == [1_947_982, 1_947_982, 508_932, -157_945, -52_648])
    #expect(down.starts[1] == 0)
    #expect(
      Array(down[1]) == [-145_748, 469_632, 1_797_559, 1_797_559, 469_632, -145_748, -48_583]
    )
  }

  @Test func impulseMatchesCheckValues() throws {
    let impulse: [UInt8] = [0, 0, 0, 0, 255, 0, 0, 0]
    #expect(try row(impulse, to: 4) == [0, 29, 109, 0])
    var expected = [UInt8](repeating: 0, count: 16)
    expected.replaceSubrange(7...10, with: [58, 221, 221, 58])
    #expect(try row(impulse, to: 16) == expected)
  }

  @Test func rampMatchesCheckValues() throws {
    let ramp = (0..<16).map { UInt8(17 * $0) }
    #expect(try row(ramp, to: 5) == [20, 72, 127, 183, 235])
    #expect(
      try row(ramp, to: 23) == [
        0, 8, 21, 33, 45, 57, 68, 80, 92, 104, 116, 128, 139, 151, 163, 175, 187, 198, 210, 222,
        234, 247, 255,
      ]
    )
    #expect(try row(ramp, to: 16) == ramp)
  }

  @Test func keptPartEqualsPartOfTheWhole() {
    for filter in ResampleFilter.allCases {
      for (input, output) in [(100, 37), (37, 100), (5, 5), (1, 9), (9, 1)] {
        let whole = ResampleTaps(
          filter: filter,
          input: input,
          output: output,
          kept: 0..<output,
          picture: 0..<input
        )
        let kept = output / 3..<output
        let part = ResampleTaps(
          filter: filter,
          input: input,
          output: output,
          kept: kept,
          picture: 0..<input
        )
        for (index, position) in kept.enumerated() {
          #expect(part.starts[index] == whole.starts[position])
          #expect(part[index].elementsEqual(whole[position]))
        }
      }
    }
  }

  @Test func weightsAddUpToOne() {
    for (input, output) in [(1000, 7), (7, 1000), (3, 2), (65_535, 336)] {
      let taps = taps(input, output)
      for index in 0..<output {
        // Each weight is rounded once, by at most one half.
        let error = abs(taps[index].reduce(0) { $0 + Int($1) } - 1 << ResampleTaps.fractionBits)
        #expect(2 * error <= taps[index].count)
      }
    }
  }

  @Test func barsEqualABuiltCanvas() throws {
    let fill = RGBColor(red: 200, green: 3, blue: 99)
    for (width, height) in [(31, 7), (7, 31), (40, 39), (1, 50)] {
      let pixels = (0..<width * height * 3).map { UInt8($0 * 89 % 256) }
      let side = max(width, height)
      var canvas = (0..<side * side).flatMap { _ in [fill.red, fill.green, fill.blue] }
      let (top, left) = ((side - height) / 2, (side - width) / 2)
      for row in 0..<height {
        let target = ((top + row) * side + left) * 3
        canvas.replaceSubrange(
          target..<target + width * 3,
          with: pixels[row * width * 3..<(row + 1) * width * 3]
        )
      }
      let picture = PixelImage(width: width, height: height, pixels: pixels)
      let built = PixelImage(width: side, height: side, pixels: canvas)
      for target in [9, 31, 64] {
        #expect(
          try ImageRecipe.siglipPad(side: target, fill: fill).resampled(picture)
            == ImageRecipe.siglip(side: target).resampled(built)
        )
      }
    }
  }
}
