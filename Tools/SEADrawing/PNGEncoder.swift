// SPDX-License-Identifier: Apache-2.0
// The one place where Swift lends memory to the C encoder.

internal import CPNGWriter

/// Pictures as PNG files.
package enum PNGEncoder {
  /// zlib's level: beyond it files hardly get smaller.
  private static let level: Int32 = 5

  /// Longest side of a picture.
  package static let longestSide = 16_384

  /// Encodes 8-bit RGB; the same picture gives the same bytes with the same zlib.
  ///
  /// - Parameters:
  ///   - pixels: `[height, width, 3]`.
  ///   - width: columns.
  ///   - height: rows.
  ///   - note: ASCII text kept in the file.
  /// - Returns: the file's bytes, or nil when the library refuses.
  /// - Precondition: the number of values fits the sides.
  package static func encode(
    _ pixels: [UInt8],
    width: Int,
    height: Int,
    note: String
  ) -> [UInt8]? {
    let sides = 1...longestSide
    precondition(
      sides.contains(width) && sides.contains(height) && pixels.count == width * height * 3,
      "\(pixels.count) values for \(width) x \(height) pixels"
    )
    // Deflate at its worst adds five bytes to 16 kB; the rest is for the other chunks.
    var file = [UInt8](repeating: 0, count: pixels.count + pixels.count / 256 + height + 1024)
    var count = 0
    let status = unsafe pixels.withUnsafeBufferPointer { source in
      unsafe file.withUnsafeMutableBufferPointer { target in
        guard let rgb = source.baseAddress, let out = target.baseAddress else {
          return CPNG_REFUSED
        }
        return unsafe cpng_encode_rgb(
          rgb,
          UInt32(width),
          UInt32(height),
          level,
          "Description",
          note,
          out,
          target.count,
          &count
        )
      }
    }
    guard status == CPNG_OK, count <= file.count else { return nil }
    file.removeLast(file.count - count)
    return file
  }
}
