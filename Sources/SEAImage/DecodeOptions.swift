// SPDX-License-Identifier: Apache-2.0
// What a decoder may spend and how it reads what formats leave open.

/// Bounds that a picture must keep, checked on its header before memory is allocated.
package struct ImageLimits: Sendable, Equatable {
  /// Longest file, in bytes.
  package var maxBytes: Int

  /// Most pixels, width times height.
  package var maxPixels: Int

  /// Shortest and longest side, in pixels.
  package var sides: ClosedRange<Int>

  /// Most scans of a JPEG; each one costs a pass over the whole picture, and real files have about ten.
  package var maxScans: Int

  /// Limits that fit photographs and refuse bombs.
  package init(
    maxBytes: Int = 20_000_000,
    maxPixels: Int = 64_000_000,
    sides: ClosedRange<Int> = 1...65_535,  // the longest side that JPEG can state
    maxScans: Int = 100
  ) {
    self.maxBytes = maxBytes
    self.maxPixels = maxPixels
    self.sides = sides
    self.maxScans = maxScans
  }
}

/// What to do with the orientation that a camera wrote beside the pixels.
package enum OrientationPolicy: Sendable, Equatable {
  /// The stored rows are the picture, as in LLaVA-style preprocessing.
  case ignored
  /// The picture is turned as its EXIF orientation says.
  case applied
}

/// How 16-bit grey becomes 8-bit grey.
package enum Gray16Policy: Sendable, Equatable {
  /// value / 256: the picture as a viewer shows it.
  case highByte
  /// min(value, 255): what Pillow's `convert("RGB")` does, nearly white for most pictures.
  case clipped
}
