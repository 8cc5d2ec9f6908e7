// SPDX-License-Identifier: Apache-2.0
// Makes PNG files, sound ones and lying ones, byte by byte.

/// A PNG of uncompressed rows.
struct PNGBuilder {
  var width: Int
  var height: Int
  var depth = 8
  var colorType = 2
  var interlace = 0
  /// Rows with their filter bytes, all passes in order.
  var rows: [UInt8]
  /// Chunks between the header and the picture data.
  var chunksBefore: [UInt8] = []
  /// Chunks between the picture data and the end.
  var chunksAfter: [UInt8] = []

  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// An RGB picture of the given pixels.
  static func rgb(width: Int, height: Int, pixels: [UInt8]) -> PNGBuilder {
    let stride = 3 * width
    let rows = (0..<height).flatMap { [0] + pixels[$0 * stride..<($0 + 1) * stride] }
    return PNGBuilder(width: width, height: height, rows: rows)
  }

  var bytes: [UInt8] {
    PNGBuilder.signature + header + chunksBefore + PNGBuilder.chunk("IDAT", compressed)
      + chunksAfter + PNGBuilder.chunk("IEND", [])
  }

  var header: [UInt8] {
    PNGBuilder.chunk(
      "IHDR",
      bigEndian32(width) + bigEndian32(height) + [
        UInt8(depth), UInt8(colorType), 0, 0, UInt8(interlace),
      ]
    )
  }

  /// The rows as a zlib stream of stored blocks.
  private var compressed: [UInt8] {
    var stream: [UInt8] = [0x78, 0x01]
    var start = 0
    repeat {
      let count = min(65_535, rows.count - start)
      let isLast = start + count == rows.count
      let length = [UInt8(count & 255), UInt8(count >> 8)]
      stream += [isLast ? 1 : 0] + length + length.map(~) + rows[start..<start + count]
      start += count
    } while start < rows.count
    return stream + bigEndian32(Int(PNGBuilder.adler(rows)))
  }

  static func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
    let checked = Array(type.utf8) + content
    return bigEndian32(content.count) + checked + bigEndian32(Int(crc(checked)))
  }

  private static func adler(_ bytes: [UInt8]) -> UInt32 {
    var low: UInt32 = 1
    var high: UInt32 = 0
    for byte in bytes {
      low = (low + UInt32(byte)) % 65_521
      high = (high + low) % 65_521
    }
    return high << 16 | low
  }

  private static let crcTable: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
    }
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { crcTable[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  }
}

/// The four bytes of a number, most significant first.
func bigEndian32(_ value: Int) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(value >> $0 & 255) }
}

/// The two bytes of a number, most significant first.
func bigEndian16(_ value: Int) -> [UInt8] {
  [UInt8(value >> 8 & 255), UInt8(value & 255)]
}
