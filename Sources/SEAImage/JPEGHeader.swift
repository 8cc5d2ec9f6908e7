// SPDX-License-Identifier: Apache-2.0
// A JPEG's markers, walked and checked before anything is decoded.

/// Reads the frame header, walks all markers to the end of the image and weighs the picture data.
struct JPEGHeader {
  private let context: HeaderContext
  private var frame: (width: Int, height: Int)?
  private var orientation: ExifOrientation?
  private var isTruncated = false
  private var blocks = 0  // of 8 x 8 samples, in all components
  private var scans = 0
  private var scanBytes = 0
  private var restartInterval = 0  // in units of one or more blocks; 0 means no restarts

  /// The header of the JPEG in `context`.
  ///
  /// - Throws: `ImageError` when the size breaks the limits, the kind of JPEG is not decoded, the
  ///   markers break the format's rules or the file ends before its end marker.
  static func read(_ context: HeaderContext) throws(ImageError) -> ImageHeader {
    var walk = JPEGHeader(context)
    try walk.readMarkers()
    guard let frame = walk.frame, walk.scans > 0 else {
      throw context.corrupt("no picture before the end marker")
    }
    // Every block takes at least one bit for its mean, so a small file cannot state a big picture.
    guard context.allowsTruncated || walk.blocks / 8 <= walk.scanBytes else {
      throw context.truncated(
        "\(walk.scanBytes) bytes of picture data cannot hold \(frame.width) x \(frame.height) pixels"
      )
    }
    return ImageHeader(
      format: .jpeg,
      width: frame.width,
      height: frame.height,
      orientation: walk.orientation ?? .upright,
      isTruncated: walk.isTruncated
    )
  }

  private init(_ context: HeaderContext) {
    self.context = context
  }

  private mutating func readMarkers() throws(ImageError) {
    var offset = 2  // past the start marker, which told the format
    while true {
      guard let (marker, content) = nextMarker(from: offset) else { return try endEarly() }
      switch marker {
      case Marker.endOfImage: return
      case Marker.temporary, Marker.restarts:
        offset = content
        continue
      case Marker.startOfImage:
        throw context.corrupt("a second start marker at byte \(content - 2)")
      default: break
      }
      guard let length = context.reader.bigEndian16(content) else { return try endEarly() }
      guard length >= 2 else {
        throw context.corrupt("a segment of \(length) bytes at byte \(content - 2)")
      }
      let segment = content + 2..<content + length
      guard segment.upperBound <= context.reader.count else { return try endEarly() }
      try readSegment(marker, segment)
      offset = segment.upperBound
      if marker == Marker.startOfScan { offset = try skipScan(from: offset) }
    }
  }

  /// The next marker at or after `offset` and where its content begins; other bytes are skipped.
  private func nextMarker(from offset: Int) -> (marker: Int, content: Int)? {
    var position = offset
    while let byte = context.reader.byte(position), let next = context.reader.byte(position + 1) {
      if byte == 0xFF, next != 0x00, next != 0xFF { return (next, position + 2) }
      position += 1
    }
    return nil
  }

  private mutating func endEarly() throws(ImageError) {
    guard context.allowsTruncated, scans > 0 else {
      throw context.truncated(
        "the file ends at byte \(context.reader.count) without an end marker"
      )
    }
    isTruncated = true
  }

  private mutating func readSegment(_ marker: Int, _ segment: Range<Int>) throws(ImageError) {
    switch marker {
    case Marker.huffmanTables, Marker.arithmeticTables, Marker.reserved: break
    case Marker.frames: try readFrame(marker, segment)
    case Marker.restartInterval:
      restartInterval = context.reader.bigEndian16(segment.lowerBound) ?? 0
    case Marker.application1
    where segment.count > 6 && scans == 0 && orientation == nil
      && context.reader.matches("Exif\0\0", at: segment.lowerBound):
      orientation = ExifOrientation.read(
        tiff: segment.lowerBound + 6..<segment.upperBound,
        of: context.reader
      )
    case Marker.startOfScan:
      scans += 1
      guard scans <= context.limits.maxScans else {
        throw context.unsupported("JPEG with more than \(context.limits.maxScans) scans")
      }
    default: break
    }
  }

  private mutating func readFrame(_ marker: Int, _ segment: Range<Int>) throws(ImageError) {
    let reader = context.reader
    let start = segment.lowerBound
    guard segment.count >= 6, let precision = reader.byte(start),
      let height = reader.bigEndian16(start + 1), let width = reader.bigEndian16(start + 3),
      let components = reader.byte(start + 5), segment.count == 6 + 3 * components
    else { throw context.corrupt("a frame header of \(segment.count) bytes at byte \(start)") }
    guard frame == nil else { throw context.corrupt("a second frame header at byte \(start)") }
    try checkKind(marker, precision: precision, components: components)
    try context.checkSize(width: width, height: height)
    frame = (width, height)
    try countBlocks(width: width, height: height, components: components, table: start + 6)
  }

  private func checkKind(_ marker: Int, precision: Int, components: Int) throws(ImageError) {
    let process: String? =
      switch marker {
      case 0xC0, 0xC1, 0xC2: nil  // baseline, extended and progressive, all with Huffman codes
      case 0xC3: "lossless"
      case 0xC5...0xC7: "hierarchical"
      case 0xC9, 0xCA: "arithmetic-coded"
      default: "lossless or hierarchical arithmetic-coded"
      }
    if let process { throw context.unsupported("\(process) JPEG") }
    guard precision == 8 else { throw context.unsupported("\(precision)-bit JPEG") }
    guard [1, 3, 4].contains(components) else {
      throw context.unsupported("JPEG with \(components) components")
    }
  }

  private mutating func countBlocks(
    width: Int,
    height: Int,
    components: Int,
    table: Int
  ) throws(ImageError) {
    var sampling: [(across: Int, down: Int)] = []
    for component in 0..<components {
      let factors = context.reader.byte(table + 3 * component + 1) ?? 0
      guard (1...4).contains(factors >> 4), (1...4).contains(factors & 15) else {
        throw context.corrupt("sampling factors \(factors >> 4) x \(factors & 15)")
      }
      sampling.append((factors >> 4, factors & 15))
    }
    let maxAcross = 8 * (sampling.map(\.across).max() ?? 1)
    let maxDown = 8 * (sampling.map(\.down).max() ?? 1)
    blocks = sampling.reduce(0) { sum, factor in
      let across = (width * factor.across + maxAcross - 1) / maxAcross
      let down = (height * factor.down + maxDown - 1) / maxDown
      return sum + across * down
    }
  }

  /// The end of the coded data that begins at `offset`: the next marker that is not a restart.
  private mutating func skipScan(from offset: Int) throws(ImageError) -> Int {
    let bytes = context.reader.bytes
    var position = offset
    var restarts = 0
    while position < bytes.count {
      guard bytes[position] == 0xFF else {
        position += 1
        continue
      }
      guard position + 1 < bytes.count else { break }
      let next = Int(bytes[position + 1])
      if next == 0xFF {
        position += 1
        continue
      }
      guard next == 0 || Marker.restarts.contains(next) else { break }
      if next != 0 { restarts += 1 }
      position += 2
    }
    scanBytes += position - offset
    // A restart follows every interval of at least one block.
    guard restarts <= (restartInterval > 0 ? blocks / restartInterval + 1 : 0) else {
      throw context.corrupt(
        "\(restarts) restart markers in a scan with restart interval \(restartInterval)"
      )
    }
    return position
  }
}

/// The second bytes of JPEG's markers.
private enum Marker {
  static let temporary = 0x01
  static let frames = 0xC0...0xCF
  static let huffmanTables = 0xC4
  static let reserved = 0xC8
  static let arithmeticTables = 0xCC
  static let restarts = 0xD0...0xD7
  static let startOfImage = 0xD8
  static let endOfImage = 0xD9
  static let startOfScan = 0xDA
  static let restartInterval = 0xDD
  static let application1 = 0xE1
}
