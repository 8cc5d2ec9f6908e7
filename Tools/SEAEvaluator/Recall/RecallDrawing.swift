// SPDX-License-Identifier: Apache-2.0
// Recall maps as one picture: words over their patches, several models side by side.

package import SEADrawing
package import SEAImage

/// Draws maps of the same picture.
package struct RecallDrawing {
  /// The colours of words, each readable on the dark line around it.
  package enum Palette {
    /// Around every word.
    package static let halo = Ink(0x0b1016)
    package static let correct = Ink(0x7dffa1)
    package static let incorrect = Ink(0xffa59c)
    package static let unlabelled = Ink(0xffffff)
    static let right = Ink(0x10b050)
    static let wrong = Ink(0xe0281e)
    static let unknown = Ink(0x9aa5af)
    static let page = Ink(0xffffff)
    static let text = Ink(0x1b2a38)
    static let quiet = Ink(0x5d6b78)

    /// The colour of a verdict.
    package static func ink(_ verdict: RecallMap.Verdict) -> Ink {
      switch verdict {
      case .correct: correct
      case .incorrect: incorrect
      case .unlabelled: unlabelled
      }
    }
  }

  private let maps: [RecallMap]
  private let panels: [RecallPanel]
  private let cells: [Int]

  /// Height of a title's capitals, from which all that surrounds the panels is measured.
  private let letter: Int
  private var margin: Int { letter + 8 }
  private var header: Int { letter * 2 + 12 }
  private var footer: Int { letter * 2 }
  /// Cells are never smaller: words would not be readable.
  package static let cellRange = 24...256

  /// A drawing.
  ///
  /// - Parameters:
  ///   - maps: at least one.
  ///   - image: the picture that all of them are of.
  ///   - bars: for each map the colour of its recipe's bars.
  ///   - cell: pixels along a cell's side of the first map; others are drawn as wide. Nil: what suits
  ///     the longest words.
  package init(_ maps: [RecallMap], of image: PixelImage, bars: [RGBColor?], cell: Int? = nil) {
    self.maps = maps
    let first = maps.first.map { max($0.rows, $0.columns) } ?? 1
    let wanted = cell ?? min(max(1600 / first, 60), 112)
    let side = wanted * first
    letter = min(max(side / 60, 14), 30)
    cells = maps.map { map in
      let own = side / max(map.rows, map.columns, 1)
      return min(max(own, Self.cellRange.lowerBound), Self.cellRange.upperBound)
    }
    panels = zip(zip(maps, cells), bars).map { pair, bar in
      RecallPanel(image, under: pair.0, bar: bar, cell: pair.1)
    }
  }

  /// Columns of the whole picture.
  package var width: Int {
    panels.reduce(margin) { $0 + $1.width + margin }
  }

  /// Rows of the whole picture.
  package var height: Int {
    (panels.map(\.height).max() ?? 0) + header + footer + margin / 2
  }

  /// True when the picture can be written as a PNG.
  package var fits: Bool { max(width, height) <= PNGEncoder.longestSide }

  /// The whole picture.
  ///
  /// - Precondition: it fits.
  package func sheet() -> Sheet {
    var sheet = Sheet(width: width, height: height, Palette.page)
    var left = margin
    for (index, map) in maps.enumerated() {
      draw(map, panels[index], cell: cells[index], left: left, on: &sheet)
      left += panels[index].width + margin
    }
    return sheet
  }

  private func draw(
    _ map: RecallMap,
    _ panel: RecallPanel,
    cell: Int,
    left: Int,
    on sheet: inout Sheet
  ) {
    let top = header
    for y in 0..<panel.height {
      for x in 0..<panel.width {
        let index = (y * panel.width + x) * 3
        // A little darker, so that light words stand out and the picture stays what it is.
        func dimmed(_ value: UInt8) -> UInt8 { UInt8(Int(value) * 13 / 16) }
        sheet.set(
          left + x,
          top + y,
          red: dimmed(panel.pixels[index]),
          green: dimmed(panel.pixels[index + 1]),
          blue: dimmed(panel.pixels[index + 2])
        )
      }
    }
    rule(map, panel, cell: cell, left: left, on: &sheet)
    for (index, content) in map.cells.enumerated() {
      guard let word = content.words.first else { continue }
      let ink = Palette.ink(content.verdict)
      let middle = (
        x: Double(left + index % map.columns * cell) + Double(cell) / 2,
        y: Double(top + index / map.columns * cell) + Double(cell) / 2
      )
      CellText(word.text, cell: Double(cell)).write(at: middle, ink, on: &sheet)
    }
    var title = Lettering(size: Double(letter), ink: Palette.text)
    title.weight = 0.16
    let room = Double(panel.width)
    title.squeeze = min(1, max(0.5, room / max(title.width(of: map.title), 1)))
    sheet.write(map.title, x: Double(left), y: Double(top - letter * 3 / 4), title)
    legend(map, panel, left: left, on: &sheet)
  }

  /// Thin light lines between the cells, and a tint where a word is right.
  private func rule(
    _ map: RecallMap,
    _ panel: RecallPanel,
    cell: Int,
    left: Int,
    on sheet: inout Sheet
  ) {
    let top = Double(header)
    for (index, content) in map.cells.enumerated() where content.verdict == .correct {
      sheet.fill(
        x: Double(left + index % map.columns * cell) + 0.5,
        y: top + Double(index / map.columns * cell) + 0.5,
        width: Double(cell - 1),
        height: Double(cell - 1),
        Palette.right,
        opacity: 0.22
      )
    }
    for column in 0...map.columns {
      sheet.fill(
        x: Double(left + column * cell) - 0.5,
        y: top,
        width: 1,
        height: Double(panel.height),
        .white,
        opacity: 0.22
      )
    }
    for row in 0...map.rows {
      sheet.fill(
        x: Double(left),
        y: top + Double(row * cell) - 0.5,
        width: Double(panel.width),
        height: 1,
        .white,
        opacity: 0.22
      )
    }
  }

  private func legend(_ map: RecallMap, _ panel: RecallPanel, left: Int, on sheet: inout Sheet) {
    let size = Double(letter) * 0.72
    var style = Lettering(size: size, ink: Palette.quiet)
    let line = Double(header + panel.height + letter / 2) + size * 1.5
    guard map.hasTruth, let accuracy = map.accuracy(among: 1) else {
      sheet.write("\(map.rows) × \(map.columns) visual tokens", x: Double(left), y: line, style)
      return
    }
    var x = Double(left)
    let known = map.cells.count - map.count(.unlabelled)
    let parts: [(ink: Ink, text: String)] = [
      (Palette.right, "in the labels  \(percent(accuracy)) of \(known)"),
      (Palette.wrong, "not in them  \(percent(1 - accuracy))"),
      (Palette.unknown, "no labels  \(map.count(.unlabelled))"),
    ]
    for part in parts {
      sheet.fill(x: x, y: line - size, width: size, height: size, radius: size / 4, part.ink)
      style.ink = Palette.text
      sheet.write(part.text, x: x + size * 1.6, y: line, style)
      x += size * 1.6 + style.width(of: part.text) + size * 2.4
    }
  }

  private func percent(_ share: Double) -> String { EvaluationReport.percent(share) + " %" }
}

/// A word as it fits into a cell: on one line, narrower, on two lines, or smaller.
package struct CellText {
  /// One line or two.
  package let lines: [String]
  /// How they are written, but for the colour.
  package let style: Lettering

  /// A text in a cell of `cell` pixels.
  package init(_ text: String, cell: Double) {
    let room = cell - 6
    let largest = min(max(cell * 0.19, 8), 20)
    func style(_ size: Double, _ lines: [String]) -> Lettering {
      var style = Lettering(size: size)
      style.weight = 0.155
      style.haloWidth = max(1.5, size * 0.16)
      // The pen's width is not squeezed with the letters: two widths tell what is.
      let whole = lines.map { style.width(of: $0) }.max() ?? 0
      style.squeeze = 0.5
      let half = lines.map { style.width(of: $0) }.max() ?? 0
      let letters = 2 * (whole - half)
      style.squeeze = letters > 0 ? min(1, (room - (whole - letters)) / letters) : 1
      return style
    }
    let whole = style(largest, [text])
    if whole.squeeze >= 0.74 {
      (lines, self.style) = ([text], whole)
      return
    }
    let halves = Self.halves(text)
    var size = largest * 0.9
    // Narrower than this letters run together; then they become smaller, down to what can be read.
    while size > 7, style(size, halves).squeeze < 0.72 { size -= 0.5 }
    (lines, self.style) = (halves, style(size, halves))
  }

  /// The text on two lines: cut at a hyphen or blank near the middle, else by a hyphen of its own.
  private static func halves(_ text: String) -> [String] {
    let characters = Array(text)
    let middle = Double(characters.count) / 2
    let cuts = characters.indices.dropLast().filter {
      (characters[$0] == "-" || characters[$0] == " ") && $0 > 0
    }
    if let cut = cuts.min(by: { abs(Double($0) + 0.5 - middle) < abs(Double($1) + 0.5 - middle) }) {
      let end = characters[cut] == " " ? cut : cut + 1
      return [String(characters[..<end]), String(characters[(cut + 1)...])]
    }
    guard characters.count >= 8 else { return [text] }
    // Near the middle, rather between two consonants than before one, and not before a vowel.
    func cost(_ cut: Int) -> Double {
      let isLate = isVowel(characters[cut])
      let isEarly = isVowel(characters[cut - 1])
      return abs(Double(cut) - middle) + (isLate ? 3 : isEarly ? 1.5 : 0)
    }
    let cut = (3..<characters.count - 2).min { cost($0) < cost($1) } ?? characters.count / 2
    return [String(characters[..<cut]) + "-", String(characters[cut...])]
  }

  private static func isVowel(_ character: Character) -> Bool {
    "aeiouyAEIOUY".contains(character)
  }

  func write(at middle: (x: Double, y: Double), _ ink: Ink, on sheet: inout Sheet) {
    var style = style
    style.ink = ink
    style.halo = RecallDrawing.Palette.halo
    style.anchor = .middle
    let advance = style.size * 1.62
    let height = style.size + advance * Double(lines.count - 1)
    for (index, line) in lines.enumerated() {
      let base = middle.y - height / 2 + style.size + advance * Double(index)
      sheet.write(line, x: middle.x, y: base, style)
    }
  }
}
