// SPDX-License-Identifier: Apache-2.0
// What can be scored without looking: the numbers that every score is read beside.

package import SEAFormat

/// Scores of guessing on a set of questions.
package struct Baselines: Sendable {
  /// Guessing on the questions of one kind.
  package struct Row: Sendable, Equatable {
    package let kind: String
    package let questions: Int
    /// The most frequent answer.
    package let answer: String
    /// Share of questions that it answers.
    package let majority: Double
    /// Share answered by what training mostly answered to the same words, without the picture.
    package let blind: Double
  }

  /// One row for each kind.
  package let rows: [Row]
  /// Always the most frequent answer of the question's kind.
  package let majorityByKind: Double
  /// Always the most frequent answer of all.
  package let majority: Double
  /// Always what training mostly answered to the same words.
  package let blind: Double
  package let questions: Int

  /// Training scenes whose answers the blind guess knows.
  package static let trainingScenes = 10_000

  /// - Parameters:
  ///   - questions: the test.
  ///   - seed: of the training scenes that the blind guess learns from.
  package init(_ questions: [Question], seed: UInt64) {
    let memory = Self.memory(seed: seed)
    var rows: [Row] = []
    var (byKind, blindHits) = (0, 0)
    for kind in QuestionKind.allCases {
      let own = questions.filter { $0.kind == kind }
      guard !own.isEmpty else { continue }
      let (answer, count) = Self.mostFrequent(own.map(\.answer))
      let hits = own.count { (memory[$0.text] ?? memory[kind.rawValue] ?? answer) == $0.answer }
      rows.append(
        Row(
          kind: kind.rawValue,
          questions: own.count,
          answer: answer,
          majority: Double(count) / Double(own.count),
          blind: Double(hits) / Double(own.count)
        )
      )
      byKind += count
      blindHits += hits
    }
    let total = Double(max(questions.count, 1))
    self.rows = rows
    self.questions = questions.count
    majorityByKind = Double(byKind) / total
    majority = Double(Self.mostFrequent(questions.map(\.answer)).count) / total
    blind = Double(blindHits) / total
  }

  /// The most frequent answer to each wording, and to each kind, in training scenes.
  private static func memory(seed: UInt64) -> [String: String] {
    let records = Records(WorldOptions(count: trainingScenes, seed: seed, split: .train))
    var answers: [String: [String: Int]] = [:]
    for index in 0..<trainingScenes {
      for question in records.questions(records.scene(index)) {
        answers[question.text, default: [:]][question.answer, default: 0] += 1
        answers[question.kind.rawValue, default: [:]][question.answer, default: 0] += 1
      }
    }
    return answers.compactMapValues { counts in
      counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    }
  }

  /// The most frequent value, the first in the alphabet among equals.
  private static func mostFrequent(_ values: [String]) -> (value: String, count: Int) {
    var counts: [String: Int] = [:]
    for value in values { counts[value, default: 0] += 1 }
    let best = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    return (best?.key ?? "", best?.value ?? 0)
  }

  /// As part of `world.json`.
  package var json: JSONValue {
    func share(_ value: Double) -> JSONValue {
      .number(JSONNumber((value * 10_000).rounded() / 10_000))
    }
    return [
      "questions": .number(JSONNumber(questions)),
      "majority_by_kind": share(majorityByKind),
      "majority": share(majority),
      "blind": share(blind),
      "kinds": .array(
        rows.map { row in
          [
            "kind": .string(row.kind), "questions": .number(JSONNumber(row.questions)),
            "answer": .string(row.answer), "majority": share(row.majority),
            "blind": share(row.blind),
          ]
        }
      ),
    ]
  }
}
