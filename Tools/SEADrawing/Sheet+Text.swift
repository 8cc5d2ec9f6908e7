// SPDX-License-Identifier: Apache-2.0
// Text on a sheet.

/// How text is written.
package struct Lettering: Sendable {
  /// Where a text stands beside the point that it is written at.
  package enum Anchor: Sendable {
    case start
    case middle
    case end
  }

  /// Height of a capital, in pixels.
  package var size: Double
  /// Width of a letter beside its usual width.
  package var squeeze = 1.0
  /// Width of the lines beside the height of a capital.
  package var weight = 0.14
  package var ink = Ink.black
  /// Drawn around the letters; nil: nothing.
  package var halo: Ink?
  /// Width of the halo on either side, in pixels.
  package var haloWidth = 1.6
  package var anchor = Anchor.start

  /// Plain black letters.
  package init(size: Double, ink: Ink = .black) {
    self.size = size
    self.ink = ink
  }

  /// Width of a text in pixels, its outer lines included.
  package func width(of text: String) -> Double {
    var units: Float = 0
    for scalar in text.unicodeScalars {
      units += (scalar == " " ? LineFont.blank : LineFont.glyph(scalar).width) + LineFont.gap
    }
    guard units > 0 else { return 0 }
    return Double(units - LineFont.gap) * scale * squeeze + size * weight
  }

  /// Pixels of a unit of the face.
  var scale: Double { size / Double(LineFont.capital) }
}

extension Sheet {
  /// Writes one line of text.
  ///
  /// - Parameters:
  ///   - text: characters that the face lacks become empty boxes.
  ///   - x: start, middle or end of the text, in pixels.
  ///   - y: the line that letters stand on.
  ///   - style: how.
  package mutating func write(_ text: String, x: Double, y: Double, _ style: Lettering) {
    let width = style.width(of: text)
    var left = x + style.size * style.weight / 2
    switch style.anchor {
    case .start: break
    case .middle: left -= width / 2
    case .end: left -= width
    }
    let (tall, wide) = (Float(style.scale), Float(style.scale * style.squeeze))
    let top = Float(y) - LineFont.capital * tall
    var pen = Float(left)
    var segments: [Segment] = []
    for scalar in text.unicodeScalars {
      guard scalar != " " else {
        pen += (LineFont.blank + LineFont.gap) * wide
        continue
      }
      let glyph = LineFont.glyph(scalar)
      for part in glyph.segments {
        segments.append(
          Segment(
            x0: pen + part.x0 * wide,
            y0: top + part.y0 * tall,
            x1: pen + part.x1 * wide,
            y1: top + part.y1 * tall
          )
        )
      }
      pen += (glyph.width + LineFont.gap) * wide
    }
    let line = max(style.size * style.weight, 1)
    let margin = line / 2 + (style.halo == nil ? 0 : style.haloWidth) + 1
    guard let field = DistanceField(segments, margin: margin, on: self) else { return }
    if let halo = style.halo {
      stroke(field, width: line + 2 * style.haloWidth, halo, opacity: 0.92)
    }
    stroke(field, width: line, style.ink)
  }
}
