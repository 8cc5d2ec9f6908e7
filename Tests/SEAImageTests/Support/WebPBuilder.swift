// SPDX-License-Identifier: Apache-2.0
// Makes WebP files, sound ones and lying ones, byte by byte.

/// Containers and chunks.
enum WebPBuilder {
  /// A file of the given chunks.
  static func file(_ chunks: [UInt8]...) -> [UInt8] {
    let content = Array("WEBP".utf8) + chunks.joined()
    return Array("RIFF".utf8) + littleEndian(content.count, 4) + content
  }

  static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
    Array(name.utf8) + littleEndian(content.count, 4) + content
      + [UInt8](repeating: 0, count: content.count % 2)
  }

  /// The chunk that states a canvas; flag 2 is animation, 8 is EXIF.
  static func canvas(width: Int, height: Int, flags: UInt8) -> [UInt8] {
    chunk("VP8X", [flags, 0, 0, 0] + littleEndian(width - 1, 3) + littleEndian(height - 1, 3))
  }

  /// The start of an animation.
  static var animation: [UInt8] { chunk("ANIM", [0, 0, 0, 0, 0, 0]) }

  /// A picture of an animation at twice the given column and row.
  static func frame(
    left: Int = 0,
    top: Int = 0,
    width: Int,
    height: Int,
    _ content: [UInt8]
  ) -> [UInt8] {
    let place = littleEndian(left, 3) + littleEndian(top, 3)
    let size = littleEndian(width - 1, 3) + littleEndian(height - 1, 3)
    return chunk("ANMF", place + size + [0, 0, 0, 0] + content)
  }

  /// A lossy picture's header and then `data`.
  static func lossy(width: Int, height: Int, data: [UInt8]) -> [UInt8] {
    let tag = data.count << 5 | 0x10  // a shown key frame, all data in the first partition
    let sizes = littleEndian(width, 2) + littleEndian(height, 2)
    return chunk("VP8 ", littleEndian(tag, 3) + [0x9D, 0x01, 0x2A] + sizes + data)
  }

  /// A lossless picture whose five prefix codes have the given lengths; its pixels are zero bits.
  static func lossless(width: Int, height: Int, codes: [[Int]] = soundCodes) -> [UInt8] {
    var bits = BitWriter()
    bits.write(0x2F, 8)
    bits.write(width - 1, 14)
    bits.write(height - 1, 14)
    bits.write(0, 1 + 3)  // no alpha, version 0
    bits.write(0, 1)  // no transform
    bits.write(0, 1)  // no colour cache
    bits.write(0, 1)  // one group of codes
    for code in codes { bits.writeCode(code) }
    let pixels = [UInt8](repeating: 0, count: (4 * width * height + 7) / 8 + 8)
    return chunk("VP8L", bits.bytes + pixels)
  }

  /// Symbols of green and lengths, red, blue, alpha and distances.
  static let alphabets = [256 + 24, 256, 256, 256, 40]

  /// Codes of two symbols, 0 and 1, at one bit each.
  static let soundCodes = alphabets.map { [1, 1] + [Int](repeating: 0, count: $0 - 2) }

  static func littleEndian(_ value: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

/// Bits packed from the lowest up.
private struct BitWriter {
  private(set) var bytes: [UInt8] = []
  private var used = 0

  mutating func write(_ value: Int, _ count: Int) {
    for index in 0..<count {
      if used % 8 == 0 { bytes.append(0) }
      bytes[used / 8] |= UInt8(value >> index & 1) << (used % 8)
      used += 1
    }
  }

  /// A prefix code by the lengths of its symbols, each of them written in four bits.
  mutating func writeCode(_ lengths: [Int]) {
    write(0, 1)  // not one of the short forms
    write(19 - 4, 4)
    // Lengths 17, 18, 0...5, 16, 6...15: the first sixteen lengths get codes of four bits.
    let order = [17, 18, 0, 1, 2, 3, 4, 5, 16] + Array(6...15)
    for length in order { write(length < 16 ? 4 : 0, 3) }
    write(0, 1)  // lengths for all symbols
    for length in lengths {
      let reversed = (0..<4).reduce(0) { $0 << 1 | length >> $1 & 1 }
      write(reversed, 4)
    }
  }
}
