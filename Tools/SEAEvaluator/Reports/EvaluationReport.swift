// SPDX-License-Identifier: Apache-2.0
// An evaluation for people, for machines and as a picture.

package import SEAFormat

/// What is printed and saved of an evaluation.
package struct EvaluationReport: Sendable {
  package let evaluation: Evaluation
  /// The model or the answer file.
  package let name: String
  /// Another run on the same questions.
  package var other: (name: String, evaluation: Evaluation, comparison: Comparison)?

  /// A report on one run.
  package init(_ evaluation: Evaluation, name: String) {
    self.evaluation = evaluation
    self.name = name
  }

  // MARK: - JSON

  /// The members of the JSON object, without its schema.
  package var fields: [(key: String, value: JSONValue)] {
    var fields: [(key: String, value: JSONValue)] = [
      (key: "task", value: .string(evaluation.task)), (key: "name", value: .string(name)),
      (key: "questions", value: .number(JSONNumber(evaluation.items.count))),
      (key: "missing", value: .number(JSONNumber(evaluation.missing))),
      (key: "metrics", value: .array(evaluation.metrics.map(Self.json))),
    ]
    if !evaluation.notes.isEmpty {
      fields.append((key: "notes", value: .object(JSONObject(evaluation.notes))))
    }
    if let other {
      let comparison = other.comparison
      fields.append(
        (
          key: "compare",
          value: [
            "name": .string(other.name), "pairs": .number(JSONNumber(comparison.pairs)),
            "mean": Self.number(comparison.first), "other_mean": Self.number(comparison.second),
            "better": .number(JSONNumber(comparison.better)),
            "worse": .number(JSONNumber(comparison.worse)), "test": "McNemar, exact, two-sided",
            "p": Self.number(comparison.probability),
            "metrics": .array(other.evaluation.metrics.map(Self.json)),
          ]
        )
      )
    }
    return fields
  }

  private static func json(_ metric: Metric) -> JSONValue {
    var object = JSONObject([
      (key: "name", value: .string(metric.name)), (key: "value", value: number(metric.value)),
    ])
    if let interval = metric.interval {
      object["low"] = number(interval.low)
      object["high"] = number(interval.high)
      object["interval"] = .string(interval.method)
    }
    object["count"] = .number(JSONNumber(metric.count))
    return .object(object)
  }

  /// Six places are more than any of these figures is worth.
  private static func number(_ value: Double) -> JSONValue {
    guard value.isFinite else { return .null }
    return .number(JSONNumber((value * 1e6).rounded() / 1e6))
  }

  // MARK: - Text

  /// A table of the figures in per cent, with their intervals and what guessing scores.
  package var text: String {
    var header = ["", "value", "95 %", "questions"]
    let baselines = Self.baselines(evaluation)
    if !baselines.isEmpty { header += ["majority", "blind"] }
    if let other { header.append(other.name) }
    var rows = [header]
    for metric in evaluation.metrics {
      var row = [
        metric.name, Self.percent(metric.value),
        metric.interval.map { "\(Self.percent($0.low)) – \(Self.percent($0.high))" } ?? "",
        String(metric.count),
      ]
      if !baselines.isEmpty {
        let known = baselines[metric.name]
        row += [
          known.map { Self.percent($0.majority) } ?? "", known.map { Self.percent($0.blind) } ?? "",
        ]
      }
      if let other {
        row.append(other.evaluation[metric.name].map { Self.percent($0.value) } ?? "")
      }
      rows.append(row)
    }
    var lines = ["\(evaluation.task): \(name)"] + Self.aligned(rows)
    if evaluation.missing > 0 {
      lines.append("\(evaluation.missing) questions have no answer and count as wrong")
    }
    if let comparison = other?.comparison {
      lines.append(
        "paired on \(comparison.pairs) questions: \(comparison.better) better, \(comparison.worse) worse, "
          + "p = \(Self.probability(comparison.probability)) (McNemar, exact)"
      )
    }
    return lines.joined(separator: "\n")
  }

  /// What guessing scores, by the name of the figure it stands beside.
  static func baselines(_ evaluation: Evaluation) -> [String: (majority: Double, blind: Double)] {
    guard let known = evaluation.notes.first(where: { $0.key == "baselines" })?.value,
      let kinds = known["kinds"]?.array
    else { return [:] }
    var result: [String: (majority: Double, blind: Double)] = [:]
    if let majority = known["majority_by_kind"]?.double, let blind = known["blind"]?.double {
      result["exact"] = (majority, blind)
    }
    for kind in kinds {
      guard let name = kind["kind"]?.string, let majority = kind["majority"]?.double,
        let blind = kind["blind"]?.double
      else { continue }
      result["exact \(name)"] = (majority, blind)
    }
    return result
  }

  /// A share in per cent with one place.
  static func percent(_ value: Double) -> String { decimal(value * 100, places: 1) }

  private static func probability(_ value: Double) -> String {
    value < 0.0001 ? "< 0.0001" : decimal(value, places: 4)
  }

  /// A number with a point, whatever the locale.
  static func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return sign + String(scaled) }
    let fraction = String(scaled % scale)
    return "\(sign)\(scaled / scale)." + String(repeating: "0", count: places - fraction.count)
      + fraction
  }

  /// The first column to the left, the others to the right.
  private static func aligned(_ rows: [[String]]) -> [String] {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + space : space + cell
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
