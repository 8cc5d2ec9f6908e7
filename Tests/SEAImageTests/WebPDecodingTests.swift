// SPDX-License-Identifier: Apache-2.0
// Kinds of WebP against Pillow, and the ways a WebP can lie.

import SEAImage
import TestSupport
import Testing

@Suite struct WebPDecodingTests {
  static let stills = [
    "lossy_61x47.webp", "lossless_50x37.webp", "palette_33x20.webp",
    "lossy_alpha_exif6_45x30.webp", "lossless_alpha_45x30.webp",
  ]
  static let animation = "animated_48x32.webp"
  static let all = stills + [animation]

  private func fixture(_ name: String) throws -> [UInt8] {
    try fixtureBytes(PreprocessFixture.bundledURL(name).path)
  }

  private func error(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) -> ImageError? {
    #expect(throws: ImageError.self) {
      try ImageFile.decode(bytes: bytes, name: "made.webp", limits: limits)
    }
  }

  @Test(arguments: all)
  func pixelsAreThoseOfPillow(name: String) throws {
    let expected = try ImageFile.decode(bytes: fixture(name + ".png"), name: "expected")
    #expect(try ImageFile.decode(bytes: fixture(name), name: name) == expected)
    let header = try ImageFile.header(bytes: fixture(name), name: name)
    #expect(header.format == .webp)
    #expect(header.isAnimated == (name == Self.animation))
    #expect(header.width == expected.width && header.height == expected.height)
  }

  @Test func orientationIsAppliedWhenAskedFor() throws {
    let bytes = try fixture("lossy_alpha_exif6_45x30.webp")
    let stored = try ImageFile.decode(bytes: bytes, name: "stored")
    let upright = try ImageFile.decode(bytes: bytes, name: "upright", orientation: .applied)
    #expect(stored.width == 45 && upright.width == 30)
    #expect(upright == stored.turned(from: .quarterTurnedLeft))
  }

  @Test(arguments: 1...8)
  func orientationIsFoundInEitherFormOfChunk(orientation: Int) throws {
    let picture = WebPBuilder.lossless(width: 3, height: 2)
    let block = exifBlock(orientation: orientation, isBigEndian: orientation % 2 == 0)
    for exif in [block, Array("Exif\0\0".utf8) + block] {
      for (flags, expected) in [(8 as UInt8, orientation), (0, 1)] {
        let bytes = WebPBuilder.file(
          WebPBuilder.canvas(width: 3, height: 2, flags: flags),
          picture,
          WebPBuilder.chunk("EXIF", exif)
        )
        let header = try ImageFile.header(bytes: bytes, name: "made.webp")
        #expect(header.orientation.rawValue == expected)
      }
    }
  }

  @Test(arguments: all)
  func truncationIsNoticedAtEveryStep(name: String) throws {
    let bytes = try fixture(name)
    for count in Array(stride(from: 64, to: bytes.count, by: 64)) + [13, 21, bytes.count - 1] {
      guard case .truncated(_, .webp, _) = error(Array(bytes.prefix(count))) else {
        Issue.record("\(name): \(count) bytes")
        continue
      }
    }
  }

  @Test(arguments: stills)
  func dataThatEndEarlyInAWholeContainerAreRefused(name: String) throws {
    let bytes = try fixture(name)
    // The container and its last chunk say what is there, so only the decoder can tell.
    let isExtended = bytes[12..<16].elementsEqual("VP8X".utf8)
    guard !isExtended else { return }
    let content = Array(bytes[20..<(20 + (bytes.count - 20) / 2)])
    let cut = WebPBuilder.file(
      WebPBuilder.chunk(String(decoding: bytes[12..<16], as: UTF8.self), content)
    )
    #expect(error(cut) != nil)
  }

  @Test func truncatedPictureIsShownWhenAllowed() throws {
    for name in ["lossy_61x47.webp", "lossless_50x37.webp"] {
      let bytes = try fixture(name)
      let whole = try ImageFile.decode(bytes: bytes, name: name)
      let part = try ImageFile.decode(
        bytes: Array(bytes.prefix(bytes.count * 4 / 5)),
        name: name,
        allowsTruncated: true
      )
      #expect(
        part.pixels.prefix(3 * whole.width).elementsEqual(whole.pixels.prefix(3 * whole.width))
      )
      #expect(part.pixels.count == whole.pixels.count && part != whole, "\(name)")
    }
  }

  @Test func firstPictureOfAnAnimationLiesOnBlack() throws {
    var codes = WebPBuilder.soundCodes
    codes[0] = codes[0].indices.map { (200...201).contains($0) ? 1 : 0 }
    let bright = WebPBuilder.lossless(width: 2, height: 1, codes: codes)
    let bytes = WebPBuilder.file(
      WebPBuilder.canvas(width: 5, height: 4, flags: 2),
      WebPBuilder.animation,
      WebPBuilder.frame(left: 1, top: 1, width: 2, height: 1, bright),
      WebPBuilder.frame(width: 5, height: 4, [])
    )
    let header = try ImageFile.header(bytes: bytes, name: "made.webp")
    #expect(header.isAnimated && header.width == 5 && header.height == 4)
    var expected = [UInt8](repeating: 0, count: 60)
    for column in [2, 3] { expected[3 * (2 * 5 + column) + 1] = 200 }
    #expect(try ImageFile.decode(bytes: bytes, name: "made.webp").pixels == expected)
  }

  @Test func bytesAfterTheContainerAreIgnored() throws {
    let bytes = try fixture("lossy_61x47.webp")
    let longer = bytes + [UInt8](repeating: 0xAA, count: 999)
    #expect(
      try ImageFile.decode(bytes: longer, name: "longer")
        == ImageFile.decode(bytes: bytes, name: "exact")
    )
  }

  @Test func brokenContainersAreRefused() {
    let picture = WebPBuilder.lossless(width: 3, height: 2)
    let canvas = WebPBuilder.canvas(width: 3, height: 2, flags: 0)
    let animated = WebPBuilder.canvas(width: 3, height: 2, flags: 2)
    let cases: [(what: String, bytes: [UInt8])] = [
      ("nothing", WebPBuilder.file()),
      ("no picture", WebPBuilder.file(canvas)),
      ("no frame", WebPBuilder.file(animated, WebPBuilder.animation)),
      ("text first", WebPBuilder.file(WebPBuilder.chunk("XMP ", [1, 2]), picture)),
      ("two canvases", WebPBuilder.file(canvas, canvas, picture)),
      ("two pictures", WebPBuilder.file(canvas, picture, picture)),
      ("a still among frames", WebPBuilder.file(animated, picture)),
      (
        "another size",
        WebPBuilder.file(canvas, WebPBuilder.lossless(width: 2, height: 3))
      ),
      (
        "outside the canvas",
        WebPBuilder.file(animated, WebPBuilder.frame(left: 1, width: 3, height: 2, picture))
      ),
      (
        "a frame of another size",
        WebPBuilder.file(animated, WebPBuilder.frame(width: 2, height: 2, picture))
      ),
      ("an empty frame", WebPBuilder.file(animated, WebPBuilder.frame(width: 3, height: 2, []))),
      ("a short frame", WebPBuilder.file(animated, WebPBuilder.chunk("ANMF", [0, 0, 0]))),
      ("a short canvas", WebPBuilder.file(WebPBuilder.chunk("VP8X", [0, 0, 0, 0]), picture)),
      ("loose bytes", WebPBuilder.file(canvas, picture, [1, 2, 3])),
      (
        "a chunk past the end",
        WebPBuilder.file(canvas, picture, Array("XMP ".utf8) + [0xFF, 0xFF, 0xFF, 0xFF])
      ),
      (
        "no key frame",
        WebPBuilder.file(WebPBuilder.chunk("VP8 ", [1] + [UInt8](repeating: 0, count: 20)))
      ),
      (
        "no signature",
        WebPBuilder.file(WebPBuilder.chunk("VP8L", [UInt8](repeating: 0, count: 20)))
      ),
    ]
    for (what, bytes) in cases {
      guard case .corrupt(_, .webp, _) = error(bytes) else {
        Issue.record("\(what)")
        continue
      }
    }
  }

  @Test func sizesOutsideTheLimitsAreRefusedFromTheHeader() {
    let side = 16_383
    let data = [UInt8](repeating: 0, count: 8)
    for bytes in [
      WebPBuilder.file(WebPBuilder.lossy(width: side, height: side, data: data)),
      WebPBuilder.file(WebPBuilder.chunk("VP8L", [0x2F, 0xFE, 0xBF, 0xFF, 0x0F] + data)),
      WebPBuilder.file(WebPBuilder.canvas(width: side, height: side, flags: 0)),
    ] {
      #expect(bytes.count < 64)
      #expect(
        error(bytes)
          == .tooManyPixels(file: "made.webp", width: side, height: side, limit: 64_000_000)
      )
    }
    let canvas = WebPBuilder.file(WebPBuilder.canvas(width: 1 << 24, height: 1, flags: 2))
    guard case .badSize(_, width: 1 << 24, height: 1, _) = error(canvas) else {
      Issue.record("a canvas of 2^24 columns")
      return
    }
    for (width, height) in [(0, 5), (5, 0)] {
      let bytes = WebPBuilder.file(WebPBuilder.lossy(width: width, height: height, data: data))
      guard case .badSize = error(bytes) else {
        Issue.record("\(width) x \(height)")
        continue
      }
    }
  }

  @Test func tooLittleDataForTheSizeIsRefusedBeforeAllocation() {
    let picture = WebPBuilder.lossy(width: 8000, height: 8000, data: [0, 0, 0, 0])
    guard case .truncated(_, .webp, let detail) = error(WebPBuilder.file(picture)) else {
      Issue.record("expected a truncation")
      return
    }
    #expect(detail.contains("cannot hold 8000 x 8000 pixels"))
  }

  @Test func soundCodesDecode() throws {
    let bytes = WebPBuilder.file(WebPBuilder.lossless(width: 3, height: 2))
    let image = try ImageFile.decode(bytes: bytes, name: "made.webp")
    #expect(image.pixels == [UInt8](repeating: 0, count: 18))
  }

  @Test func badHuffmanTablesAreRefused() {
    var random = SeededRandom(seed: 4863)
    for (index, count) in WebPBuilder.alphabets.enumerated() {
      var codes = [
        // Codes that leave bits without a symbol, in one level of tables and in two.
        [Int](repeating: 0, count: count), [Int](repeating: 15, count: count),
        (0..<count).map { $0 < 15 ? $0 + 1 : 0 }, (0..<count).map { $0 < 40 ? 9 + $0 % 7 : 0 },
        // Codes with more symbols than bits.
        (0..<count).map { $0 < 3 ? 1 : 0 }, [Int](repeating: 1, count: count),
        [Int](repeating: 5, count: count),
      ]
      while codes.count < 200 {
        let lengths = (0..<count).map { _ in Int.random(in: 0...15, using: &random) }
        let space = lengths.reduce(0) { $0 + ($1 > 0 ? 1 << (15 - $1) : 0) }
        if space != 1 << 15 { codes.append(lengths) }
      }
      for lengths in codes {
        var all = WebPBuilder.soundCodes
        all[index] = lengths
        let bytes = WebPBuilder.file(WebPBuilder.lossless(width: 3, height: 2, codes: all))
        guard case .corrupt(_, .webp, _) = error(bytes) else {
          Issue.record("code \(index): \(lengths)")
          return
        }
      }
    }
  }

  @Test func damagedBytesNeverCrash() throws {
    var random = SeededRandom(seed: 7)
    let files = try Self.all.map(fixture)
    // Sizes are damaged too; large ones cost time and show nothing.
    let limits = ImageLimits(maxPixels: 1_000_000)
    for index in 0..<2000 {
      var damaged = files[index % files.count]
      for _ in 0...Int.random(in: 0...3, using: &random) {
        let place = Int.random(in: 12..<damaged.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: damaged[place] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
        case 2: damaged.remove(at: place)
        default: damaged[place] = UInt8.random(in: 0...255, using: &random)
        }
      }
      for allowsTruncated in [false, true] {
        let image = try? ImageFile.decode(
          bytes: damaged,
          name: "damaged.webp",
          limits: limits,
          orientation: .applied,
          allowsTruncated: allowsTruncated
        )
        if let image { #expect(image.pixels.count == 3 * image.width * image.height) }
      }
    }
  }
}
