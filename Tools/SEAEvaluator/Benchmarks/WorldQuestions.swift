// SPDX-License-Identifier: Apache-2.0
// The held-out questions of the harbour world.

internal import SEAFormat

/// Short questions about drawn scenes, with what guessing scores.
struct WorldQuestions: Benchmark {
  private struct Entry {
    let line: QuestionLine
    let answer: String
    let kind: String
    let isHeldOut: Bool
  }

  private let entries: [Entry]
  /// What guessing scores, from the world's summary.
  private let baselines: JSONValue?

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    let path = try files.questions(["questions.jsonl"])
    var entries: [Entry] = []
    for record in try DataRecord.all(path) {
      if let limit, entries.count >= limit { break }
      entries.append(
        Entry(
          line: QuestionLine(
            id: try record.value("question_id"),
            image: try record.text("image"),
            text: try record.text("text"),
            category: record.optionalText("category")
          ),
          answer: try record.text("answer"),
          kind: try record.text("kind"),
          isHeldOut: record.object["held_out"]?.bool ?? false
        )
      )
    }
    self.entries = entries
    if let summary = files.first(["world.json"], in: files.folder) {
      baselines = try DataFile.json(summary)["baselines"]
    } else {
      baselines = nil
    }
  }

  var questions: [BenchmarkQuestion] { entries.map { $0.line.question() } }

  /// The form in which answers are compared: no space around, no period behind, lower case.
  static func form(_ text: String) -> String {
    var scalars = TextPieces.stripped(TextPieces.scalars(text))
    while scalars.last == "." { scalars.removeLast() }
    return TextPieces.string(TextPieces.stripped(scalars)).lowercased()
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var novel: [Double] = []
    var missing = 0
    for entry in entries {
      let answer = answers[entry.line.key]
      if answer == nil { missing += 1 }
      let isRight = answer.map { Self.form($0.text) == Self.form(entry.answer) } ?? false
      items.append(ScoredItem(key: entry.line.key, group: entry.kind, score: isRight ? 1 : 0))
      if entry.isHeldOut { novel.append(isRight ? 1 : 0) }
    }
    let means = Evaluation.means("exact", items)
    var metrics = Array(means.prefix(1))
    if !novel.isEmpty { metrics.append(.mean("exact on held-out things", novel)) }
    metrics += means.dropFirst()
    return Evaluation(
      task: "world",
      items: items,
      metrics: metrics,
      missing: missing,
      notes: baselines.map { [(key: "baselines", value: $0)] } ?? []
    )
  }
}
