// SPDX-License-Identifier: Apache-2.0
// Charts as files.

import SEACommandLine
import SEADrawing
import SEAFormat

extension Figure {
  /// Writes the figure as a PNG or an SVG file, which appears when it is complete.
  ///
  /// - Throws: `FormatError`, or `CommandError` (70) when a PNG cannot hold it.
  func save(to path: String, isPNG: Bool) throws {
    let bytes: [UInt8]
    if isPNG {
      guard let png else {
        throw CommandError(.internalBug, "the chart is too large for a PNG")
      }
      bytes = png
    } else {
      bytes = Array(svg.utf8)
    }
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }
}
