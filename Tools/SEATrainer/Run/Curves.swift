// SPDX-License-Identifier: Apache-2.0
// Losses, temperature, learning rate and gradient norm over the steps, as a picture.

/// Draws SVG: four panels, at most a thousand points a line.
package enum Curves {
  private struct Line {
    let name: String
    let color: String
    let values: [(step: Int, value: Double)]
  }

  private static let width = 860.0
  private static let panelHeight = 190.0
  private static let left = 70.0
  private static let right = 20.0
  private static let top = 34.0
  private static let bottom = 30.0
  private static let maxPoints = 1000
  /// Colours of figures without one of their own.
  private static let colors = ["#c55a11", "#548235", "#7030a0", "#1f4e79", "#a61c00", "#7f6000"]

  /// The picture of a run.
  package static func svg(_ records: [StepRecord]) -> String {
    let names = Set(records.flatMap { $0.losses.others.keys }).sorted()
    func others(_ isWanted: (String) -> Bool) -> [Line] {
      names.filter(isWanted).enumerated().map { index, name in
        line(name, colors[index % colors.count], records) { $0.losses.others[name] }
      }
    }
    let panels: [(title: String, lines: [Line])] = [
      (
        "loss",
        [
          line("loss", "#1f4e79", records) { $0.losses.total },
          line("L_g", "#c55a11", records) { $0.losses.generation },
          line("L_a", "#548235", records) { $0.losses.alignment },
        ] + others { !$0.hasPrefix("probe_") }
      ), ("probe", others { $0.hasPrefix("probe_") }),
      ("temperature", [line("τ", "#7030a0", records) { $0.losses.temperature }]),
      ("learning rate", [line("lr", "#1f4e79", records) { $0.learningRate }]),
      ("gradient norm", [line("‖g‖", "#a61c00", records) { $0.gradientNorm }]),
    ]
    let drawn = panels.filter { panel in panel.lines.contains { !$0.values.isEmpty } }
    let height = Double(drawn.count) * panelHeight
    var text =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(number(width))\" height=\""
      + "\(number(height))\" font-family=\"sans-serif\" font-size=\"12\">\n"
      + "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    for (index, panel) in drawn.enumerated() {
      text += draw(panel.title, panel.lines, last: records.last?.step ?? 1, y: Double(index))
    }
    return text + "</svg>\n"
  }

  private static func line(
    _ name: String,
    _ color: String,
    _ records: [StepRecord],
    _ value: (StepRecord) -> Double?
  ) -> Line {
    var found: [(step: Int, value: Double)] = []
    for record in records {
      if let value = value(record), value.isFinite { found.append((record.step, value)) }
    }
    // Of what is there, not of all steps: some figures are known at few of them.
    let stride = max(1, (found.count + maxPoints - 1) / maxPoints)
    let values = found.indices.filter { $0 % stride == 0 || $0 + 1 == found.count }
      .map { found[$0] }
    return Line(name: name, color: color, values: values)
  }

  private static func draw(_ title: String, _ lines: [Line], last: Int, y panel: Double) -> String {
    let all = lines.flatMap { $0.values.map(\.value) }
    var low = all.min() ?? 0
    var high = all.max() ?? 1
    if high - low < 1e-12 {
      let room = max(abs(high) * 0.1, 1e-6)
      low -= room
      high += room
    }
    let x0 = left
    let x1 = width - right
    let y0 = panel * panelHeight + top
    let y1 = (panel + 1) * panelHeight - bottom
    func x(_ step: Int) -> Double {
      last <= 1 ? (x0 + x1) / 2 : x0 + (x1 - x0) * Double(step - 1) / Double(last - 1)
    }
    func y(_ value: Double) -> Double { y1 - (y1 - y0) * (value - low) / (high - low) }
    var text =
      "<text x=\"\(number(x0))\" y=\"\(number(y0 - 12))\" font-weight=\"bold\">\(title)</text>\n"
    for share in [0.0, 0.5, 1.0] {
      let value = low + (high - low) * share
      let height = number(y(value))
      text +=
        "<line x1=\"\(number(x0))\" x2=\"\(number(x1))\" y1=\"\(height)\" y2=\"\(height)\" "
        + "stroke=\"#dddddd\"/>\n<text x=\"\(number(x0 - 6))\" y=\"\(number(y(value) + 4))\" "
        + "text-anchor=\"end\">\(label(value))</text>\n"
    }
    text += "<text x=\"\(number(x0))\" y=\"\(number(y1 + 16))\">1</text>\n"
    text +=
      "<text x=\"\(number(x1))\" y=\"\(number(y1 + 16))\" text-anchor=\"end\">step \(last)</text>\n"
    var legend = x0 + 130
    for line in lines where !line.values.isEmpty {
      let points = line.values.map { "\(number(x($0.step))),\(number(y($0.value)))" }
      text +=
        "<polyline fill=\"none\" stroke=\"\(line.color)\" stroke-width=\"1.4\" points=\""
        + points.joined(separator: " ") + "\"/>\n"
      if lines.count > 1 {
        text +=
          "<text x=\"\(number(legend))\" y=\"\(number(y0 - 12))\" fill=\"\(line.color)\">"
          + "\(line.name)</text>\n"
        legend += Double(12 + 8 * max(line.name.count, 6))
      }
    }
    return text
  }

  /// A coordinate to a tenth of a pixel.
  private static func number(_ value: Double) -> String {
    "\((value * 10).rounded() / 10)"
  }

  /// A value with four significant digits.
  private static func label(_ value: Double) -> String {
    guard value != 0, value.isFinite else { return "0" }
    var scale = 1.0
    var size = abs(value)
    while size < 1000, scale < 1e12 {
      size *= 10
      scale *= 10
    }
    return "\((value * scale).rounded() / scale)"
  }
}
