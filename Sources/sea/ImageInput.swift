// SPDX-License-Identifier: Apache-2.0
// Pictures named on the command line: files, or standard input.

import SEACommandLine
import SEAFormat
import SEAImage

/// Reads pictures within limits.
enum ImageInput {
  /// The name of standard input.
  static let standardInput = "-"

  /// Reads and decodes the picture of a name, saying so when it is the first of an animation.
  ///
  /// - Throws: `FileError`, `ImageError`, or `CommandError` (65) for a standard input beyond the limit.
  static func read(
    _ name: String,
    orientation: OrientationPolicy,
    console: Console
  ) throws -> PixelImage {
    let label = name == standardInput ? "standard input" : name
    func inspect(_ header: ImageHeader) {
      guard header.isAnimated else { return }
      console.terminal.note("\(label.printable(limit: 4096)): animated: first frame only")
    }
    guard name == standardInput else {
      return try ImageFile.read(path: name, orientation: orientation, inspect: inspect)
    }
    let limits = ImageLimits()
    let bytes = try StandardInput.readAll(limit: limits.maxBytes, what: "an image")
    return try ImageFile.decode(
      bytes: bytes,
      name: label,
      limits: limits,
      orientation: orientation,
      inspect: inspect
    )
  }
}
