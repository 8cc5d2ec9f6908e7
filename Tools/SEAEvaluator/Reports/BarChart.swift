// SPDX-License-Identifier: Apache-2.0
// Figures of an evaluation as bars.

package import SEADrawing

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

  private static let (ink, quiet, grid) = (Ink(0x222222), Ink(0x666666), Ink(0xdddddd))
  private static let guess = Ink(0xc02020)
  private static let colors = [Ink(0x2a78b8), Ink(0xe08a2c)]

  /// A chart of a report.
  package init(_ report: EvaluationReport) {
    self.report = report
  }

  /// The chart, for SVG or PNG.
  package var figure: Figure {
    let metrics = report.evaluation.metrics
    let perMetric = report.other == nil ? 1.0 : 2.0
    let step = Self.bar * perMetric + Self.gap
    let height = Self.top + step * Double(metrics.count) + 34
    var figure = Figure(width: Self.labels + Self.plot + Self.right, height: height)
    figure.text(
      "\(report.evaluation.task), per cent of \(report.evaluation.items.count) questions",
      x: 12,
      y: 22,
      size: 15,
      isBold: true,
      Self.ink
    )
    drawLegend(on: &figure)
    drawGrid(to: height - 30, on: &figure)
    let baselines = EvaluationReport.baselines(report.evaluation)
    for (index, metric) in metrics.enumerated() {
      let y = Self.top + step * Double(index)
      figure.text(metric.name, x: Self.labels - 8, y: y + step / 2, anchor: .end, Self.ink)
      draw(metric, y: y, Self.colors[0], on: &figure)
      if let other = report.other?.evaluation[metric.name] {
        draw(other, y: y + Self.bar, Self.colors[1], on: &figure)
      }
      if let known = baselines[metric.name] {
        // What always giving the most frequent answer scores.
        let x = Self.x(known.majority)
        let end = y + Self.bar * perMetric + 1
        figure.line(x, y - 1, x, end, width: 2, isDashed: true, Self.guess)
      }
    }
    return figure
  }

  private func drawLegend(on figure: inout Figure) {
    var names = [(report.name, Self.colors[0])]
    if let other = report.other { names.append((other.name, Self.colors[1])) }
    var x = 12.0
    for (name, color) in names {
      figure.rectangle(x: x, y: 31, width: 10, height: 10, color)
      figure.text(name, x: x + 14, y: 40, Self.ink)
      x += 34 + 7 * Double(name.count)
    }
  }

  private func drawGrid(to bottom: Double, on figure: inout Figure) {
    for percent in stride(from: 0, through: 100, by: 20) {
      let x = Self.x(Double(percent) / 100)
      figure.line(x, Self.top - 4, x, bottom, Self.grid)
      figure.text("\(percent)", x: x, y: bottom + 16, anchor: .middle, Self.quiet)
    }
  }

  private func draw(_ metric: Metric, y: Double, _ ink: Ink, on figure: inout Figure) {
    let end = Self.x(metric.value)
    let middle = y + Self.bar / 2
    figure.rectangle(
      x: Self.labels,
      y: y + 1,
      width: max(end - Self.labels, 0.5),
      height: Self.bar - 2,
      ink
    )
    var edge = end
    if let interval = metric.interval {
      let (low, high) = (Self.x(interval.low), Self.x(interval.high))
      edge = max(edge, high)
      figure.line(low, middle, high, middle, Self.ink)
      for x in [low, high] { figure.line(x, middle - 3, x, middle + 3, Self.ink) }
    }
    figure.text(EvaluationReport.percent(metric.value), x: edge + 6, y: middle + 4, Self.ink)
  }

  private static func x(_ share: Double) -> Double {
    labels + plot * min(max(share, 0), 1)
  }
}
