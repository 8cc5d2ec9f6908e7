// SPDX-License-Identifier: Apache-2.0
// A PNG's header and chunk list, checked before anything is decompressed.

/// Reads the IHDR chunk, walks the list of chunks and weighs the picture data.
struct PNGHeader {
  private let context: HeaderContext
  private var header: ImageHeader
  private var compressedBytes = 0

  /// Bytes of all rows with their filter bytes, as they come out of the decompressor.
  private let rowBytes: Int

  private static let signatureBytes = 8
  private static let chunkOverhead = 12  // length, type and checksum
  private static let maxInflation = 1032  // deflate codes at most 258 bytes in 2 bits

  /// The header of the PNG in `context`.
  ///
  /// - Throws: `ImageError` when the size breaks the limits, the header breaks the format's rules,
  ///   or the chunks cannot hold the picture.
  static func read(_ context: HeaderContext) throws(ImageError) -> ImageHeader {
    var walk = try PNGHeader(context)
    try walk.readChunks()
    try walk.checkDataSize()
    return walk.header
  }

  private init(_ context: HeaderContext) throws(ImageError) {
    let reader = context.reader
    let start = PNGHeader.signatureBytes
    guard let length = reader.bigEndian32(start), let width = reader.bigEndian32(start + 8),
      let height = reader.bigEndian32(start + 12), let depth = reader.byte(start + 16),
      let colorType = reader.byte(start + 17), let compression = reader.byte(start + 18),
      let filter = reader.byte(start + 19), let interlace = reader.byte(start + 20)
    else { throw context.truncated("the file ends in its header") }
    guard length == 13, reader.matches("IHDR", at: start + 4) else {
      throw context.corrupt("the first chunk is not IHDR of 13 bytes")
    }
    try context.checkSize(width: width, height: height)
    guard let channels = PNGHeader.channels(colorType: colorType, depth: depth) else {
      throw context.corrupt("colour type \(colorType) with bit depth \(depth)")
    }
    guard compression == 0, filter == 0, interlace <= 1 else {
      throw context.corrupt(
        "compression \(compression), filter \(filter), interlace \(interlace) in IHDR"
      )
    }
    self.context = context
    header = ImageHeader(format: .png, width: width, height: height)
    rowBytes = PNGHeader.rowBytes(
      width: width,
      height: height,
      bitsPerPixel: channels * depth,
      isInterlaced: interlace == 1
    )
  }

  private mutating func readChunks() throws(ImageError) {
    let reader = context.reader
    var offset = PNGHeader.signatureBytes
    while true {
      guard let length = reader.bigEndian32(offset), reader.bigEndian32(offset + 4) != nil else {
        return try endEarly("the file ends at byte \(reader.count) without an IEND chunk")
      }
      let end = offset + PNGHeader.chunkOverhead + length
      guard end <= reader.count else {
        // What there is of a last chunk of picture data can still be shown.
        if reader.matches("IDAT", at: offset + 4) { compressedBytes += reader.count - offset - 8 }
        return try endEarly(
          "the chunk at byte \(offset) ends at byte \(end), the file at byte \(reader.count)"
        )
      }
      let content = offset + 8..<end - 4
      if reader.matches("IEND", at: offset + 4) { return }
      if reader.matches("IDAT", at: offset + 4) {
        compressedBytes += content.count
      } else if reader.matches("eXIf", at: offset + 4) {
        header.orientation = ExifOrientation.read(tiff: content, of: reader)
      } else if reader.matches("acTL", at: offset + 4) {
        header.isAnimated = true
      }
      offset = end
    }
  }

  private mutating func endEarly(_ detail: String) throws(ImageError) {
    guard context.allowsTruncated, compressedBytes > 0 else { throw context.truncated(detail) }
    header.isTruncated = true
  }

  /// Refuses picture data too short for the stated size, whatever it says.
  private func checkDataSize() throws(ImageError) {
    guard compressedBytes > 0 else { throw context.corrupt("no picture data (IDAT)") }
    guard header.isTruncated || rowBytes / PNGHeader.maxInflation <= compressedBytes else {
      throw context.truncated(
        "\(compressedBytes) bytes of picture data cannot hold "
          + "\(header.width) x \(header.height) pixels"
      )
    }
  }

  /// Samples per pixel, or nil when the format does not allow the pair.
  private static func channels(colorType: Int, depth: Int) -> Int? {
    switch (colorType, depth) {
    case (0, 1), (0, 2), (0, 4), (0, 8), (0, 16): 1
    case (2, 8), (2, 16): 3
    case (3, 1), (3, 2), (3, 4), (3, 8): 1
    case (4, 8), (4, 16): 2
    case (6, 8), (6, 16): 4
    default: nil
    }
  }

  private static func rowBytes(
    width: Int,
    height: Int,
    bitsPerPixel: Int,
    isInterlaced: Bool
  ) -> Int {
    func bytes(_ columns: Int, _ rows: Int) -> Int {
      columns > 0 ? rows * (1 + (columns * bitsPerPixel + 7) / 8) : 0
    }
    guard isInterlaced else { return bytes(width, height) }
    // Adam7: first column and row, then the step along each, of the seven passes.
    let passes = [
      (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
      (0, 1, 1, 2),
    ]
    return passes.reduce(0) { sum, pass in
      let (column, row, columnStep, rowStep) = pass
      let columns = (width - column + columnStep - 1) / columnStep
      let rows = (height - row + rowStep - 1) / rowStep
      return sum + bytes(columns, rows)
    }
  }
}
