// SPDX-License-Identifier: Apache-2.0
// Pictures named on the command line: files, or standard input.

import SEACommandLine
import SEAImage

/// Reads pictures within limits.
enum ImageInput {
  /// The name of standard input.
  static let standardInput = "-"

  /// Reads and decodes the picture of a name.
  ///
  /// - Throws: `FileError`, `ImageError`, or `CommandError` (65) for a standard input beyond the limit.
  static func read(_ name: String, orientation: OrientationPolicy) throws -> PixelImage {
    guard name == standardInput else {
      return try ImageFile.read(path: name, orientation: orientation)
    }
    let limits = ImageLimits()
    let bytes = try StandardInput.readAll(limit: limits.maxBytes, what: "an image")
    return try ImageFile.decode(
      bytes: bytes,
      name: "standard input",
      limits: limits,
      orientation: orientation
    )
  }
}
