// SPDX-License-Identifier: Apache-2.0
// The statistics as a picture: four panels of bars in SVG.

/// Draws statistics.
package struct LabelChart {
  private let statistics: LabelStatistics
  private let name: (Int) -> String

  private static let (width, height) = (880, 640)
  private static let panel = (width: 380, height: 230)
  private static let (ink, bar, grid) = ("#1b2a38", "#2f7fb8", "#d8dfe5")

  /// A chart of some statistics; `name` gives the text of a word.
  package init(_ statistics: LabelStatistics, name: @escaping (Int) -> String) {
    self.statistics = statistics
    self.name = name
  }

  /// The chart as the text of an SVG file.
  package var svg: String {
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Self.width) \(Self.height)\" "
        + "font-family=\"sans-serif\" font-size=\"12\" fill=\"\(Self.ink)\">",
      "<rect width=\"\(Self.width)\" height=\"\(Self.height)\" fill=\"#ffffff\"/>",
    ]
    let s = statistics
    let (scores, means) = (s.scores.trimmed, s.wordMeans.trimmed)
    parts += bars("Scores of labels", scores.counts, ends: ends(scores), at: (50, 40))
    parts += bars("Mean score a word", means.counts, ends: ends(means), at: (490, 40))
    parts += bars(
      "Labels a patch",
      s.labelsPerPatch,
      ends: ("0", String(s.labelsPerPatch.count - 1)),
      at: (50, 350)
    )
    parts += words(at: (490, 350))
    parts.append(
      text(
        50,
        Self.height - 12,
        "\(s.labels) labels in \(s.images) pictures; "
          + "\(Self.percent(s.shareDropped)) of the best words dropped, "
          + "\(Self.percent(s.utilisation)) of \(s.wordCount) words used, "
          + "\(s.emptyPatches) patches empty"
      )
    )
    parts.append("</svg>\n")
    return parts.joined(separator: "\n")
  }

  private func ends(_ histogram: Histogram) -> (String, String) {
    (Self.decimal(histogram.low), Self.decimal(histogram.high))
  }

  private func bars(
    _ title: String,
    _ counts: [Int],
    ends: (String, String),
    at place: (x: Int, y: Int)
  ) -> [String] {
    let (width, height) = Self.panel
    let most = max(counts.max() ?? 0, 1)
    var parts = [text(place.x, place.y - 12, title, weight: "bold")]
    for step in 0...4 {
      let y = place.y + height * step / 4
      parts.append(
        "<line x1=\"\(place.x)\" x2=\"\(place.x + width)\" y1=\"\(y)\" y2=\"\(y)\" "
          + "stroke=\"\(Self.grid)\"/>"
      )
    }
    parts.append(text(place.x + width, place.y - 4, "\(most)", anchor: "end"))
    for (index, count) in counts.enumerated() where count > 0 {
      let left = place.x + width * index / counts.count
      let right = place.x + width * (index + 1) / counts.count
      let tall = max(1, Int(Double(height) * Double(count) / Double(most)))
      parts.append(
        "<rect x=\"\(left)\" y=\"\(place.y + height - tall)\" "
          + "width=\"\(max(right - left - 1, 1))\" height=\"\(tall)\" fill=\"\(Self.bar)\"/>"
      )
    }
    parts.append(text(place.x, place.y + height + 16, ends.0))
    parts.append(text(place.x + width, place.y + height + 16, ends.1, anchor: "end"))
    return parts
  }

  private func words(at place: (x: Int, y: Int)) -> [String] {
    let shown = Array(statistics.top.prefix(12))
    let most = max(shown.first?.count ?? 0, 1)
    var parts = [text(place.x, place.y - 12, "Most frequent words", weight: "bold")]
    for (index, entry) in shown.enumerated() {
      let y = place.y + 20 * index
      let long = max(1, 240 * entry.count / most)
      parts.append(text(place.x + 105, y + 12, Self.short(name(entry.word)), anchor: "end"))
      parts.append(
        "<rect x=\"\(place.x + 112)\" y=\"\(y + 1)\" width=\"\(long)\" height=\"14\" "
          + "fill=\"\(Self.bar)\"/>"
      )
      parts.append(text(place.x + 118 + long, y + 12, "\(entry.count)"))
    }
    return parts
  }

  private func text(
    _ x: Int,
    _ y: Int,
    _ content: String,
    anchor: String = "start",
    weight: String = "normal"
  ) -> String {
    "<text x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\" font-weight=\"\(weight)\">"
      + "\(Self.escaped(content))</text>"
  }

  private static func short(_ text: String) -> String {
    text.count > 16 ? text.prefix(15) + "…" : text
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      default: if scalar.value >= 0x20 { result.unicodeScalars.append(scalar) }
      }
    }
    return result
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
