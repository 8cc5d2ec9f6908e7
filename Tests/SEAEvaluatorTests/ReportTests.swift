// SPDX-License-Identifier: Apache-2.0
// Runs are compared question by question; reports and charts say what was found.

import Foundation
import SEAEvaluator
import SEAFormat
import SEAImage
import TestSupport
import Testing

@Suite struct ReportTests {
  private func evaluation(_ scores: [Double]) -> Evaluation {
    let items = scores.enumerated().map { ScoredItem(key: String($0), group: "all", score: $1) }
    return Evaluation(
      task: "gqa",
      items: items,
      metrics: [.mean("accuracy", scores)],
      missing: 0
    )
  }

  @Test func comparisonPairsQuestions() {
    let first = evaluation([1, 1, 1, 1, 1, 1, 1, 0, 0, 1])
    let second = evaluation([0, 0, 0, 0, 0, 0, 1, 0, 1])
    let comparison = Comparison(first, second)
    #expect(comparison.pairs == 9 && comparison.better == 6 && comparison.worse == 1)
    #expect(abs(comparison.probability - 0.125) < 1e-12)
    #expect(abs(comparison.first - 7.0 / 9) < 1e-12)
    #expect(Comparison(second, first).better == 1)
  }

  @Test func reportTellsFiguresIntervalsAndTheTest() throws {
    let (first, second) = (evaluation([1, 1, 0, 1]), evaluation([0, 1, 0, 1]))
    var report = EvaluationReport(first, name: "new <model>")
    report.other = ("old", second, Comparison(first, second))
    #expect(report.text.contains("75.0") && report.text.contains("30.1 – 95.4"))
    #expect(report.text.contains("1 better, 0 worse, p = 1.0000"))
    let json = JSONValue.object(JSONObject(report.fields))
    #expect(json["metrics"]?.array?.first?["value"]?.double == 0.75)
    #expect(json["compare"]?["p"]?.double == 1)
    let svg = BarChart(report).figure.svg
    #expect(svg.hasPrefix("<svg") && svg.contains("new &lt;model&gt;"))
    let parser = XMLCheck(svg)
    #expect(parser.isWellFormed)
    #expect(parser.count("rect") == 5)  // ground, two keys, two bars
    let png = try #require(BarChart(report).figure.png)
    let image = try ImageFile.decode(bytes: png, name: "chart")
    #expect(image.width == 1360 && image.height > 200)
    // The bar of the first run is blue where it starts, and nothing is right of the plot.
    func pixel(_ x: Int, _ y: Int) -> [UInt8] {
      let start = (y * image.width + x) * 3
      return Array(image.pixels[start..<start + 3])
    }
    #expect(pixel(2 * 200, 2 * 61) == [0x2a, 0x78, 0xb8])
    #expect(pixel(2 * 200, 2 * 76) == [0xe0, 0x8a, 0x2c])
    #expect(pixel(image.width - 3, 2 * 61) == [255, 255, 255])
  }
}

/// Counts elements and checks that they close in order.
private struct XMLCheck {
  private(set) var isWellFormed = true
  private var names: [String: Int] = [:]

  init(_ text: String) {
    var open: [String] = []
    for tag in text.split(separator: "<").dropFirst(0) {
      guard let end = tag.firstIndex(of: ">") else {
        isWellFormed = false
        continue
      }
      let inside = tag[..<end]
      if inside.hasPrefix("/") {
        if open.popLast() != String(inside.dropFirst()) { isWellFormed = false }
        continue
      }
      let name = String(inside.prefix { $0 != " " && $0 != "/" })
      names[name, default: 0] += 1
      if !inside.hasSuffix("/") { open.append(name) }
    }
    if !open.isEmpty { isWellFormed = false }
  }

  func count(_ name: String) -> Int { names[name] ?? 0 }
}
