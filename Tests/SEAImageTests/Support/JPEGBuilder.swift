// SPDX-License-Identifier: Apache-2.0
// Makes JPEG files of one colour, sound ones and lying ones, byte by byte.

/// A JPEG in which every sample is 128.
///
/// Its Huffman tables have one code of one bit, so a block is two zero bits and picture data are
/// zero bytes.
struct JPEGBuilder {
  var width: Int
  var height: Int
  var components = 1
  /// Second byte of the frame marker: 0xC0 baseline, 0xC2 progressive.
  var frame: UInt8 = 0xC0
  var precision = 8
  var restartInterval = 0
  /// Scans after the first, each over all coefficients but the mean.
  var extraScans = 0
  /// Segments between the start marker and the tables.
  var segments: [UInt8] = []
  /// Replaces the first scan's data.
  var scanData: [UInt8]?

  static func segment(_ marker: UInt8, _ content: [UInt8]) -> [UInt8] {
    [0xFF, marker] + bigEndian16(content.count + 2) + content
  }

  var bytes: [UInt8] {
    var file: [UInt8] = [0xFF, 0xD8] + segments
    file += JPEGBuilder.segment(0xDB, [0] + [UInt8](repeating: 1, count: 64))
    file += JPEGBuilder.segment(frame, frameHeader)
    for table in [0x00, 0x10] as [UInt8] {
      file += JPEGBuilder.segment(0xC4, [table, 1] + [UInt8](repeating: 0, count: 16))
    }
    if restartInterval > 0 {
      file += JPEGBuilder.segment(0xDD, bigEndian16(restartInterval))
    }
    let isProgressive = frame == 0xC2
    file += scanHeader(Array(1...UInt8(components)), from: 0, to: isProgressive ? 0 : 63)
    file += scanData ?? data
    for _ in 0..<extraScans {
      file += scanHeader([1], from: 1, to: 63) + [UInt8](repeating: 0, count: blocks / 8 + 1)
    }
    return file + [0xFF, 0xD9]
  }

  /// Blocks of one component.
  var blocks: Int { (width + 7) / 8 * ((height + 7) / 8) }

  private var frameHeader: [UInt8] {
    [UInt8(precision)] + bigEndian16(height) + bigEndian16(width) + [UInt8(components)]
      + (1...UInt8(components)).flatMap { [$0, 0x11, 0] }
  }

  private func scanHeader(_ components: [UInt8], from first: UInt8, to last: UInt8) -> [UInt8] {
    JPEGBuilder.segment(
      0xDA,
      [UInt8(components.count)] + components.flatMap { [$0, 0] } + [first, last, 0]
    )
  }

  private var data: [UInt8] {
    guard restartInterval > 0 else {
      return [UInt8](repeating: 0, count: (2 * blocks * components + 7) / 8)
    }
    let interval = [UInt8](repeating: 0, count: (2 * restartInterval * components + 7) / 8)
    let count = (blocks + restartInterval - 1) / restartInterval
    return (0..<count).flatMap { index -> [UInt8] in
      interval + (index + 1 < count ? [0xFF, 0xD0 + UInt8(index % 8)] : [])
    }
  }
}

/// An EXIF block's TIFF structure with an orientation, for either byte order.
func exifBlock(orientation: Int, isBigEndian: Bool, nextDirectory: Int = 0) -> [UInt8] {
  func number(_ value: Int, _ size: Int) -> [UInt8] {
    let bytes = size == 2 ? bigEndian16(value) : bigEndian32(value)
    return isBigEndian ? bytes : bytes.reversed()
  }
  let entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + [0, 0]
  return Array((isBigEndian ? "MM" : "II").utf8) + number(42, 2) + number(8, 4) + number(1, 2)
    + entry + number(nextDirectory, 4)
}
