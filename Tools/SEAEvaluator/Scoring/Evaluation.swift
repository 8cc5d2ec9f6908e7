// SPDX-License-Identifier: Apache-2.0
// What an evaluation found: a score for every question, and figures over all of them.

package import SEAFormat

/// One question's outcome.
package struct ScoredItem: Sendable, Equatable {
  /// Names the question in every run.
  package let key: String
  /// What it is counted under.
  package let group: String
  /// From 0 to 1.
  package let score: Double

  /// A question's score.
  package init(key: String, group: String, score: Double) {
    self.key = key
    self.group = group
    self.score = score
  }
}

/// One figure.
package struct Metric: Sendable, Equatable {
  package let name: String
  /// From 0 to 1.
  package let value: Double
  /// Nil for figures that are no estimate.
  package let interval: Interval?
  /// Questions behind it.
  package let count: Int

  /// A share of questions, with Wilson's interval.
  package static func share(_ name: String, hits: Int, of count: Int) -> Metric {
    Metric(
      name: name,
      value: Double(hits) / Double(max(count, 1)),
      interval: Statistics.wilson(hits: hits, count: count),
      count: count
    )
  }

  /// A mean of scores; where all are 0 or 1 it is a share.
  package static func mean(_ name: String, _ scores: [Double]) -> Metric {
    if scores.allSatisfy({ $0 == 0 || $0 == 1 }) {
      return share(name, hits: scores.count { $0 == 1 }, of: scores.count)
    }
    return Metric(
      name: name,
      value: scores.reduce(0, +) / Double(max(scores.count, 1)),
      interval: Statistics.bootstrap(meanOf: scores),
      count: scores.count
    )
  }
}

/// The outcome of a benchmark.
package struct Evaluation: Sendable, Equatable {
  /// The benchmark.
  package let task: String
  /// Every question with its score.
  package let items: [ScoredItem]
  /// Figures, the one that papers quote first.
  package let metrics: [Metric]
  /// Questions without an answer; they count as wrong.
  package let missing: Int
  /// What else is worth telling, by name.
  package var notes: [(key: String, value: JSONValue)]

  /// An outcome.
  package init(
    task: String,
    items: [ScoredItem],
    metrics: [Metric],
    missing: Int,
    notes: [(key: String, value: JSONValue)] = []
  ) {
    self.task = task
    self.items = items
    self.metrics = metrics
    self.missing = missing
    self.notes = notes
  }

  /// Compares everything but the notes' wording.
  package static func == (left: Evaluation, right: Evaluation) -> Bool {
    left.task == right.task && left.items == right.items && left.metrics == right.metrics
      && left.missing == right.missing
  }

  /// A figure by name.
  package subscript(_ name: String) -> Metric? { metrics.first { $0.name == name } }

  /// The mean over all items, then over each group in order of appearance.
  static func means(_ name: String, _ items: [ScoredItem]) -> [Metric] {
    var order: [String] = []
    var scores: [String: [Double]] = [:]
    for item in items {
      if scores[item.group] == nil { order.append(item.group) }
      scores[item.group, default: []].append(item.score)
    }
    let whole = Metric.mean(name, items.map(\.score))
    guard order.count > 1 else { return [whole] }
    return [whole] + order.map { Metric.mean("\(name) \($0)", scores[$0] ?? []) }
  }
}

/// Two runs on the same questions.
package struct Comparison: Sendable, Equatable {
  /// Questions that both answered.
  package let pairs: Int
  /// Mean scores on those.
  package let first: Double
  package let second: Double
  /// Pairs where the first, or the second, scored higher.
  package let better: Int
  package let worse: Int
  /// McNemar's exact test on those pairs; for scores between 0 and 1 that is the sign test.
  package let probability: Double

  /// Pairs items by their keys.
  package init(_ first: Evaluation, _ second: Evaluation) {
    var others: [String: Double] = [:]
    for item in second.items { others[item.key] = item.score }
    var (pairs, better, worse) = (0, 0, 0)
    var sums = (0.0, 0.0)
    for item in first.items {
      guard let other = others[item.key] else { continue }
      pairs += 1
      sums = (sums.0 + item.score, sums.1 + other)
      if item.score > other { better += 1 }
      if item.score < other { worse += 1 }
    }
    self.pairs = pairs
    self.first = sums.0 / Double(max(pairs, 1))
    self.second = sums.1 / Double(max(pairs, 1))
    self.better = better
    self.worse = worse
    probability = Statistics.mcNemar(better: better, worse: worse)
  }
}
