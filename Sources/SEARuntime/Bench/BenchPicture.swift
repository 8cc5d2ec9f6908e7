// SPDX-License-Identifier: Apache-2.0
// The picture that benchmarks decode and encode.

import SEAImage

/// A drawn picture of 1920 × 1080 pixels: smooth ground, hard edges, fine grain.
package enum BenchPicture {
  static let width = 1920
  static let height = 1080
  private static let quality = 85

  /// The picture as a JPEG file; nil when memory is short.
  package static func jpeg() -> [UInt8]? { image().jpeg(quality: quality) }

  static func image() -> PixelImage {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * 3)
    var grain: UInt32 = 0x2545_f491
    for y in 0..<height {
      for x in 0..<width {
        grain ^= grain << 13
        grain ^= grain >> 17
        grain ^= grain << 5
        let noise = Int(grain >> 28)
        // Blocks of 96 pixels with edges in both directions, a shade across each.
        let block = (x / 96 + 3 * (y / 96)) % 7
        let shade = (x % 96 + y % 96) / 2
        pixels.append(UInt8(clamping: 40 + 24 * block + noise))
        pixels.append(UInt8(clamping: 60 + shade + 12 * ((block * 5) % 7) + noise))
        pixels.append(UInt8(clamping: 90 + 100 * y / height + noise))
      }
    }
    return PixelImage(width: width, height: height, pixels: pixels)
  }
}
