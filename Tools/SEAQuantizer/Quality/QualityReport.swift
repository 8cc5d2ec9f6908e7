// SPDX-License-Identifier: Apache-2.0
// What storing a model's weights in fewer bits does to its answers about pictures, part by part.

package import SEAFormat

/// The part of a model that was stored in fewer bits while the others stayed as they were.
package enum QualityPart: String, Sendable, CaseIterable {
  case encoder
  case adapter
  case language = "llm"
  /// All of them: the file as it is.
  case all

  /// The part changes what the adapter gives to the language model.
  package var changesTokens: Bool { self != .language }
}

/// Distances from the source, for each part alone and for all together.
package struct QualityReport: Sendable {
  /// What one part's storage costs.
  package struct Part: Sendable {
    /// Cosine of every visual token with the source's.
    package private(set) var cosines: [Float] = []
    /// Visual tokens that recall the same word, of all that were looked at.
    package private(set) var sameWords = 0
    package private(set) var comparedWords = 0
    /// Sum and largest of the divergences of next-token distributions, in nats.
    package private(set) var divergence = 0.0
    package private(set) var worstDivergence = 0.0
    /// Positions at which both put the same token first.
    package private(set) var agreed = 0
    package private(set) var positions = 0

    mutating func add(cosines values: [Float]) { cosines += values }

    mutating func add(sameWords same: Int, of count: Int) {
      sameWords += same
      comparedWords += count
    }

    mutating func add(_ comparison: LogitComparison) {
      divergence += comparison.divergence
      worstDivergence = max(worstDivergence, comparison.divergence)
      if comparison.agrees { agreed += 1 }
      positions += 1
    }

    /// Mean cosine of the visual tokens; nil where the part does not change them.
    package var meanCosine: Double? {
      cosines.isEmpty ? nil : cosines.reduce(0.0) { $0 + Double($1) } / Double(cosines.count)
    }

    /// The cosine that one visual token in twenty does not reach.
    package var lowCosine: Double? {
      cosines.isEmpty ? nil : Double(cosines.sorted()[(cosines.count - 1) / 20])
    }

    /// Share of visual tokens that recall the same word.
    package var wordAgreement: Double? {
      comparedWords == 0 ? nil : Double(sameWords) / Double(comparedWords)
    }

    /// Mean divergence of the next token's distribution, in nats.
    package var meanDivergence: Double { positions == 0 ? 0 : divergence / Double(positions) }

    /// Share of positions at which both put the same token first.
    package var agreement: Double { positions == 0 ? 1 : Double(agreed) / Double(positions) }
  }

  /// By part.
  package internal(set) var parts: [QualityPart: Part] = [:]
  /// Pictures with their prompts.
  package internal(set) var pairs = 0
  /// Words that visual tokens were compared with; 0: they were not.
  package var words = 0

  /// A report on nothing.
  package init() {
    for part in QualityPart.allCases { parts[part] = Part() }
  }

  /// One part's costs.
  package subscript(part: QualityPart) -> Part { parts[part] ?? Part() }

  /// Whether the whole file stays within a divergence, in nats; a value that is no number does not.
  package func passes(gate: Double) -> Bool { self[.all].meanDivergence <= gate }
}

// MARK: - Text and JSON

extension QualityReport {
  private static let columns = [
    "stored in fewer bits", "tokens cos", "5th percentile", "same word", "KL mean", "KL worst",
    "top-1 agree",
  ]

  private func rows() -> [[String]] {
    QualityPart.allCases.map { part in
      let costs = self[part]
      return [
        part == .all ? "all (the file)" : part == .language ? "LLM" : part.rawValue,
        costs.meanCosine.map { Self.text($0, places: 5) } ?? "–",
        costs.lowCosine.map { Self.text($0, places: 5) } ?? "–",
        costs.wordAgreement.map { Self.text($0 * 100, places: 1) + " %" } ?? "–",
        Self.text(costs.meanDivergence, places: 5), Self.text(costs.worstDivergence, places: 4),
        "\(costs.agreed)/\(costs.positions)",
      ]
    }
  }

  /// A table for people: a line for each part.
  package var text: String {
    var table = TextTable(Self.columns)
    for row in rows() { table.add(row) }
    return table.text
  }

  /// The same as Markdown.
  package var markdown: String {
    let lines =
      [Self.columns, Self.columns.enumerated().map { $0.offset == 0 ? "---" : "---:" }] + rows()
    return lines.map { "| \($0.joined(separator: " | ")) |\n" }.joined()
  }

  /// Everything as JSON.
  package var json: JSONValue {
    func number(_ value: Double?) -> JSONValue {
      guard let value, value.isFinite else { return .null }
      return .number(JSONNumber(value))
    }
    var fields: [(key: String, value: JSONValue)] = [
      ("pairs", .number(JSONNumber(pairs))), ("words", .number(JSONNumber(words))),
    ]
    for part in QualityPart.allCases {
      let costs = self[part]
      fields.append(
        (
          part.rawValue,
          [
            "visual_tokens": [
              "mean_cosine": number(costs.meanCosine), "p5_cosine": number(costs.lowCosine),
            ],
            "same_word": number(costs.wordAgreement),
            "logits": [
              "kl_mean": number(costs.meanDivergence), "kl_worst": number(costs.worstDivergence),
              "top1_agreed": .number(JSONNumber(costs.agreed)),
              "positions": .number(JSONNumber(costs.positions)),
            ],
          ]
        )
      )
    }
    return .object(JSONObject(fields))
  }

  /// A number with a point; infinite where scores were not numbers.
  package static func text(_ value: Double, places: Int) -> String {
    guard value.isFinite, abs(value) < 1e9 else { return "\(value)" }
    let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let digits = String(scaled % scale)
    return (value < 0 && scaled > 0 ? "-" : "") + "\(scaled / scale)."
      + String(repeating: "0", count: places - digits.count) + digits
  }
}
