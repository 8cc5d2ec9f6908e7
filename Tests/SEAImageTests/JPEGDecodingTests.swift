// SPDX-License-Identifier: Apache-2.0
// Kinds of JPEG, and the ways a JPEG can lie.

import SEAImage
import Testing

@Suite struct JPEGDecodingTests {
  private func error(_ bytes: [UInt8]) -> ImageError? {
    #expect(throws: ImageError.self) { try ImageFile.decode(bytes: bytes, name: "made.jpg") }
  }

  private func decode(_ builder: JPEGBuilder) throws -> PixelImage {
    try ImageFile.decode(bytes: builder.bytes, name: "made.jpg")
  }

  @Test(arguments: [1, 3], [0xC0, 0xC1, 0xC2] as [UInt8])
  func baselineAndProgressiveDecode(components: Int, frame: UInt8) throws {
    var builder = JPEGBuilder(width: 20, height: 9, components: components, frame: frame)
    if frame == 0xC2 { builder.extraScans = 1 }
    let image = try decode(builder)
    #expect(image.width == 20 && image.height == 9)
    #expect(image.pixels.allSatisfy { $0 == 128 })
  }

  @Test func invertedCMYKIsConvertedAsPillowDoes() throws {
    // Ink 127 of 255 on each channel under black 127: 128 - round(127 · 128 / 255).
    let image = try decode(JPEGBuilder(width: 8, height: 8, components: 4))
    #expect(image.pixels.allSatisfy { $0 == 64 })
  }

  @Test func truncationIsNoticedAtEveryStep() throws {
    let url = try PreprocessFixture.bundledURL("gray_150x100.jpg")
    let bytes = try fixtureBytes(url.path)
    _ = try ImageFile.decode(bytes: bytes, name: "whole.jpg")
    for count in Array(stride(from: 64, to: bytes.count, by: 64)) + [bytes.count - 1] {
      guard case .truncated(_, .jpeg, _) = error(Array(bytes.prefix(count))) else {
        Issue.record("\(count) bytes")
        continue
      }
    }
  }

  @Test func truncatedPictureIsShownWhenAllowed() throws {
    let bytes = try fixtureBytes(PreprocessFixture.bundledURL("gray_150x100.jpg").path)
    let whole = try ImageFile.decode(bytes: bytes, name: "whole.jpg")
    let part = try ImageFile.decode(
      bytes: Array(bytes.prefix(bytes.count * 2 / 3)),
      name: "part.jpg",
      allowsTruncated: true
    )
    // The first two rows of blocks lie well inside the part that is there.
    let count = 16 * 150 * 3
    #expect(part.pixels.prefix(count).elementsEqual(whole.pixels.prefix(count)))
    #expect(part != whole)
  }

  @Test func bytesAfterTheEndAreIgnored() throws {
    let bytes = JPEGBuilder(width: 8, height: 8).bytes + [UInt8](repeating: 0xFF, count: 1000)
    #expect(try ImageFile.decode(bytes: bytes, name: "made.jpg").width == 8)
  }

  @Test func restartMarkersInTheirPlacesAreFine() throws {
    let image = try decode(JPEGBuilder(width: 200, height: 100, restartInterval: 3))
    #expect(image.pixels.allSatisfy { $0 == 128 })
  }

  @Test func surplusRestartMarkersAreRefused() {
    let markers = (0..<100_000).flatMap { index -> [UInt8] in
      [0xFF, 0xD0 + UInt8(index % 8)]
    }
    for interval in [0, 1] {
      let builder = JPEGBuilder(
        width: 64,
        height: 64,
        restartInterval: interval,
        scanData: [0, 0] + markers
      )
      guard case .corrupt(_, .jpeg, _) = error(builder.bytes) else {
        Issue.record("interval \(interval)")
        continue
      }
    }
  }

  @Test func endlessScansAreRefused() {
    let builder = JPEGBuilder(width: 64, height: 64, frame: 0xC2, extraScans: 1000)
    #expect(
      error(builder.bytes)
        == .unsupported(file: "made.jpg", kind: "JPEG with more than 100 scans")
    )
  }

  @Test(arguments: [
    (0xC3 as UInt8, 8, 1, "lossless JPEG"), (0xC5, 8, 1, "hierarchical JPEG"),
    (0xC9, 8, 1, "arithmetic-coded JPEG"), (0xC0, 12, 1, "12-bit JPEG"),
    (0xC1, 12, 3, "12-bit JPEG"), (0xC0, 8, 2, "JPEG with 2 components"),
  ])
  func otherKindsAreRefusedByName(
    frame: UInt8,
    precision: Int,
    components: Int,
    kind: String
  ) {
    let builder = JPEGBuilder(
      width: 8,
      height: 8,
      components: components,
      frame: frame,
      precision: precision
    )
    #expect(error(builder.bytes) == .unsupported(file: "made.jpg", kind: kind))
  }

  @Test(arguments: [(0, 8), (8, 0), (65_535, 65_535), (65_535, 1000)])
  func sizesOutsideTheLimitsAreRefusedFromTheHeader(width: Int, height: Int) {
    var builder = JPEGBuilder(width: width, height: height)
    builder.scanData = [0, 0]
    switch error(builder.bytes) {
    case .badSize, .tooManyPixels: break
    case let other: Issue.record("\(String(describing: other))")
    }
  }

  @Test func tooLittleDataForTheSizeIsRefusedBeforeAllocation() {
    let builder = JPEGBuilder(
      width: 8000,
      height: 8000,
      frame: 0xC2,
      scanData: [UInt8](repeating: 0, count: 100)
    )
    guard case .truncated(_, .jpeg, let detail) = error(builder.bytes) else {
      Issue.record("expected a truncation")
      return
    }
    #expect(detail.contains("cannot hold 8000 x 8000 pixels"))
  }

  @Test func madeUpPixelsAreRefused() {
    // Half the data, and a code that no table has.
    let short = JPEGBuilder(
      width: 64,
      height: 64,
      scanData: [UInt8](repeating: 0, count: 8)
    )
    let bad = JPEGBuilder(
      width: 64,
      height: 64,
      scanData: [0xFE] + [UInt8](repeating: 0xEE, count: 31)
    )
    for builder in [short, bad] {
      #expect(throws: ImageError.self) { try decode(builder) }
    }
  }

  @Test func brokenStructureIsRefused() {
    let plain = JPEGBuilder(width: 8, height: 8)
    var twoStarts = plain
    twoStarts.segments = [0xFF, 0xD8]
    var twoFrames = plain
    twoFrames.segments = JPEGBuilder.segment(
      0xC0,
      [8] + bigEndian16(9) + bigEndian16(9) + [1, 1, 0x11, 0]
    )
    var tinySegment = plain
    tinySegment.segments = [0xFF, 0xE0, 0, 1]
    var shortFrame = plain
    shortFrame.segments = JPEGBuilder.segment(0xC0, [8, 0, 8])
    let onlyMarkers: [UInt8] = [0xFF, 0xD8, 0xFF, 0xD9]
    for bytes in [
      twoStarts.bytes, twoFrames.bytes, tinySegment.bytes, shortFrame.bytes, onlyMarkers,
    ] {
      #expect(throws: ImageError.self) { try ImageFile.decode(bytes: bytes, name: "made.jpg") }
    }
  }

  @Test func damagedBytesNeverCrash() throws {
    let bytes = try fixtureBytes(PreprocessFixture.bundledURL("gray_150x100.jpg").path)
    var state: UInt64 = 42
    for _ in 0..<400 {
      var damaged = bytes
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        damaged[Int(state >> 33) % damaged.count] = UInt8(truncatingIfNeeded: state >> 56)
      }
      _ = try? ImageFile.decode(bytes: damaged, name: "damaged.jpg", orientation: .applied)
      _ = try? ImageFile.decode(bytes: damaged, name: "damaged.jpg", allowsTruncated: true)
    }
  }
}
