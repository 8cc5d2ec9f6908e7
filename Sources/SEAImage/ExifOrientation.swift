// SPDX-License-Identifier: Apache-2.0
// The orientation tag of an EXIF block, and nothing else of it.

/// How the stored rows relate to the upright picture; raw values are EXIF's.
package enum ExifOrientation: Int, Sendable, Equatable, CaseIterable {
  case upright = 1
  case mirrored = 2
  case halfTurned = 3
  case flipped = 4
  case transposed = 5
  /// Upright after a quarter turn clockwise.
  case quarterTurnedLeft = 6
  case transversed = 7
  /// Upright after a quarter turn counter-clockwise.
  case quarterTurnedRight = 8

  /// True when the upright picture is as wide as the stored one is high.
  package var swapsSides: Bool { rawValue >= 5 }
}

extension ExifOrientation {
  private static let orientationTag = 0x0112

  /// The orientation that the TIFF structure in `range` of the file states in its first directory.
  ///
  /// Only that directory is read, once, so links between directories cannot make a loop; entries
  /// past the end of the block are left out. Anything unreadable or unknown is `upright`.
  ///
  /// - Source: Pillow's `ImageOps.exif_transpose`.
  static func read(tiff range: Range<Int>, of file: ByteReader) -> ExifOrientation {
    let tiff = TIFFBlock(file: file, range: range)
    guard let tiff, let directory = tiff.unsigned(at: 4, size: 4),
      let count = tiff.unsigned(at: directory, size: 2)
    else { return .upright }

    var result = ExifOrientation.upright
    for index in 0..<count {
      let entry = directory + 2 + 12 * index
      guard tiff.unsigned(at: entry + 8, size: 4) != nil else { break }
      guard tiff.unsigned(at: entry, size: 2) == orientationTag,
        tiff.unsigned(at: entry + 4, size: 4) == 1
      else { continue }
      let size = tiff.unsigned(at: entry + 2, size: 2) == 4 ? 4 : 2
      let value = tiff.unsigned(at: entry + 8, size: size)
      result = value.flatMap(ExifOrientation.init(rawValue:)) ?? .upright
    }
    return result
  }
}

/// A TIFF structure: integers in the byte order that its first bytes name.
private struct TIFFBlock {
  let file: ByteReader
  let range: Range<Int>
  let isBigEndian: Bool

  init?(file: ByteReader, range: Range<Int>) {
    if file.matches("II*\0", at: range.lowerBound) {
      isBigEndian = false
    } else if file.matches("MM\0*", at: range.lowerBound) {
      isBigEndian = true
    } else {
      return nil
    }
    self.file = file
    self.range = range
  }

  func unsigned(at offset: Int, size: Int) -> Int? {
    let start = range.lowerBound + offset
    guard start + size <= range.upperBound else { return nil }
    var value = 0
    for index in 0..<size {
      guard let byte = file.byte(start + (isBigEndian ? index : size - 1 - index)) else {
        return nil
      }
      value = value << 8 | byte
    }
    return value
  }
}
