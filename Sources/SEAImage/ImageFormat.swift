// SPDX-License-Identifier: Apache-2.0
// Picture formats, told apart by their first bytes and never by a file's name.

/// A picture format.
package enum ImageFormat: Sendable, Equatable, CaseIterable {
  case png
  case jpeg
  case webp
  case gif
  case bmp
  case tiff
  case avif
  case heif
  case jpegXL
  case jpeg2000
  case photoshop
  case qoi
  case pnm

  /// The format's usual name.
  package var displayName: String {
    switch self {
    case .png: "PNG"
    case .jpeg: "JPEG"
    case .webp: "WebP"
    case .gif: "GIF"
    case .bmp: "BMP"
    case .tiff: "TIFF"
    case .avif: "AVIF"
    case .heif: "HEIF"
    case .jpegXL: "JPEG XL"
    case .jpeg2000: "JPEG 2000"
    case .photoshop: "Photoshop"
    case .qoi: "QOI"
    case .pnm: "PNM"
    }
  }

  /// The format that `bytes` begin like, or nil.
  package static func detect(_ bytes: [UInt8]) -> ImageFormat? {
    signatures.first { signature in
      signature.marks.allSatisfy { mark in
        let end = mark.offset + mark.bytes.count
        return end <= bytes.count && bytes[mark.offset..<end].elementsEqual(mark.bytes)
      }
    }?.format
  }

  private struct Mark {
    let offset: Int
    let bytes: [UInt8]

    init(_ offset: Int, _ bytes: [UInt8]) {
      self.offset = offset
      self.bytes = bytes
    }

    init(_ offset: Int, _ text: StaticString) {
      self.init(offset, Array("\(text)".utf8))
    }
  }

  private static let signatures: [(format: ImageFormat, marks: [Mark])] = [
    (.png, [Mark(0, [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])]),
    (.jpeg, [Mark(0, [0xFF, 0xD8, 0xFF])]),
    (.webp, [Mark(0, "RIFF"), Mark(8, "WEBP")]),
    (.gif, [Mark(0, "GIF87a")]),
    (.gif, [Mark(0, "GIF89a")]),
    (.bmp, [Mark(0, "BM"), Mark(6, [0, 0, 0, 0])]),
    (.tiff, [Mark(0, [0x49, 0x49, 0x2A, 0x00])]),
    (.tiff, [Mark(0, [0x4D, 0x4D, 0x00, 0x2A])]),
    (.avif, [Mark(4, "ftypavi")]),
    (.heif, [Mark(4, "ftyphei")]),
    (.heif, [Mark(4, "ftyphev")]),
    (.heif, [Mark(4, "ftypmif1")]),
    (.jpegXL, [Mark(0, [0xFF, 0x0A])]),
    (.jpegXL, [Mark(4, "JXL \r\n")]),
    (.jpeg2000, [Mark(4, "jP  \r\n")]),
    (.jpeg2000, [Mark(0, [0xFF, 0x4F, 0xFF, 0x51])]),
    (.photoshop, [Mark(0, "8BPS")]),
    (.qoi, [Mark(0, "qoif")]),
    (.pnm, [Mark(0, "P4\n")]),
    (.pnm, [Mark(0, "P5\n")]),
    (.pnm, [Mark(0, "P6\n")]),
  ]
}
