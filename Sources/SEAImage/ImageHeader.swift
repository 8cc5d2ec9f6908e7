// SPDX-License-Identifier: Apache-2.0
// What a picture file says about itself before its pixels are touched.

/// The facts that decide whether and how a picture is decoded.
package struct ImageHeader: Sendable, Equatable {
  /// The format, from the file's content.
  package var format: ImageFormat

  /// Width as stored, in pixels.
  package var width: Int

  /// Height as stored, in pixels.
  package var height: Int

  /// How the stored rows relate to the upright picture.
  package var orientation: ExifOrientation = .upright

  /// True when the file holds an animation, of which only the first picture is decoded.
  package var isAnimated = false

  /// True when the file ends before its end marker; only seen where truncated files are allowed.
  package var isTruncated = false

  /// Where the first picture of a WebP is; nil for other formats, whose decoders find it themselves.
  var webPPicture: WebPPicture?
}

/// Where a header is read from and what it has to keep to; errors name the file and the format.
struct HeaderContext {
  let format: ImageFormat
  let reader: ByteReader
  let file: String
  let limits: ImageLimits
  let allowsTruncated: Bool

  func truncated(_ detail: String) -> ImageError {
    .truncated(file: file, format: format, detail: detail)
  }

  func corrupt(_ detail: String) -> ImageError {
    .corrupt(file: file, format: format, detail: detail)
  }

  func unsupported(_ kind: String) -> ImageError {
    .unsupported(file: file, kind: kind)
  }

  /// Refuses sizes outside the limits.
  func checkSize(width: Int, height: Int) throws(ImageError) {
    guard limits.sides.contains(width), limits.sides.contains(height) else {
      throw .badSize(file: file, width: width, height: height, allowed: limits.sides)
    }
    let (pixels, overflows) = width.multipliedReportingOverflow(by: height)
    guard !overflows, pixels <= limits.maxPixels else {
      throw .tooManyPixels(file: file, width: width, height: height, limit: limits.maxPixels)
    }
  }
}
