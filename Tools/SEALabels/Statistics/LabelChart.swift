// SPDX-License-Identifier: Apache-2.0
// The statistics as a picture: four panels of bars.

package import SEADrawing

/// Draws statistics.
package struct LabelChart {
  private let statistics: LabelStatistics
  private let name: (Int) -> String

  private static let (width, height) = (880.0, 640.0)
  private static let panel = (width: 380.0, height: 230.0)
  private static let (ink, bar, grid) = (Ink(0x1b2a38), Ink(0x2f7fb8), Ink(0xd8dfe5))

  /// A chart of some statistics; `name` gives the text of a word.
  package init(_ statistics: LabelStatistics, name: @escaping (Int) -> String) {
    self.statistics = statistics
    self.name = name
  }

  /// The chart, for SVG or PNG.
  package var figure: Figure {
    var figure = Figure(width: Self.width, height: Self.height)
    let s = statistics
    let (scores, means) = (s.scores.trimmed, s.wordMeans.trimmed)
    bars("Scores of labels", scores.counts, ends: ends(scores), at: (50, 40), on: &figure)
    bars("Mean score a word", means.counts, ends: ends(means), at: (490, 40), on: &figure)
    bars(
      "Labels a patch",
      s.labelsPerPatch,
      ends: ("0", String(s.labelsPerPatch.count - 1)),
      at: (50, 350),
      on: &figure
    )
    words(at: (490, 350), on: &figure)
    figure.text(
      "\(s.labels) labels in \(s.images) pictures; "
        + "\(Self.percent(s.shareDropped)) of the best words dropped, "
        + "\(Self.percent(s.utilisation)) of \(s.wordCount) words used, "
        + "\(s.emptyPatches) patches empty",
      x: 50,
      y: Self.height - 12,
      Self.ink
    )
    return figure
  }

  private func ends(_ histogram: Histogram) -> (String, String) {
    (Self.decimal(histogram.low), Self.decimal(histogram.high))
  }

  private func bars(
    _ title: String,
    _ counts: [Int],
    ends: (String, String),
    at place: (x: Double, y: Double),
    on figure: inout Figure
  ) {
    let (width, height) = Self.panel
    let most = max(counts.max() ?? 0, 1)
    figure.text(title, x: place.x, y: place.y - 12, isBold: true, Self.ink)
    for step in 0...4 {
      let y = place.y + height * Double(step) / 4
      figure.line(place.x, y, place.x + width, y, Self.grid)
    }
    figure.text("\(most)", x: place.x + width, y: place.y - 4, anchor: .end, Self.ink)
    for (index, count) in counts.enumerated() where count > 0 {
      let left = (width * Double(index) / Double(counts.count)).rounded()
      let right = (width * Double(index + 1) / Double(counts.count)).rounded()
      let tall = max(1, (height * Double(count) / Double(most)).rounded())
      figure.rectangle(
        x: place.x + left,
        y: place.y + height - tall,
        width: max(right - left - 1, 1),
        height: tall,
        Self.bar
      )
    }
    figure.text(ends.0, x: place.x, y: place.y + height + 16, Self.ink)
    figure.text(ends.1, x: place.x + width, y: place.y + height + 16, anchor: .end, Self.ink)
  }

  private func words(at place: (x: Double, y: Double), on figure: inout Figure) {
    let shown = Array(statistics.top.prefix(12))
    let most = max(shown.first?.count ?? 0, 1)
    figure.text("Most frequent words", x: place.x, y: place.y - 12, isBold: true, Self.ink)
    for (index, entry) in shown.enumerated() {
      let y = place.y + 20 * Double(index)
      let long = max(1, (240 * Double(entry.count) / Double(most)).rounded())
      let word = Self.short(name(entry.word))
      figure.text(word, x: place.x + 105, y: y + 12, anchor: .end, Self.ink)
      figure.rectangle(x: place.x + 112, y: y + 1, width: long, height: 14, Self.bar)
      figure.text("\(entry.count)", x: place.x + 118 + long, y: y + 12, Self.ink)
    }
  }

  private static func short(_ text: String) -> String {
    text.count > 16 ? text.prefix(15) + "…" : text
  }

  private static func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }

  private static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10) %"
  }
}
