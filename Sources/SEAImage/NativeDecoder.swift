// SPDX-License-Identifier: Apache-2.0
// The one place where Swift lends memory to the C decoders.

internal import CImage

/// Calls libpng, libjpeg and libwebp for a picture whose header has been checked.
struct NativeDecoder {
  let context: HeaderContext
  let header: ImageHeader

  private static let messageCapacity = 256

  /// Decodes the PNG in `context` to 8-bit RGB.
  func decodePNG(gray16: Gray16Policy) throws(ImageError) -> PixelImage {
    try unsafe decode { source, count, width, height, rgb, message in
      unsafe cimage_decode_png(
        source,
        count,
        width,
        height,
        header.isTruncated,
        gray16 == .clipped,
        rgb,
        message,
        NativeDecoder.messageCapacity
      )
    }
  }

  /// Decodes the JPEG in `context` to 8-bit RGB.
  func decodeJPEG() throws(ImageError) -> PixelImage {
    let maxScans = Int32(clamping: context.limits.maxScans)
    return try unsafe decode { source, count, width, height, rgb, message in
      unsafe cimage_decode_jpeg(
        source,
        count,
        width,
        height,
        maxScans,
        context.allowsTruncated,
        rgb,
        message,
        NativeDecoder.messageCapacity
      )
    }
  }

  /// Decodes the first picture of the WebP in `context` to 8-bit RGB, set on a black canvas.
  func decodeWebP() throws(ImageError) -> PixelImage {
    guard let picture = header.webPPicture,
      picture.fits(width: header.width, height: header.height),
      context.reader.bytes.indices.contains(picture.chunk.lowerBound),
      picture.chunk.upperBound <= context.reader.count
    else { throw context.corrupt("no picture data") }
    let stride = 3 * header.width
    return try unsafe decode { source, _, _, _, rgb, message in
      unsafe cimage_decode_webp(
        source + picture.chunk.lowerBound,
        picture.chunk.count,
        UInt32(picture.width),
        UInt32(picture.height),
        header.isTruncated,
        rgb + (picture.top * stride + 3 * picture.left),
        stride,
        message,
        NativeDecoder.messageCapacity
      )
    }
  }

  private typealias Decoder = (
    _ source: UnsafePointer<UInt8>, _ count: Int, _ width: UInt32, _ height: UInt32,
    _ rgb: UnsafeMutablePointer<UInt8>, _ message: UnsafeMutablePointer<CChar>
  ) -> cimage_status

  /// Runs `decoder` on buffers of the checked sizes and turns its status into an error.
  ///
  /// The pointers are valid for the call only, which is all that the C functions need.
  private func decode(_ decoder: Decoder) throws(ImageError) -> PixelImage {
    guard let width = UInt32(exactly: header.width), let height = UInt32(exactly: header.height)
    else { throw context.corrupt("\(header.width) x \(header.height) pixels") }
    let (values, overflows) = (header.width * header.height).multipliedReportingOverflow(by: 3)
    guard !overflows else { throw .outOfMemory(file: context.file) }

    var pixels = [UInt8](repeating: 0, count: values)
    var message = [CChar](repeating: 0, count: NativeDecoder.messageCapacity)
    let bytes = context.reader.bytes
    let status = unsafe bytes.withUnsafeBufferPointer { source in
      unsafe pixels.withUnsafeMutableBufferPointer { rgb in
        unsafe message.withUnsafeMutableBufferPointer { text in
          guard let source = source.baseAddress, let rgb = rgb.baseAddress,
            let text = text.baseAddress
          else { return CIMAGE_CORRUPT }
          return unsafe decoder(source, bytes.count, width, height, rgb, text)
        }
      }
    }

    let detail = String(
      decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
      as: UTF8.self
    )
    switch status {
    case CIMAGE_OK:
      return PixelImage(width: header.width, height: header.height, pixels: pixels)
    case CIMAGE_TRUNCATED: throw context.truncated(detail)
    case CIMAGE_NO_MEMORY: throw .outOfMemory(file: context.file)
    default: throw context.corrupt(detail)
    }
  }
}

extension PixelImage {
  /// The picture as a baseline JPEG.
  ///
  /// - Parameter quality: 1 to 100.
  /// - Returns: the file, or nil when libjpeg cannot have the memory it needs.
  /// - Precondition: the quality is in range, and no side exceeds JPEG's 65,500.
  package func jpeg(quality: Int) -> [UInt8]? {
    precondition((1...100).contains(quality), "quality \(quality)")
    precondition(width <= 65_500 && height <= 65_500, "\(width) x \(height) pixels")
    // A JPEG of noise at quality 100 is smaller than its pixels; the rest is for tiny pictures.
    var out = [UInt8](repeating: 0, count: pixels.count * 2 + 4096)
    let count = unsafe pixels.withUnsafeBufferPointer { source in
      unsafe out.withUnsafeMutableBufferPointer { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return 0 }
        return unsafe cimage_encode_jpeg(
          source,
          UInt32(width),
          UInt32(height),
          Int32(quality),
          target,
          pixels.count * 2 + 4096
        )
      }
    }
    return count > 0 ? Array(out[..<count]) : nil
  }
}
