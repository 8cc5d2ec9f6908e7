// SPDX-License-Identifier: Apache-2.0
// The door: what is recognised, what is refused, and what is said about it.

import SEAImage
import SEATensor
import Testing

@Suite struct ImageFileTests {
  private func message(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) -> String {
    do {
      _ = try ImageFile.decode(bytes: bytes, name: "photo.jpg", limits: limits)
      return "decoded"
    } catch {
      return "\(error)"
    }
  }

  @Test func emptyAndTextFilesAreNotPictures() {
    #expect(message([]) == "photo.jpg: empty file, expected a picture")
    #expect(
      message(Array("hello, world".utf8))
        == "photo.jpg: not a picture: starts with 68 65 6c 6c, expected PNG, JPEG or WebP"
    )
    #expect(
      message([0xFF]) == "photo.jpg: not a picture: starts with ff, expected PNG, JPEG or WebP"
    )
  }

  @Test(arguments: [
    (Array("GIF87a".utf8), "GIF"), (Array("GIF89a".utf8), "GIF"),
    (Array("BM\0\0\0\0\0\0\0\0".utf8), "BMP"), (Array("II*\0".utf8), "TIFF"),
    (Array("\0\0\0\u{18}ftypavif".utf8), "AVIF"), (Array("\0\0\0\u{18}ftypheic".utf8), "HEIF"),
  ])
  func otherFormatsAreRefusedByName(bytes: [UInt8], name: String) {
    #expect(message(bytes) == "photo.jpg: unsupported: \(name)")
  }

  @Test func longFilesAreRefusedBeforeTheyAreLookedAt() {
    let limits = ImageLimits(maxBytes: 100)
    #expect(
      message([UInt8](repeating: 0, count: 101), limits: limits)
        == "photo.jpg: 101 bytes, at most 100 are read"
    )
  }

  @Test func limitsAreTheCallers() throws {
    let bytes = PNGBuilder.rgb(
      width: 4,
      height: 3,
      pixels: [UInt8](repeating: 9, count: 36)
    ).bytes
    #expect(
      message(bytes, limits: ImageLimits(maxPixels: 11))
        == "photo.jpg: 4 x 3 pixels, at most 11 pixels are decoded"
    )
    #expect(
      message(bytes, limits: ImageLimits(sides: 4...100))
        == "photo.jpg: 4 x 3 pixels, each side must be 4 to 100"
    )
    #expect(message(bytes, limits: ImageLimits(maxPixels: 12, sides: 3...4)) == "decoded")
  }

  @Test func viewsAndArraysDecodeAlike() throws {
    let bytes = PNGBuilder.rgb(width: 1, height: 1, pixels: [3, 4, 5]).bytes
    let image = try ImageFile.decode(bytes: ByteView(bytes), name: "view")
    #expect(try image == ImageFile.decode(bytes: bytes, name: "array"))
    #expect(throws: ImageError.tooManyBytes(file: "view", count: bytes.count, limit: 5)) {
      try ImageFile.decode(
        bytes: ByteView(bytes),
        name: "view",
        limits: ImageLimits(maxBytes: 5)
      )
    }
  }

  @Test func namesInMessagesCannotForgeLines() {
    let error = #expect(throws: ImageError.self) {
      try ImageFile.decode(bytes: Array("GIF89a".utf8), name: "a\n\u{1B}[2Jb\u{202E}.png")
    }
    #expect(
      error.map { "\($0)" } == "a\\u{a}\\u{1b}[2Jb\\u{202e}.png: unsupported: GIF"
    )
  }

  @Test func headersAreShownBeforeDecoding() throws {
    var builder = PNGBuilder.rgb(width: 1, height: 1, pixels: [3, 4, 5])
    builder.rows[0] = 9  // a filter that does not exist
    var seen: ImageHeader?
    #expect(throws: ImageError.self) {
      try ImageFile.decode(bytes: builder.bytes, name: "made.png") { seen = $0 }
    }
    #expect(seen?.width == 1 && seen?.isAnimated == false)
  }

  @Test func missingFilesAreFileErrors() {
    #expect(throws: FileError.missing(path: "/nowhere/at/all.png")) {
      try ImageFile.read(path: "/nowhere/at/all.png")
    }
  }
}
