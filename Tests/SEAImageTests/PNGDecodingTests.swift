// SPDX-License-Identifier: Apache-2.0
// Every kind of PNG, and the ways a PNG can lie.

import SEAImage
import Testing

@Suite struct PNGDecodingTests {
  private func decode(_ builder: PNGBuilder, gray16: Gray16Policy = .highByte) throws -> [UInt8] {
    try ImageFile.decode(bytes: builder.bytes, name: "made.png", gray16: gray16).pixels
  }

  private func error(_ bytes: [UInt8]) -> ImageError? {
    #expect(throws: ImageError.self) { try ImageFile.decode(bytes: bytes, name: "made.png") }
  }

  private let plain = PNGBuilder.rgb(
    width: 2,
    height: 2,
    pixels: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
  )

  @Test func grayOfEveryDepthIsSpreadOverTheRange() throws {
    let cases: [(depth: Int, row: [UInt8], grays: [UInt8])] = [
      (1, [0b1010_0000], [255, 0, 255]), (2, [0b0001_1011], [0, 85, 170]),
      (4, [0x1F, 0x80], [17, 255, 136]), (8, [3, 200, 77], [3, 200, 77]),
      (16, [1, 200, 0, 99, 255, 1], [1, 0, 255]),
    ]
    for (depth, row, grays) in cases {
      let builder = PNGBuilder(
        width: 3,
        height: 1,
        depth: depth,
        colorType: 0,
        rows: [0] + row,
        chunksBefore: PNGBuilder.chunk("tRNS", [0, 1])
      )
      #expect(try decode(builder) == grays.flatMap { [$0, $0, $0] }, "\(depth) bits")
    }
    let deep = PNGBuilder(
      width: 3,
      height: 1,
      depth: 16,
      colorType: 0,
      rows: [0, 1, 200, 0, 99, 255, 1]
    )
    #expect(try decode(deep, gray16: .clipped) == [255, 255, 255, 99, 99, 99, 255, 255, 255])
  }

  @Test func alphaIsDroppedNotBlended() throws {
    let grayAlpha = PNGBuilder(width: 2, height: 1, colorType: 4, rows: [0, 9, 0, 200, 128])
    #expect(try decode(grayAlpha) == [9, 9, 9, 200, 200, 200])
    let colorAlpha = PNGBuilder(
      width: 2,
      height: 1,
      colorType: 6,
      rows: [0, 1, 2, 3, 0, 4, 5, 6, 128]
    )
    #expect(try decode(colorAlpha) == [1, 2, 3, 4, 5, 6])
    let deepAlpha = PNGBuilder(
      width: 1,
      height: 1,
      depth: 16,
      colorType: 6,
      rows: [0, 1, 255, 2, 255, 3, 255, 0, 0]
    )
    #expect(try decode(deepAlpha) == [1, 2, 3])
    let deepGrayAlpha = PNGBuilder(
      width: 1,
      height: 1,
      depth: 16,
      colorType: 4,
      rows: [0, 77, 255, 0, 0]
    )
    #expect(try decode(deepGrayAlpha, gray16: .clipped) == [77, 77, 77])
  }

  @Test func paletteIgnoresTransparencyAndGamma() throws {
    let chunks =
      PNGBuilder.chunk("gAMA", bigEndian32(100_000))
      + PNGBuilder.chunk("PLTE", [10, 20, 30, 40, 50, 60])
      + PNGBuilder.chunk("tRNS", [0, 128])
    let builder = PNGBuilder(
      width: 3,
      height: 1,
      colorType: 3,
      rows: [0, 1, 0, 200],
      chunksBefore: chunks
    )
    // An index past the palette is black, as in Pillow.
    #expect(try decode(builder) == [40, 50, 60, 10, 20, 30, 0, 0, 0])
    let packed = PNGBuilder(
      width: 3,
      height: 1,
      depth: 1,
      colorType: 3,
      rows: [0, 0b0100_0000],
      chunksBefore: chunks
    )
    #expect(try decode(packed) == [10, 20, 30, 40, 50, 60, 10, 20, 30])
  }

  @Test func interlacedRowsFindTheirPlaces() throws {
    // A 3 x 3 picture has pixels in Adam7's passes 1, 4, 5, 6 and 7.
    let passes: [[UInt8]] = [[0, 0], [0, 2], [0, 6, 8], [0, 1], [0, 7], [0, 3, 4, 5]]
    let builder = PNGBuilder(
      width: 3,
      height: 3,
      colorType: 0,
      interlace: 1,
      rows: passes.flatMap { $0 }
    )
    #expect(try decode(builder) == (0..<9).flatMap { [UInt8]([$0, $0, $0]) })
  }

  @Test func formatIsToldByContent() throws {
    let image = try ImageFile.decode(bytes: plain.bytes, name: "holiday.jpg")
    #expect(image.pixels == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  }

  @Test func bytesAfterTheEndAreIgnored() throws {
    let image = try ImageFile.decode(
      bytes: plain.bytes + [UInt8](repeating: 0xAB, count: 5000),
      name: "made.png"
    )
    #expect(image.width == 2)
  }

  @Test func optionalChunksAreSkippedWhateverTheyHold() throws {
    var builder = plain
    let junk = [UInt8](repeating: 0x5A, count: 10_000_000)
    builder.chunksBefore =
      PNGBuilder.chunk("iCCP", junk)
      + PNGBuilder.chunk("zTXt", [0x61, 0, 0] + junk.prefix(100_000))
      + PNGBuilder.chunk("sBIT", [200]) + PNGBuilder.chunk("tRNS", [1])
    builder.chunksAfter = PNGBuilder.chunk("eXIf", [1, 2, 3]) + PNGBuilder.chunk("tIME", [])
    #expect(try decode(builder) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  }

  @Test func everyFlippedBitOfAChunkIsNoticed() {
    let bytes = plain.bytes
    for position in PNGBuilder.signature.count..<bytes.count - 12 {
      var damaged = bytes
      damaged[position] ^= 0x10
      #expect(throws: ImageError.self, "byte \(position)") {
        try ImageFile.decode(bytes: damaged, name: "made.png")
      }
    }
  }

  @Test func truncationIsNoticedAtEveryByte() {
    let bytes = plain.bytes
    for count in 1..<bytes.count {
      #expect(throws: ImageError.self, "\(count) bytes") {
        try ImageFile.decode(bytes: Array(bytes.prefix(count)), name: "made.png")
      }
    }
    guard case .truncated = error(Array(bytes.dropLast(20))) else {
      Issue.record("expected a truncation")
      return
    }
  }

  @Test func truncatedPictureIsShownWhenAllowed() throws {
    let pixels = (0..<64 * 64 * 3).map { UInt8($0 % 251) }
    let bytes = PNGBuilder.rgb(width: 64, height: 64, pixels: pixels).bytes
    let half = Array(bytes.prefix(bytes.count / 2))
    let image = try ImageFile.decode(bytes: half, name: "half.png", allowsTruncated: true)
    let rows = half.count / (64 * 3 + 1) - 1
    #expect(image.pixels.prefix(rows * 192).elementsEqual(pixels.prefix(rows * 192)))
    #expect(image.pixels.suffix(192).allSatisfy { $0 == 0 })
    let header = try ImageFile.header(bytes: half, name: "half.png", allowsTruncated: true)
    #expect(header.isTruncated)
  }

  @Test(arguments: [
    (65_535, 65_535), (2_147_483_647, 1), (1, 2_147_483_647), (0, 1), (1, 0), (8001, 8000),
    (4_294_967_295, 4_294_967_295),
  ])
  func sizesOutsideTheLimitsAreRefusedFromTheHeader(width: Int, height: Int) {
    let builder = PNGBuilder(width: width, height: height, rows: [0])
    switch error(builder.bytes) {
    case .badSize, .tooManyPixels: break
    case let other: Issue.record("\(String(describing: other))")
    }
  }

  @Test func tooLittleDataForTheSizeIsRefusedBeforeAllocation() {
    let builder = PNGBuilder(width: 8000, height: 8000, rows: [UInt8](repeating: 0, count: 900))
    guard case .truncated(_, .png, let detail) = error(builder.bytes) else {
      Issue.record("expected a truncation")
      return
    }
    #expect(detail.contains("cannot hold 8000 x 8000 pixels"))
  }

  @Test(arguments: [(0, 3), (1, 8), (2, 4), (3, 16), (4, 4), (5, 8), (6, 2), (7, 8)])
  func impossibleColorTypesAreRefused(colorType: Int, depth: Int) {
    let builder = PNGBuilder(
      width: 1,
      height: 1,
      depth: depth,
      colorType: colorType,
      rows: [0, 1, 2, 3, 4, 5, 6, 7, 8]
    )
    guard case .corrupt(_, .png, _) = error(builder.bytes) else {
      Issue.record("expected corruption")
      return
    }
  }

  @Test func missingPartsAreRefused() {
    var noPalette = plain
    noPalette.colorType = 3
    let noData = PNGBuilder.signature + plain.header + PNGBuilder.chunk("IEND", [])
    let noHeader =
      PNGBuilder.signature + PNGBuilder.chunk("IDAT", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    var badFilter = plain
    badFilter.rows[0] = 9
    var fewRows = plain
    fewRows.rows.removeLast(7)
    for bytes in [noPalette.bytes, noData, noHeader, badFilter.bytes, fewRows.bytes] {
      #expect(throws: ImageError.self) { try ImageFile.decode(bytes: bytes, name: "made.png") }
    }
  }

  @Test func animationIsRecognized() throws {
    var builder = plain
    builder.chunksBefore = PNGBuilder.chunk("acTL", bigEndian32(1000) + bigEndian32(0))
    #expect(try ImageFile.header(bytes: builder.bytes, name: "made.png").isAnimated)
    #expect(try decode(builder).count == 12)
  }
}
