// SPDX-License-Identifier: Apache-2.0
// Recall maps as one HTML page that needs nothing else.

internal import SEADrawing
package import SEAImage

/// Writes maps of the same picture as a page: the first word on each patch, all of them under the
/// pointer or the keyboard's focus.
package struct RecallPage {
  private let maps: [RecallMap]
  private let panels: [RecallPanel]

  /// Pixels of the inlined picture along a cell's side, at most.
  private static let cell = 32

  /// A page.
  ///
  /// - Parameters:
  ///   - maps: at least one.
  ///   - image: the picture that all of them are of.
  ///   - bars: for each map the colour of its recipe's bars.
  package init(_ maps: [RecallMap], of image: PixelImage, bars: [RGBColor?]) {
    self.maps = maps
    panels = zip(maps, bars).map { map, bar in
      RecallPanel(image, under: map, bar: bar, cell: Self.cell)
    }
  }

  /// The page; nil when a picture cannot be encoded.
  package func html() -> String? {
    var parts = [Self.head]
    for (map, panel) in zip(maps, panels) {
      guard let png = panel.png else { return nil }
      parts.append(section(map, picture: Base64.text(png)))
    }
    parts.append("</main>\n</body>\n</html>\n")
    return parts.joined(separator: "\n")
  }

  private func section(_ map: RecallMap, picture: String) -> String {
    var parts = [
      "<section>", "<h2>\(Self.escaped(map.title))</h2>", "<p>\(summary(map))</p>",
      "<div class=\"map\" style=\"--rows:\(map.rows);--columns:\(map.columns);"
        + "background-image:url(data:image/png;base64,\(picture))\">",
    ]
    for (index, cell) in map.cells.enumerated() {
      guard let first = cell.words.first else {
        parts.append("<i></i>")
        continue
      }
      let below = index / map.columns < map.rows / 2 ? "" : " up"
      let right = index % map.columns < map.columns / 2 ? "" : " left"
      let words = cell.words.map { word in
        let isRight = cell.truth?.contains(word.text.lowercased()) ?? false
        return "<li\(isRight ? " class=\"right\"" : "")><b>\(Self.escaped(word.text))</b>"
          + "<span>\(EvaluationReport.decimal(Double(word.cosine), places: 3))</span></li>"
      }
      let truth = cell.truth.map {
        "<p>labels: \(Self.escaped($0.prefix(12).joined(separator: ", ")))</p>"
      }
      parts.append(
        "<div class=\"cell \(cell.verdict.rawValue)\(below)\(right)\" tabindex=\"0\">"
          + "<em style=\"--n:\(max(first.text.count, 4))\">\(Self.escaped(first.text))</em>"
          + "<aside><small>row \(index / map.columns), column \(index % map.columns)</small><ol>"
          + words.joined() + "</ol>\(truth ?? "")</aside></div>"
      )
    }
    parts += ["</div>", "</section>"]
    return parts.joined(separator: "\n")
  }

  private func summary(_ map: RecallMap) -> String {
    let size = "\(map.rows) × \(map.columns) visual tokens"
    guard let accuracy = map.accuracy(among: 1) else { return size }
    return "\(size); <b class=\"correct\">\(EvaluationReport.percent(accuracy)) %</b> of "
      + "\(map.cells.count - map.count(.unlabelled)) labelled patches recall one of their labels"
  }

  /// Text as HTML holds it.
  static func escaped(_ text: String) -> String {
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

  private static let head = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>What each visual token means</title>
    <style>
    body { margin: 24px; font: 15px/1.45 system-ui, sans-serif; color: #1b2a38; background: #fff; }
    h1 { font-size: 20px; margin: 0 0 4px; }
    h2 { font-size: 16px; margin: 18px 0 0; }
    p { margin: 2px 0 8px; color: #5d6b78; }
    p .correct { color: #0a7d3a; }
    main { display: flex; flex-wrap: wrap; gap: 24px; }
    section { flex: 1 1 560px; max-width: 1100px; }
    .map { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr));
      grid-template-rows: repeat(var(--rows), minmax(0, 1fr));
      aspect-ratio: var(--columns) / var(--rows); background-size: 100% 100%;
      container-type: inline-size; border-radius: 4px; }
    .map > * { position: relative; box-shadow: inset 0 0 0 .5px #fff4; min-width: 0; min-height: 0; }
    .cell { display: flex; align-items: center; justify-content: center; background: #0b101638; }
    .cell.correct { background: #0d6b3460; } .cell.incorrect { background: #8c1c1450; }
    .cell:hover, .cell:focus { outline: 2px solid #fff; z-index: 3; }
    .cell em { font-style: normal; font-weight: 600; white-space: nowrap; color: #fff;
      font-size: min(calc(160cqw / var(--columns) / var(--n)), calc(30cqw / var(--columns)));
      text-shadow: 0 0 2px #000, 0 0 2px #000, 0 0 3px #000; }
    .correct em { color: #7dffa1; } .incorrect em { color: #ffa59c; }
    .cell aside { display: none; position: absolute; top: 105%; left: 0; min-width: 190px;
      padding: 8px 12px; border-radius: 6px; background: #0b1016f2; color: #eef2f5; z-index: 4;
      pointer-events: none; box-shadow: 0 4px 18px #0008; }
    .cell.up aside { top: auto; bottom: 105%; } .cell.left aside { left: auto; right: 0; }
    .cell:hover aside, .cell:focus aside { display: block; }
    aside ol { margin: 4px 0 0; padding: 0; list-style: none; }
    aside li { display: flex; justify-content: space-between; gap: 18px; }
    aside li.right b { color: #7dffa1; } aside p { margin: 6px 0 0; color: #b8c4ce; }
    </style>
    </head>
    <body>
    <h1>What each visual token means</h1>
    <p>The word of the language model's table that is nearest to the adapter's output, patch by patch. \
    Point at a patch for the next nearest.</p>
    <main>
    """
}

/// Bytes as text of 64 characters.
package enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
  )

  /// The text, padded.
  package static func text(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var bits: UInt32 = 0
      for index in 0..<3 { bits = bits << 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
      for index in 0..<4 {
        text.append(
          index <= count ? alphabet[Int(bits >> (18 - 6 * UInt32(index)) & 63)] : UInt8(ascii: "=")
        )
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
