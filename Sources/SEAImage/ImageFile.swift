// SPDX-License-Identifier: Apache-2.0
// The one door to all picture decoders.

package import SEATensor

/// Picture files: told apart by content, checked by header, decoded to RGB.
package enum ImageFile {
  /// Reads and decodes the picture file at `path`.
  ///
  /// `inspect` is called with the header before the pixels are decoded.
  ///
  /// - Throws: `FileError` when the file cannot be read, `ImageError` when it is not a picture that
  ///   is decoded within the limits.
  package static func read(
    path: String,
    limits: ImageLimits = ImageLimits(),
    orientation: OrientationPolicy = .ignored,
    allowsTruncated: Bool = false,
    gray16: Gray16Policy = .highByte,
    inspect: (ImageHeader) -> Void = { _ in }
  ) throws -> PixelImage {
    let file = try MappedFile(path: path)
    return try decode(
      bytes: file.bytes,
      name: path,
      limits: limits,
      orientation: orientation,
      allowsTruncated: allowsTruncated,
      gray16: gray16,
      inspect: inspect
    )
  }

  /// Decodes a picture from a view of its bytes, which is copied once it is known to be short enough.
  ///
  /// - Throws: `ImageError`, as for an array.
  package static func decode(
    bytes: ByteView,
    name: String,
    limits: ImageLimits = ImageLimits(),
    orientation: OrientationPolicy = .ignored,
    allowsTruncated: Bool = false,
    gray16: Gray16Policy = .highByte,
    inspect: (ImageHeader) -> Void = { _ in }
  ) throws(ImageError) -> PixelImage {
    try checkCount(bytes.count, name: name, limits: limits)
    return try decode(
      bytes: bytes.array(),
      name: name,
      limits: limits,
      orientation: orientation,
      allowsTruncated: allowsTruncated,
      gray16: gray16,
      inspect: inspect
    )
  }

  /// Decodes a picture to 8-bit RGB.
  ///
  /// Alpha is dropped, not blended; transparency, gamma and colour profiles are ignored; the high
  /// byte of 16-bit samples is kept; CMYK is taken as inverted, as Adobe writes it. Of an animation
  /// the first picture is decoded, which the header tells.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - name: what errors call the file.
  ///   - limits: bounds on bytes and pixels, checked before memory is allocated.
  ///   - orientation: whether the picture is turned as its EXIF orientation says.
  ///   - allowsTruncated: whether a file that ends early is shown as far as it goes.
  ///   - gray16: how 16-bit grey is read.
  ///   - inspect: called with the header before the pixels are decoded.
  /// - Returns: the picture as stored, or upright where `orientation` asks for it.
  /// - Throws: `ImageError` when the bytes are not a sound picture of a decoded kind.
  /// - Source: Pillow's `Image.open(…).convert("RGB")`.
  package static func decode(
    bytes: [UInt8],
    name: String,
    limits: ImageLimits = ImageLimits(),
    orientation: OrientationPolicy = .ignored,
    allowsTruncated: Bool = false,
    gray16: Gray16Policy = .highByte,
    inspect: (ImageHeader) -> Void = { _ in }
  ) throws(ImageError) -> PixelImage {
    let context = try context(
      bytes: bytes,
      name: name,
      limits: limits,
      allowsTruncated: allowsTruncated
    )
    let header = try header(context)
    inspect(header)
    let decoder = NativeDecoder(context: context, header: header)
    let image =
      switch header.format {
      case .png: try decoder.decodePNG(gray16: gray16)
      case .jpeg: try decoder.decodeJPEG()
      case .webp: try decoder.decodeWebP()
      default: throw context.unsupported(header.format.displayName)
      }
    return orientation == .applied ? image.turned(from: header.orientation) : image
  }

  /// Reads what a picture's header says, without decoding it.
  ///
  /// - Throws: `ImageError` where decoding would throw for the header or the file's structure.
  package static func header(
    bytes: [UInt8],
    name: String,
    limits: ImageLimits = ImageLimits(),
    allowsTruncated: Bool = false
  ) throws(ImageError) -> ImageHeader {
    try header(
      context(bytes: bytes, name: name, limits: limits, allowsTruncated: allowsTruncated)
    )
  }

  private static func header(_ context: HeaderContext) throws(ImageError) -> ImageHeader {
    switch context.format {
    case .png: try PNGHeader.read(context)
    case .jpeg: try JPEGHeader.read(context)
    case .webp: try WebPHeader.read(context)
    default: throw context.unsupported(context.format.displayName)
    }
  }

  private static func context(
    bytes: [UInt8],
    name: String,
    limits: ImageLimits,
    allowsTruncated: Bool
  ) throws(ImageError) -> HeaderContext {
    try checkCount(bytes.count, name: name, limits: limits)
    guard let format = ImageFormat.detect(bytes) else {
      throw .unrecognized(file: name, firstBytes: Array(bytes.prefix(4)))
    }
    return HeaderContext(
      format: format,
      reader: ByteReader(bytes: bytes),
      file: name,
      limits: limits,
      allowsTruncated: allowsTruncated
    )
  }

  private static func checkCount(
    _ count: Int,
    name: String,
    limits: ImageLimits
  ) throws(ImageError) {
    guard count > 0 else { throw .empty(file: name) }
    guard count <= limits.maxBytes else {
      throw .tooManyBytes(file: name, count: count, limit: limits.maxBytes)
    }
  }
}
