// SPDX-License-Identifier: Apache-2.0
// EXIF orientation: found, applied, and never followed in circles.

import SEAImage
import Testing

@Suite struct OrientationTests {
  /// A picture of 3 x 2 pixels numbered from 0 in its red channel.
  private let numbered = PixelImage(
    width: 3,
    height: 2,
    pixels: (0..<6).flatMap { [UInt8]([$0, 0, 0]) }
  )

  /// The rows of pixel numbers that Pillow's `exif_transpose` gives.
  static let turned: [(orientation: Int, rows: [[UInt8]])] = [
    (1, [[0, 1, 2], [3, 4, 5]]), (2, [[2, 1, 0], [5, 4, 3]]), (3, [[5, 4, 3], [2, 1, 0]]),
    (4, [[3, 4, 5], [0, 1, 2]]), (5, [[0, 3], [1, 4], [2, 5]]), (6, [[3, 0], [4, 1], [5, 2]]),
    (7, [[5, 2], [4, 1], [3, 0]]), (8, [[2, 5], [1, 4], [0, 3]]),
  ]

  private func rows(_ image: PixelImage) -> [[UInt8]] {
    (0..<image.height).map { row in
      (0..<image.width).map { image.pixels[3 * (row * image.width + $0)] }
    }
  }

  @Test(arguments: turned, [false, true])
  func pngIsTurnedAsItsExifSays(
    expected: (orientation: Int, rows: [[UInt8]]),
    isBigEndian: Bool
  ) throws {
    var builder = PNGBuilder.rgb(width: 3, height: 2, pixels: numbered.pixels)
    let exif = exifBlock(orientation: expected.orientation, isBigEndian: isBigEndian)
    builder.chunksAfter = PNGBuilder.chunk("eXIf", exif)
    let upright = try ImageFile.decode(
      bytes: builder.bytes,
      name: "made.png",
      orientation: .applied
    )
    #expect(rows(upright) == expected.rows)
    let stored = try ImageFile.decode(bytes: builder.bytes, name: "made.png")
    #expect(stored == numbered)
  }

  @Test(arguments: 1...8)
  func jpegOrientationIsFound(orientation: Int) throws {
    let exif = exifBlock(orientation: orientation, isBigEndian: orientation % 2 == 0)
    let builder = JPEGBuilder(
      width: 16,
      height: 8,
      segments: JPEGBuilder.segment(0xE1, Array("Exif\0\0".utf8) + exif)
    )
    let header = try ImageFile.header(bytes: builder.bytes, name: "made.jpg")
    #expect(header.orientation.rawValue == orientation)
    let image = try ImageFile.decode(
      bytes: builder.bytes,
      name: "made.jpg",
      orientation: .applied
    )
    #expect(image.width == (orientation >= 5 ? 8 : 16))
  }

  @Test func hostileExifIsUpright() throws {
    let sound = exifBlock(orientation: 6, isBigEndian: false)
    var farDirectory = sound
    farDirectory.replaceSubrange(4..<8, with: [0xFF, 0xFF, 0xFF, 0xFF])
    var manyEntries = exifBlock(orientation: 200, isBigEndian: true)
    manyEntries.replaceSubrange(8..<10, with: [0xFF, 0xFF])
    let blocks: [[UInt8]] = [
      [], Array(sound.prefix(9)), Array(sound.prefix(15)), farDirectory, manyEntries,
      exifBlock(orientation: 0, isBigEndian: true), exifBlock(orientation: 9, isBigEndian: false),
      [UInt8](repeating: 0x49, count: 65_000), [UInt8](repeating: 0, count: 65_000),
    ]
    for block in blocks {
      let builder = JPEGBuilder(
        width: 16,
        height: 8,
        segments: JPEGBuilder.segment(0xE1, Array("Exif\0\0".utf8) + block)
      )
      #expect(
        try ImageFile.header(bytes: builder.bytes, name: "made.jpg").orientation == .upright
      )
    }
  }

  @Test func directoriesInACircleAreReadOnce() throws {
    let exif = exifBlock(orientation: 3, isBigEndian: true, nextDirectory: 8)
    var builder = PNGBuilder.rgb(width: 3, height: 2, pixels: numbered.pixels)
    builder.chunksBefore = PNGBuilder.chunk("eXIf", exif)
    let header = try ImageFile.header(bytes: builder.bytes, name: "made.png")
    #expect(header.orientation == .halfTurned)
  }
}
