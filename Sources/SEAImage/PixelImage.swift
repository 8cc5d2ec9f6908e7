// SPDX-License-Identifier: Apache-2.0
// A decoded picture: 8-bit RGB rows.

/// A picture of 8-bit RGB pixels, top row first.
package struct PixelImage: Sendable, Equatable {
  /// Width in pixels.
  package let width: Int

  /// Height in pixels.
  package let height: Int

  /// `[height, width, 3]`, red first.
  package let pixels: [UInt8]

  /// A picture of the given pixels.
  ///
  /// - Precondition: both sides are at least 1 and `pixels` has width · height · 3 values.
  package init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width >= 1 && height >= 1, "picture of \(width) x \(height)")
    let (values, overflows) = (width * 3).multipliedReportingOverflow(by: height)
    precondition(
      !overflows && pixels.count == values,
      "\(pixels.count) values for \(width) x \(height) pixels"
    )
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// The picture turned upright.
  ///
  /// - Parameter orientation: how the stored rows relate to the upright picture.
  /// - Returns: the picture as it was seen, its sides swapped for quarter turns.
  package func turned(from orientation: ExifOrientation) -> PixelImage {
    guard orientation != .upright else { return self }
    let turnedWidth = orientation.swapsSides ? height : width
    let turnedHeight = orientation.swapsSides ? width : height
    // Pixel (x, y) of the result is pixel origin + x · across + y · down of this picture.
    let last = width * height - 1
    let (origin, across, down) =
      switch orientation {
      case .upright: (0, 1, width)
      case .mirrored: (width - 1, -1, width)
      case .halfTurned: (last, -1, -width)
      case .flipped: (last - (width - 1), 1, -width)
      case .transposed: (0, width, 1)
      case .quarterTurnedLeft: (last - (width - 1), -width, 1)
      case .transversed: (last, -width, -1)
      case .quarterTurnedRight: (width - 1, width, -1)
      }
    var result: [UInt8] = []
    result.reserveCapacity(pixels.count)
    for y in 0..<turnedHeight {
      var source = 3 * (origin + y * down)
      for _ in 0..<turnedWidth {
        result.append(pixels[source])
        result.append(pixels[source + 1])
        result.append(pixels[source + 2])
        source += 3 * across
      }
    }
    return PixelImage(width: turnedWidth, height: turnedHeight, pixels: result)
  }
}
