// SPDX-License-Identifier: Apache-2.0
// Figures as bars, in a picture of lines and text (SVG).

/// A bar for every figure, with its interval, another run's beside it, and marks for guessing.
package struct BarChart {
  private let report: EvaluationReport

  // Sizes in pixels.
  private static let labels = 190.0
  private static let plot = 420.0
  private static let right = 70.0
  private static let top = 54.0
  private static let bar = 15.0
  private static let gap = 9.0

  private static let colors = ["#2a78b8", "#e08a2c"]

  /// A chart of a report.
  package init(_ report: EvaluationReport) {
    self.report = report
  }

  /// The picture's text.
  package var svg: String {
    let metrics = report.evaluation.metrics
    let perMetric = report.other == nil ? 1.0 : 2.0
    let step = Self.bar * perMetric + Self.gap
    let width = Self.labels + Self.plot + Self.right
    let height = Self.top + step * Double(metrics.count) + 34
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Self.text(width))\" "
        + "height=\"\(Self.text(height))\" viewBox=\"0 0 \(Self.text(width)) \(Self.text(height))\" "
        + "font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
      "<text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">"
        + Self.escaped(
          "\(report.evaluation.task), per cent of "
            + "\(report.evaluation.items.count) questions"
        ) + "</text>",
    ]
    parts += legend
    parts += grid(to: height - 30)
    let baselines = EvaluationReport.baselines(report.evaluation)
    for (index, metric) in metrics.enumerated() {
      let y = Self.top + step * Double(index)
      parts.append(
        "<text x=\"\(Self.text(Self.labels - 8))\" y=\"\(Self.text(y + step / 2))\" "
          + "text-anchor=\"end\">\(Self.escaped(metric.name))</text>"
      )
      parts += bars(metric, y: y, color: Self.colors[0])
      if let other = report.other?.evaluation[metric.name] {
        parts += bars(other, y: y + Self.bar, color: Self.colors[1])
      }
      if let known = baselines[metric.name] {
        parts.append(mark(known.majority, y: y, height: Self.bar * perMetric))
      }
    }
    return (parts + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private var legend: [String] {
    var names = [(report.name, Self.colors[0])]
    if let other = report.other { names.append((other.name, Self.colors[1])) }
    var x = 12.0
    var parts: [String] = []
    for (name, color) in names {
      parts.append(
        "<rect x=\"\(Self.text(x))\" y=\"31\" width=\"10\" height=\"10\" fill=\"\(color)\"/>"
          + "<text x=\"\(Self.text(x + 14))\" y=\"40\">\(Self.escaped(name))</text>"
      )
      x += 34 + 7 * Double(name.count)
    }
    return parts
  }

  private func grid(to bottom: Double) -> [String] {
    stride(from: 0, through: 100, by: 20).map { percent in
      let x = Self.text(Self.x(Double(percent) / 100))
      return "<line x1=\"\(x)\" y1=\"\(Self.text(Self.top - 4))\" x2=\"\(x)\" "
        + "y2=\"\(Self.text(bottom))\" stroke=\"#dddddd\"/>"
        + "<text x=\"\(x)\" y=\"\(Self.text(bottom + 16))\" text-anchor=\"middle\" "
        + "fill=\"#666666\">\(percent)</text>"
    }
  }

  private func bars(_ metric: Metric, y: Double, color: String) -> [String] {
    let end = Self.x(metric.value)
    let middle = y + Self.bar / 2
    var parts = [
      "<rect x=\"\(Self.text(Self.labels))\" y=\"\(Self.text(y + 1))\" "
        + "width=\"\(Self.text(max(end - Self.labels, 0.5)))\" height=\"\(Self.text(Self.bar - 2))\" "
        + "fill=\"\(color)\"/>"
    ]
    var edge = end
    if let interval = metric.interval {
      let (low, high) = (Self.x(interval.low), Self.x(interval.high))
      edge = max(edge, high)
      parts.append(
        "<path d=\"M\(Self.text(low)) \(Self.text(middle))H\(Self.text(high))"
          + "M\(Self.text(low)) \(Self.text(middle - 3))v6M\(Self.text(high)) \(Self.text(middle - 3))v6\" "
          + "stroke=\"#222222\" fill=\"none\"/>"
      )
    }
    parts.append(
      "<text x=\"\(Self.text(edge + 6))\" y=\"\(Self.text(middle + 4))\">"
        + "\(EvaluationReport.percent(metric.value))</text>"
    )
    return parts
  }

  /// What always giving the most frequent answer scores.
  private func mark(_ value: Double, y: Double, height: Double) -> String {
    let x = Self.text(Self.x(value))
    return "<line x1=\"\(x)\" y1=\"\(Self.text(y - 1))\" x2=\"\(x)\" "
      + "y2=\"\(Self.text(y + height + 1))\" stroke=\"#c02020\" stroke-width=\"2\" "
      + "stroke-dasharray=\"3 2\"/>"
  }

  private static func x(_ share: Double) -> Double {
    labels + plot * min(max(share, 0), 1)
  }

  private static func text(_ value: Double) -> String { EvaluationReport.decimal(value, places: 1) }

  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
  }
}
