// SPDX-License-Identifier: Apache-2.0
// The ways a picture or a recipe can be wrong.

internal import SEAFormat

/// What is wrong with a picture file or with a recipe; `file` is the name the caller gave.
package enum ImageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file has no bytes.
  case empty(file: String)
  /// The first bytes are those of no picture format.
  case unrecognized(file: String, firstBytes: [UInt8])
  /// The file is a picture, of a kind that is not decoded.
  case unsupported(file: String, kind: String)
  /// The bytes end before the picture does.
  case truncated(file: String, format: ImageFormat, detail: String)
  /// The bytes break the format's rules.
  case corrupt(file: String, format: ImageFormat, detail: String)
  /// The file is longer than the caller allows.
  case tooManyBytes(file: String, count: Int, limit: Int)
  /// The header states more pixels than the caller allows.
  case tooManyPixels(file: String, width: Int, height: Int, limit: Int)
  /// The header states a side outside the caller's range.
  case badSize(file: String, width: Int, height: Int, allowed: ClosedRange<Int>)
  /// The decoder could not have the memory it asked for.
  case outOfMemory(file: String)
  /// A field of a recipe has a value that makes no sense.
  case invalidRecipe(field: String, reason: String)

  package var description: String {
    switch self {
    case .empty(let file): "\(Self.name(file)): empty file, expected a picture"
    case .unrecognized(let file, let bytes):
      "\(Self.name(file)): not a picture: starts with \(Self.hex(bytes)), "
        + "expected PNG, JPEG or WebP"
    case .unsupported(let file, let kind): "\(Self.name(file)): unsupported: \(kind)"
    case .truncated(let file, let format, let detail):
      "\(Self.name(file)): truncated \(format.displayName): \(detail.printable(limit: 256))"
    case .corrupt(let file, let format, let detail):
      "\(Self.name(file)): corrupt \(format.displayName): \(detail.printable(limit: 256))"
    case .tooManyBytes(let file, let count, let limit):
      "\(Self.name(file)): \(count) bytes, at most \(limit) are read"
    case .tooManyPixels(let file, let width, let height, let limit):
      "\(Self.name(file)): \(width) x \(height) pixels, at most \(limit) pixels are decoded"
    case .badSize(let file, let width, let height, let allowed):
      "\(Self.name(file)): \(width) x \(height) pixels, each side must be "
        + "\(allowed.lowerBound) to \(allowed.upperBound)"
    case .outOfMemory(let file): "\(Self.name(file)): not enough memory to decode"
    case .invalidRecipe(let field, let reason):
      "image recipe: \(field.printable()): \(reason.printable(limit: 256))"
    }
  }

  /// A path made safe to print.
  private static func name(_ file: String) -> String {
    file.printable(limit: 4096)
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }
}
