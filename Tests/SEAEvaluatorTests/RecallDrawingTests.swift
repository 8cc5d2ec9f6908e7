// SPDX-License-Identifier: Apache-2.0
// Recall maps as pictures and pages: readable on anything, and free of what words may hold.

import Foundation
import SEADrawing
import SEAEvaluator
import SEAImage
import Testing

@Suite struct RecallDrawingTests {
  private static func flat(_ value: UInt8) -> PixelImage {
    PixelImage(width: 60, height: 60, pixels: [UInt8](repeating: value, count: 60 * 60 * 3))
  }

  private static func map(_ text: String, truth: [String]? = nil, side: Int = 2) -> RecallMap {
    RecallMap(
      title: "a model",
      rows: side,
      columns: side,
      cells: (0..<side * side).map { index in
        RecallMap.Cell(token: index, words: [RecallMap.Word(text, 0.5)], truth: truth)
      }
    )
  }

  @Test func everyInkStandsOutFromItsHalo() {
    for verdict in RecallMap.Verdict.allCases {
      let contrast = RecallDrawing.Palette.ink(verdict).contrast(with: RecallDrawing.Palette.halo)
      #expect(contrast > 7, "\(verdict): \(contrast)")
    }
    #expect(abs(Ink.white.contrast(with: .black) - 21) < 0.05)
  }

  @Test(arguments: [0, 128, 255] as [UInt8]) func wordsCanBeReadOnAnything(background: UInt8) throws
  {
    let drawing = RecallDrawing([Self.map("lighthouse")], of: Self.flat(background), bars: [nil])
    let sheet = drawing.sheet()
    #expect(sheet.width == drawing.width && sheet.height == drawing.height)
    var (light, dark) = (0, 0)
    for y in 60..<sheet.height - 60 {
      for x in 40..<sheet.width - 40 {
        let ink = sheet.ink(x, y)
        if ink.contrast(with: RecallDrawing.Palette.unlabelled) < 1.15 { light += 1 }
        if ink.contrast(with: RecallDrawing.Palette.halo) < 1.2 { dark += 1 }
      }
    }
    // Four words of ten letters: their lines, and the dark around them, are there at full strength.
    #expect(light > 300, "\(light)")
    #expect(dark > 300, "\(dark)")
  }

  @Test(
    arguments: [
      "I", "sky", "lighthouse", "photosynthesis", "merry-go-round", "a b", "mmmmmmmmmmmmmmmmmmmm",
      "pneumonoultramicroscopicsilicovolcanoconiosis", "été",
    ],
    [24.0, 40, 64, 112, 256]
  ) func wordsStayInTheirCells(word: String, cell: Double) {
    let text = CellText(word, cell: cell)
    #expect(text.lines.count <= 2)
    let letters = { (text: String) in text.filter { $0 != "-" && $0 != " " } }
    #expect(letters(text.lines.joined()) == letters(word))
    for line in text.lines {
      #expect(text.style.width(of: line) <= cell - 5.9)
    }
    #expect(text.style.size * 1.62 * Double(text.lines.count) < cell)
  }

  @Test func mapsOfDifferentGridsAreEquallyWide() {
    let maps = [Self.map("sky", side: 12), Self.map("sea", side: 16)]
    let drawing = RecallDrawing(maps, of: Self.flat(90), bars: [nil, nil], cell: 64)
    #expect(drawing.width > 2 * 12 * 64 && drawing.width < 2 * 12 * 64 + 150)
    #expect(drawing.fits)
    let large = RecallDrawing([Self.map("sky", side: 80)], of: Self.flat(9), bars: [nil], cell: 256)
    #expect(!large.fits)
  }

  @Test func pictureIsSeenInItsPlace() {
    // The left half black, the right half white.
    let pixels = (0..<40 * 40).flatMap { [UInt8](repeating: $0 % 40 < 20 ? 0 : 255, count: 3) }
    let image = PixelImage(width: 40, height: 40, pixels: pixels)
    let panel = RecallPanel(image, under: Self.map("x"), bar: nil, cell: 10)
    #expect(panel.width == 20 && panel.height == 20)
    for pixel in 0..<20 * 20 {
      #expect(panel.pixels[pixel * 3] == (pixel % 20 < 10 ? 0 : 255))
    }
  }

  @Test func pagesHoldNoMarkupOfWords() throws {
    let map = Self.map("<script>alert(1)</script>&\"", truth: ["<b>"])
    let page = try #require(RecallPage([map], of: Self.flat(3), bars: [nil]).html())
    #expect(!page.contains("<script") && !page.contains("<b>\""))
    #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"))
    #expect(page.contains("url(data:image/png;base64,iVBORw0KGgo"))
    #expect(!page.contains("http"))
    #expect(page.components(separatedBy: "<aside>").count == 5)
  }

  @Test(arguments: 0..<9) func base64IsThatOfEveryoneElse(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 97 + 250) }
    #expect(Base64.text(bytes) == Data(bytes).base64EncodedString())
  }

  @Test func linesAreSmoothAndInTheirPlace() {
    var sheet = Sheet(width: 20, height: 20, .white)
    sheet.line(2, 10, 18, 10, width: 4, .black)
    #expect(sheet.ink(10, 9) == .black && sheet.ink(10, 10) == .black)
    #expect(sheet.ink(10, 5) == .white && sheet.ink(10, 14) == .white)
    sheet.fill(x: 0.5, y: 0, width: 1, height: 1, .black)
    #expect((120...135).contains(sheet.ink(0, 0).red))
    // Nothing of it is on the sheet.
    sheet.line(-50, -50, -40, -40, width: 3, .black)
    sheet.fill(x: 30, y: 30, width: .infinity, height: 5, .black)
    #expect(sheet.ink(19, 19) == .white)
  }
}
