// SPDX-License-Identifier: Apache-2.0
// A picture to draw on: smooth rectangles and lines, blended by their distance from each pixel.

/// A straight piece of a drawn line, in pixels; y grows downwards.
struct Segment {
  var (x0, y0): (Float, Float)
  var (x1, y1): (Float, Float)
}

/// Rows of 8-bit RGB pixels.
package struct Sheet: Sendable {
  /// Columns.
  package let width: Int
  /// Rows.
  package let height: Int
  /// `[height, width, 3]`, red first.
  package private(set) var pixels: [UInt8]

  /// A sheet of one colour.
  ///
  /// - Precondition: both sides are within what a PNG can have here.
  package init(width: Int, height: Int, _ ink: Ink) {
    let sides = 1...PNGEncoder.longestSide
    precondition(sides.contains(width) && sides.contains(height), "a sheet of \(width)×\(height)")
    self.width = width
    self.height = height
    pixels = [UInt8](repeating: ink.red, count: width * height * 3)
    guard ink.green != ink.red || ink.blue != ink.red else { return }
    for index in stride(from: 0, to: pixels.count, by: 3) {
      pixels[index + 1] = ink.green
      pixels[index + 2] = ink.blue
    }
  }

  /// The sheet as a PNG file; `note` is ASCII text kept in it.
  ///
  /// - Returns: the file, or nil when the library refuses.
  package func png(note: String) -> [UInt8]? {
    PNGEncoder.encode(pixels, width: width, height: height, note: note)
  }

  /// The colour of a pixel.
  ///
  /// - Precondition: it is on the sheet.
  package func ink(_ x: Int, _ y: Int) -> Ink {
    let index = (y * width + x) * 3
    return Ink(
      UInt32(pixels[index]) << 16 | UInt32(pixels[index + 1]) << 8 | UInt32(pixels[index + 2])
    )
  }

  /// Sets a pixel; one beside the sheet is left out.
  package mutating func set(_ x: Int, _ y: Int, red: UInt8, green: UInt8, blue: UInt8) {
    guard x >= 0, x < width, y >= 0, y < height else { return }
    let index = (y * width + x) * 3
    pixels[index] = red
    pixels[index + 1] = green
    pixels[index + 2] = blue
  }

  /// Fills a rectangle with round corners.
  ///
  /// All measures are in pixels; `opacity` is 0 ... 1.
  package mutating func fill(
    x: Double,
    y: Double,
    width: Double,
    height: Double,
    radius: Double = 0,
    _ ink: Ink,
    opacity: Double = 1
  ) {
    guard width > 0, height > 0 else { return }
    let (columns, rows) = (span(x, x + width, self.width), span(y, y + height, self.height))
    let radius = min(radius, width / 2, height / 2)
    for row in rows {
      for column in columns {
        let coverage: Double
        if radius > 0 {
          // Distance from the rectangle that the corners are rounded around.
          let across = abs(Double(column) + 0.5 - x - width / 2) - width / 2 + radius
          let down = abs(Double(row) + 0.5 - y - height / 2) - height / 2 + radius
          let outside = (max(across, 0) * max(across, 0) + max(down, 0) * max(down, 0)).squareRoot()
          coverage = radius - outside - min(max(across, down), 0) + 0.5
        } else {
          let across = min(Double(column + 1), x + width) - max(Double(column), x)
          let down = min(Double(row + 1), y + height) - max(Double(row), y)
          coverage = max(across, 0) * max(down, 0)
        }
        blend(column, row, ink, Float(min(max(coverage, 0), 1) * opacity))
      }
    }
  }

  /// Draws a straight line with round ends.
  package mutating func line(
    _ x0: Double,
    _ y0: Double,
    _ x1: Double,
    _ y1: Double,
    width: Double,
    _ ink: Ink,
    opacity: Double = 1
  ) {
    let segment = Segment(x0: Float(x0), y0: Float(y0), x1: Float(x1), y1: Float(y1))
    guard let field = DistanceField([segment], margin: width / 2 + 1, on: self) else { return }
    stroke(field, width: width, ink, opacity: opacity)
  }

  /// Inks every pixel that is nearer to the lines of a field than half the width.
  mutating func stroke(
    _ field: DistanceField,
    width: Double,
    _ ink: Ink,
    opacity: Double = 1
  ) {
    let half = Float(width / 2) + 0.5
    var index = 0
    for row in field.rows {
      for column in field.columns {
        let coverage = min(max(half - field.distances[index].squareRoot(), 0), 1)
        if coverage > 0 { blend(column, row, ink, coverage * Float(opacity)) }
        index += 1
      }
    }
  }

  /// Pixels that an extent touches.
  private func span(_ low: Double, _ high: Double, _ count: Int) -> Range<Int> {
    guard low.isFinite, high.isFinite, high > 0, low < Double(count) else { return 0..<0 }
    let first = Int(max((low - 0.5).rounded(.down), 0))
    return first..<max(first, Int(min((high + 0.5).rounded(.up), Double(count))))
  }

  private mutating func blend(_ x: Int, _ y: Int, _ ink: Ink, _ share: Float) {
    let index = (y * width + x) * 3
    func mixed(_ old: UInt8, _ new: UInt8) -> UInt8 {
      UInt8(min(max(Float(old) + (Float(new) - Float(old)) * share + 0.5, 0), 255))
    }
    pixels[index] = mixed(pixels[index], ink.red)
    pixels[index + 1] = mixed(pixels[index + 1], ink.green)
    pixels[index + 2] = mixed(pixels[index + 2], ink.blue)
  }
}

/// The squared distance of pixels from the nearest of some segments.
struct DistanceField {
  let rows: Range<Int>
  let columns: Range<Int>
  /// `[rows, columns]`.
  private(set) var distances: [Float]

  /// Distances up to `margin` around the segments; nil when nothing of that is on the sheet.
  init?(_ segments: [Segment], margin: Double, on sheet: Sheet) {
    guard let first = segments.first else { return nil }
    var (left, right) = (first.x0, first.x0)
    var (top, bottom) = (first.y0, first.y0)
    for segment in segments {
      left = min(left, segment.x0, segment.x1)
      right = max(right, segment.x0, segment.x1)
      top = min(top, segment.y0, segment.y1)
      bottom = max(bottom, segment.y0, segment.y1)
    }
    let margin = Float(margin)
    columns = Self.range(left - margin, right + margin, sheet.width)
    rows = Self.range(top - margin, bottom + margin, sheet.height)
    guard !rows.isEmpty, !columns.isEmpty else { return nil }
    distances = [Float](repeating: .infinity, count: rows.count * columns.count)
    for segment in segments { add(segment, margin: margin) }
  }

  private mutating func add(_ segment: Segment, margin: Float) {
    let (dx, dy) = (segment.x1 - segment.x0, segment.y1 - segment.y0)
    let length = dx * dx + dy * dy
    let (near, far) = (min(segment.x0, segment.x1) - margin, max(segment.x0, segment.x1) + margin)
    let across = Self.range(near, far, columns.upperBound).clamped(to: columns)
    let (high, low) = (min(segment.y0, segment.y1) - margin, max(segment.y0, segment.y1) + margin)
    for row in Self.range(high, low, rows.upperBound).clamped(to: rows) {
      for column in across {
        let (x, y) = (Float(column) + 0.5 - segment.x0, Float(row) + 0.5 - segment.y0)
        let share = length > 0 ? min(max((x * dx + y * dy) / length, 0), 1) : 0
        let (ex, ey) = (x - share * dx, y - share * dy)
        let index = (row - rows.lowerBound) * columns.count + column - columns.lowerBound
        distances[index] = min(distances[index], ex * ex + ey * ey)
      }
    }
  }

  private static func range(_ low: Float, _ high: Float, _ count: Int) -> Range<Int> {
    guard low.isFinite, high.isFinite, high > 0, low < Float(count) else { return 0..<0 }
    let first = Int(max(low.rounded(.down), 0))
    return first..<max(first, Int(min(high.rounded(.up), Float(count))))
  }
}
