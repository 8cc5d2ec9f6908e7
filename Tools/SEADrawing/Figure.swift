// SPDX-License-Identifier: Apache-2.0
// A chart as shapes, written as SVG or drawn as pixels: both show the same.

/// Rectangles, lines and texts on white, in the order in which they lie upon each other.
package struct Figure: Sendable {
  private enum Shape: Sendable {
    case rectangle(x: Double, y: Double, width: Double, height: Double, Ink)
    case line(x0: Double, y0: Double, x1: Double, y1: Double, width: Double, isDashed: Bool, Ink)
    case text(String, x: Double, y: Double, Lettering.Anchor, size: Double, isBold: Bool, Ink)
  }

  private let width: Double
  private let height: Double
  private var shapes: [Shape] = []

  /// An empty figure of the given size.
  package init(width: Double, height: Double) {
    self.width = width
    self.height = height
  }

  /// Adds a filled rectangle.
  package mutating func rectangle(
    x: Double,
    y: Double,
    width: Double,
    height: Double,
    _ ink: Ink
  ) {
    shapes.append(.rectangle(x: x, y: y, width: width, height: height, ink))
  }

  /// Adds a straight line.
  package mutating func line(
    _ x0: Double,
    _ y0: Double,
    _ x1: Double,
    _ y1: Double,
    width: Double = 1,
    isDashed: Bool = false,
    _ ink: Ink
  ) {
    shapes.append(.line(x0: x0, y0: y0, x1: x1, y1: y1, width: width, isDashed: isDashed, ink))
  }

  /// Adds one line of text; `y` is the line that letters stand on, `size` that of SVG's fonts.
  package mutating func text(
    _ text: String,
    x: Double,
    y: Double,
    anchor: Lettering.Anchor = .start,
    size: Double = 12,
    isBold: Bool = false,
    _ ink: Ink
  ) {
    shapes.append(.text(text, x: x, y: y, anchor, size: size, isBold: isBold, ink))
  }

  // MARK: - SVG

  /// The text of an SVG file.
  package var svg: String {
    let size = "width=\"\(Self.text(width))\" height=\"\(Self.text(height))\""
    let lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) "
        + "viewBox=\"0 0 \(Self.text(width)) \(Self.text(height))\" font-family=\"sans-serif\">",
      "<rect \(size) fill=\"#ffffff\"/>",
    ]
    return (lines + shapes.map(Self.svg) + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func svg(_ shape: Shape) -> String {
    switch shape {
    case .rectangle(let x, let y, let width, let height, let ink):
      return "<rect x=\"\(text(x))\" y=\"\(text(y))\" width=\"\(text(width))\" "
        + "height=\"\(text(height))\" fill=\"\(ink.css)\"/>"
    case .line(let x0, let y0, let x1, let y1, let width, let isDashed, let ink):
      return "<line x1=\"\(text(x0))\" y1=\"\(text(y0))\" x2=\"\(text(x1))\" y2=\"\(text(y1))\" "
        + "stroke=\"\(ink.css)\" stroke-width=\"\(text(width))\""
        + (isDashed ? " stroke-dasharray=\"3 2\"" : "") + "/>"
    case .text(let content, let x, let y, let anchor, let size, let isBold, let ink):
      let place: String
      switch anchor {
      case .start: place = ""
      case .middle: place = " text-anchor=\"middle\""
      case .end: place = " text-anchor=\"end\""
      }
      return "<text x=\"\(text(x))\" y=\"\(text(y))\"\(place) font-size=\"\(text(size))\""
        + "\(isBold ? " font-weight=\"bold\"" : "") fill=\"\(ink.css)\">\(escaped(content))</text>"
    }
  }

  /// A number with at most two places.
  private static func text(_ value: Double) -> String {
    let hundredths = Int((min(max(value, -1e9), 1e9) * 100).rounded())
    let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
    let fraction = rest == 0 ? "" : rest % 10 == 0 ? ".\(rest / 10)" : ".\(rest / 10)\(rest % 10)"
    return (hundredths < 0 ? "-" : "") + "\(whole)\(fraction)"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: if scalar.value >= 0x20 { result.unicodeScalars.append(scalar) }
      }
    }
    return result
  }

  // MARK: - Pixels

  /// The figure as a PNG file at twice its size; nil when it is too large for one.
  package var png: [UInt8]? {
    let scale = 2.0
    let (columns, rows) = (Int((width * scale).rounded(.up)), Int((height * scale).rounded(.up)))
    let sides = 1...PNGEncoder.longestSide
    guard sides.contains(columns), sides.contains(rows) else { return nil }
    var sheet = Sheet(width: columns, height: rows, .white)
    for shape in shapes { Self.draw(shape, scale: scale, on: &sheet) }
    return sheet.png(note: "a chart")
  }

  private static func draw(_ shape: Shape, scale: Double, on sheet: inout Sheet) {
    switch shape {
    case .rectangle(let x, let y, let width, let height, let ink):
      sheet.fill(x: x * scale, y: y * scale, width: width * scale, height: height * scale, ink)
    case .line(let x0, let y0, let x1, let y1, let width, let isDashed, let ink):
      let length = ((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)).squareRoot()
      let (dash, step) = isDashed ? (3.0, 5.0) : (length, max(length, 1))
      for start in stride(from: 0, to: max(length, 0.01), by: step) {
        let (from, to) = (start / max(length, 0.01), min(start + dash, length) / max(length, 0.01))
        sheet.line(
          (x0 + (x1 - x0) * from) * scale,
          (y0 + (y1 - y0) * from) * scale,
          (x0 + (x1 - x0) * to) * scale,
          (y0 + (y1 - y0) * to) * scale,
          width: width * scale,
          ink
        )
      }
    case .text(let content, let x, let y, let anchor, let size, let isBold, let ink):
      // A capital is about 0.72 of a font's size.
      var style = Lettering(size: size * 0.72 * scale, ink: ink)
      style.weight = isBold ? 0.19 : 0.13
      style.anchor = anchor
      sheet.write(content, x: x * scale, y: y * scale, style)
    }
  }
}
