// SPDX-License-Identifier: Apache-2.0
// POPE: is a thing in the picture that is not there?

internal import SEAFormat

/// Yes-or-no questions in three categories.
///
/// - Source: LLaVA `eval_pope.py`; reference.md I.7.
struct POPE: Benchmark {
  /// A question with its label.
  private struct Entry {
    let line: QuestionLine
    let category: String
    let isYes: Bool
  }

  private let entries: [Entry]

  static let categories = ["random", "popular", "adversarial"]

  /// Labels are found by picture and text within the category, not by order, as upstream does.
  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    let path = try files.questions(["llava_pope_test.jsonl"])
    let lines = try QuestionLine.all(path, limit: limit)
    var labels: [String: [String: [Bool]]] = [:]
    for category in Self.categories {
      let name = "coco_pope_\(category).json"
      let truth = try files.requireTruth([name, "coco/\(name)"])
      for record in try DataRecord.all(truth) {
        let label = try record.text("label")
        let key = Self.key(try record.text("image"), try record.text("text"))
        labels[category, default: [:]][key, default: []].append(label != "no")
      }
    }
    var entries: [Entry] = []
    for line in lines {
      guard let category = line.category, Self.categories.contains(category) else {
        throw .mismatch(path: path, problem: "question '\(line.key)' has no POPE category")
      }
      let key = Self.key(line.image ?? "", line.bare)
      guard var known = labels[category]?[key], !known.isEmpty else {
        throw .mismatch(
          path: path,
          problem: "question '\(line.key)' has no label in category \(category)"
        )
      }
      entries.append(Entry(line: line, category: category, isYes: known.removeFirst()))
      labels[category]?[key] = known
    }
    if limit == nil, let rest = labels.first(where: { $0.value.contains { !$0.value.isEmpty } }) {
      throw .mismatch(path: path, problem: "does not ask all questions of category \(rest.key)")
    }
    self.entries = entries
  }

  private static func key(_ image: String, _ text: String) -> String {
    let name = image.split(separator: "/").last.map(String.init) ?? image
    return name + "\n" + text
  }

  var questions: [BenchmarkQuestion] { entries.map { $0.line.question() } }

  /// What an answer says: no where a word of its first sentence is "No", "no" or "not", yes otherwise.
  static func saysYes(_ text: String) -> Bool {
    let scalars = TextPieces.scalars(text)
    let sentence = TextPieces.parts(scalars, at: ".").first ?? []
    let words = TextPieces.parts(sentence.filter { $0 != "," }, at: " ").map(TextPieces.string)
    return !words.contains { $0 == "No" || $0 == "no" || $0 == "not" }
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var outcomes: [String: [(isYes: Bool, saysYes: Bool)]] = [:]
    var missing = 0
    for entry in entries {
      let answer = answers[entry.line.key]
      if answer == nil { missing += 1 }
      let saysYes = answer.map { Self.saysYes($0.text) } ?? !entry.isYes
      outcomes[entry.category, default: []].append((entry.isYes, saysYes))
      items.append(
        ScoredItem(
          key: entry.line.key,
          group: entry.category,
          score: saysYes == entry.isYes ? 1 : 0
        )
      )
    }
    let categories = Self.categories.filter { outcomes[$0] != nil }
    let groups = categories.map { outcomes[$0] ?? [] }
    func meanF1(_ drawn: [[Int]]) -> Double {
      zip(groups, drawn).reduce(0) { sum, pair in
        sum + Confusion(pair.1.map { pair.0[$0] }).f1
      } / Double(max(groups.count, 1))
    }
    var metrics = [
      Metric(
        name: "mean F1",
        value: meanF1(groups.map { Array($0.indices) }),
        interval: groups.isEmpty
          ? nil : Statistics.bootstrap(strata: groups.map(\.count), statistic: meanF1),
        count: items.count
      ),
      Metric.mean("accuracy", items.map(\.score)),
    ]
    for (category, group) in zip(categories, groups) {
      let confusion = Confusion(group)
      metrics.append(
        .share("accuracy \(category)", hits: confusion.hits, of: group.count)
      )
      for (name, value) in [
        ("precision", confusion.precision), ("recall", confusion.recall), ("F1", confusion.f1),
        ("yes ratio", confusion.yesRatio),
      ] {
        metrics.append(
          Metric(name: "\(name) \(category)", value: value, interval: nil, count: group.count)
        )
      }
    }
    return Evaluation(task: "pope", items: items, metrics: metrics, missing: missing)
  }
}

/// Counts of yes and no, said and true; yes is positive.
struct Confusion {
  private var truePositive = 0
  private var falsePositive = 0
  private var trueNegative = 0
  private var falseNegative = 0

  init(_ outcomes: [(isYes: Bool, saysYes: Bool)]) {
    for outcome in outcomes {
      switch (outcome.isYes, outcome.saysYes) {
      case (true, true): truePositive += 1
      case (false, true): falsePositive += 1
      case (false, false): trueNegative += 1
      case (true, false): falseNegative += 1
      }
    }
  }

  var hits: Int { truePositive + trueNegative }
  private var count: Int { hits + falsePositive + falseNegative }

  /// A share; of nothing it is 0.
  private static func share(_ part: Int, _ whole: Int) -> Double {
    whole == 0 ? 0 : Double(part) / Double(whole)
  }

  var precision: Double { Self.share(truePositive, truePositive + falsePositive) }
  var recall: Double { Self.share(truePositive, truePositive + falseNegative) }
  var f1: Double { Self.share(2 * truePositive, 2 * truePositive + falsePositive + falseNegative) }
  var yesRatio: Double { Self.share(truePositive + falsePositive, count) }
}
