// SPDX-License-Identifier: Apache-2.0
// A WebP's chunks, walked and checked before anything is decoded.

/// Where the first picture of a WebP is: its bytes in the file and its place on the canvas.
struct WebPPicture: Sendable, Equatable {
  /// The chunk of coded data from its name to the end of its content.
  let chunk: Range<Int>

  /// Columns and rows of the canvas before the picture.
  var left = 0
  var top = 0

  let width: Int
  let height: Int

  /// True when the picture lies within a canvas of the given size.
  func fits(width: Int, height: Int) -> Bool {
    left >= 0 && top >= 0 && self.width >= 1 && self.height >= 1
      && left + self.width <= width && top + self.height <= height
  }
}

/// Reads the container's chunks, the canvas and the first picture's own header.
///
/// Alpha, colour profiles and text are skipped unread. The animation's other pictures are counted,
/// not looked into.
///
/// - Source: RFC 9649; Pillow, which reads WebP through libwebp's animation decoder.
struct WebPHeader {
  private let context: HeaderContext

  /// Where the container ends, or the file if that comes first.
  private let end: Int

  private var header: ImageHeader
  private var hasOrientation = false
  private var pictures = 0
  private var isTruncated: Bool

  private static let chunkHeaderBytes = 8  // name and length
  private static let firstChunk = 12  // after "RIFF", the container's length and "WEBP"
  private static let animationFlag = 0x02
  private static let exifFlag = 0x08

  /// The header of the WebP in `context`.
  ///
  /// - Throws: `ImageError` when the size breaks the limits, the chunks break the format's rules,
  ///   there is no picture, or the file ends before its container does.
  static func read(_ context: HeaderContext) throws(ImageError) -> ImageHeader {
    var walk = try WebPHeader(context)
    try walk.readFirstChunk()
    guard let picture = walk.header.webPPicture else {
      throw walk.broken("no picture data")
    }
    try walk.checkDataSize(picture)
    walk.header.isAnimated = walk.pictures > 1
    walk.header.isTruncated = walk.isTruncated
    return walk.header
  }

  private init(_ context: HeaderContext) throws(ImageError) {
    guard let length = context.reader.littleEndian(4, size: 4) else {
      throw context.truncated("the file ends in its header")
    }
    let stated = WebPHeader.chunkHeaderBytes + length
    guard stated >= WebPHeader.firstChunk + WebPHeader.chunkHeaderBytes else {
      throw context.corrupt("a container of \(stated) bytes")
    }
    isTruncated = stated > context.reader.count
    guard context.allowsTruncated || !isTruncated else {
      throw context.truncated(
        "the container ends at byte \(stated), the file at byte \(context.reader.count)"
      )
    }
    self.context = context
    end = min(stated, context.reader.count)
    header = ImageHeader(format: .webp, width: 0, height: 0)
  }

  /// The error for missing content, which is no wonder where the file was cut.
  private func broken(_ detail: String) -> ImageError {
    isTruncated ? context.truncated(detail) : context.corrupt(detail)
  }

  private mutating func readFirstChunk() throws(ImageError) {
    guard let first = try chunk(at: WebPHeader.firstChunk, before: end) else { return }
    switch first.kind {
    case .lossy, .lossless:
      let picture = try readPicture(first)
      try context.checkSize(width: picture.width, height: picture.height)
      header.width = picture.width
      header.height = picture.height
      header.webPPicture = picture
    case .extended: try readExtended(first)
    default: throw context.corrupt("the first chunk is not VP8, VP8L or VP8X")
    }
  }

  /// Reads the canvas that a VP8X chunk states and all chunks after it.
  private mutating func readExtended(_ first: Chunk) throws(ImageError) {
    let reader = context.reader
    let start = first.content.lowerBound
    guard first.content.count >= 10, let flags = reader.byte(start),
      let lastColumn = reader.littleEndian(start + 4, size: 3),
      let lastRow = reader.littleEndian(start + 7, size: 3)
    else { throw broken("a VP8X chunk of \(first.content.count) bytes") }
    header.width = lastColumn + 1
    header.height = lastRow + 1
    try context.checkSize(width: header.width, height: header.height)

    let isAnimation = flags & WebPHeader.animationFlag != 0
    var offset = first.next
    while let chunk = try chunk(at: offset, before: end) {
      offset = chunk.next
      switch chunk.kind {
      case .extended: throw context.corrupt("a second VP8X chunk at byte \(chunk.start)")
      case .lossy, .lossless:
        guard !isAnimation, pictures == 0 else {
          throw context.corrupt("stray picture data at byte \(chunk.start)")
        }
        try setPicture(readPicture(chunk), mustFill: true)
      case .frame where isAnimation:
        if pictures == 0 { try setPicture(readFrame(chunk), mustFill: false) }
        pictures += 1
      case .exif where flags & WebPHeader.exifFlag != 0 && !hasOrientation:
        hasOrientation = true
        header.orientation = orientation(in: chunk.content)
      default: break
      }
    }
  }

  /// Refuses lossy data too short for the stated size, whatever it says; a lossless picture of one
  /// colour takes no data.
  private func checkDataSize(_ picture: WebPPicture) throws(ImageError) {
    guard !isTruncated, kind(at: picture.chunk.lowerBound) == .lossy else { return }
    let blocks = ((picture.width + 15) / 16) * ((picture.height + 15) / 16)
    // The modes of a block of 16 x 16 pixels are coded with fixed odds, at no less than one bit.
    guard blocks / 8 <= picture.chunk.count else {
      throw context.truncated(
        "\(picture.chunk.count) bytes of picture data cannot hold "
          + "\(picture.width) x \(picture.height) pixels"
      )
    }
  }

  private mutating func setPicture(_ picture: WebPPicture, mustFill: Bool) throws(ImageError) {
    let fills = picture.width == header.width && picture.height == header.height
    guard picture.fits(width: header.width, height: header.height), fills || !mustFill else {
      throw context.corrupt(
        "a picture of \(picture.width) x \(picture.height) at (\(picture.left), \(picture.top)) "
          + "on a canvas of \(header.width) x \(header.height)"
      )
    }
    header.webPPicture = picture
    if mustFill { pictures = 1 }
  }

  /// The picture in an animation's frame: its place, then chunks of its own.
  private mutating func readFrame(_ frame: Chunk) throws(ImageError) -> WebPPicture {
    let reader = context.reader
    let start = frame.content.lowerBound
    guard frame.content.count >= 16, let left = reader.littleEndian(start, size: 3),
      let top = reader.littleEndian(start + 3, size: 3),
      let lastColumn = reader.littleEndian(start + 6, size: 3),
      let lastRow = reader.littleEndian(start + 9, size: 3)
    else { throw broken("an animation frame of \(frame.content.count) bytes") }
    var offset = start + 16
    while let chunk = try chunk(at: offset, before: frame.content.upperBound) {
      offset = chunk.next
      guard chunk.kind == .lossy || chunk.kind == .lossless else { continue }
      var picture = try readPicture(chunk)
      guard picture.width == lastColumn + 1, picture.height == lastRow + 1 else {
        throw context.corrupt(
          "a frame of \(lastColumn + 1) x \(lastRow + 1) holds "
            + "\(picture.width) x \(picture.height) pixels"
        )
      }
      picture.left = 2 * left
      picture.top = 2 * top
      return picture
    }
    throw broken("an animation frame without picture data at byte \(frame.start)")
  }

  /// The size that the first bytes of coded data state.
  private func readPicture(_ chunk: Chunk) throws(ImageError) -> WebPPicture {
    let reader = context.reader
    let start = chunk.content.lowerBound
    let range = chunk.start..<chunk.content.upperBound
    if chunk.kind == .lossless {
      // A signature byte, then 14 bits each of width - 1 and height - 1.
      guard chunk.content.count >= 5, reader.byte(start) == 0x2F,
        let sides = reader.littleEndian(start + 1, size: 4)
      else { throw broken("no lossless picture header at byte \(start)") }
      return WebPPicture(
        chunk: range,
        width: (sides & 0x3FFF) + 1,
        height: (sides >> 14 & 0x3FFF) + 1
      )
    }
    // A frame tag of three bytes, a start code, then 14 bits of each side under 2 bits of scale.
    guard chunk.content.count >= 10, reader.littleEndian(start + 3, size: 3) == 0x2A_019D,
      let width = reader.littleEndian(start + 6, size: 2),
      let height = reader.littleEndian(start + 8, size: 2)
    else { throw broken("no lossy key frame at byte \(start)") }
    return WebPPicture(chunk: range, width: width & 0x3FFF, height: height & 0x3FFF)
  }

  /// The orientation in an EXIF chunk, whose TIFF structure some writers put after JPEG's prefix.
  private func orientation(in content: Range<Int>) -> ExifOrientation {
    let prefix = context.reader.matches("Exif\0\0", at: content.lowerBound) ? 6 : 0
    guard content.count > prefix else { return .upright }
    return ExifOrientation.read(
      tiff: content.lowerBound + prefix..<content.upperBound,
      of: context.reader
    )
  }
}

extension WebPHeader {
  /// The chunks that are told apart; all others are skipped.
  private enum ChunkKind {
    case lossy
    case lossless
    case extended
    case frame
    case exif
    case other
  }

  private struct Chunk {
    let kind: ChunkKind
    /// Offset of the chunk's name.
    let start: Int
    let content: Range<Int>
    /// Offset of the chunk after this one; content of odd length is followed by one byte.
    let next: Int
  }

  /// The chunk at `offset` of a list that ends at `limit`, or nil at the list's end.
  ///
  /// Where the file was cut, the last chunk is as long as the file, and less than its first bytes
  /// is no chunk.
  private func chunk(at offset: Int, before limit: Int) throws(ImageError) -> Chunk? {
    guard offset < limit else { return nil }
    let isCut = isTruncated && limit == end
    let reader = context.reader
    let start = offset + WebPHeader.chunkHeaderBytes
    guard start <= limit, let length = reader.littleEndian(offset + 4, size: 4) else {
      guard isCut else {
        throw context.corrupt("\(limit - offset) bytes after the last chunk, at byte \(offset)")
      }
      return nil
    }
    guard isCut || length <= limit - start else {
      throw context.corrupt(
        "the chunk at byte \(offset) ends at byte \(start + length), its list at byte \(limit)"
      )
    }
    let contentEnd = min(start + length, limit)
    return Chunk(
      kind: kind(at: offset),
      start: offset,
      content: start..<contentEnd,
      next: contentEnd + length % 2
    )
  }

  private func kind(at offset: Int) -> ChunkKind {
    let names: [(StaticString, ChunkKind)] = [
      ("VP8 ", .lossy), ("VP8L", .lossless), ("VP8X", .extended), ("ANMF", .frame),
      ("EXIF", .exif),
    ]
    return names.first { context.reader.matches($0.0, at: offset) }?.1 ?? .other
  }
}
