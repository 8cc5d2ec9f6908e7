// SPDX-License-Identifier: Apache-2.0
// GQA: short answers, compared for equality.

internal import SEAFormat

/// Questions about scenes with one right answer each.
///
/// - Source: LLaVA `convert_gqa_for_eval.py` and the dataset's `eval.py`; reference.md I.4.
struct GQA: Benchmark {
  private let lines: [QuestionLine]
  /// Right answers of the balanced questions, by id.
  private let truth: [String: String]

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    lines = try QuestionLine.all(
      files.questions(["llava_gqa_testdev_balanced.jsonl"]),
      limit: limit
    )
    var truth: [String: String] = [:]
    if let path = files.truth(["testdev_balanced_questions.json"]) {
      guard let object = try DataFile.json(path).object else {
        throw .record(path: path, place: "the file", problem: "is no object of questions")
      }
      for entry in object.entries {
        let record = try DataRecord(entry.value, path: path, place: "question '\(entry.key)'")
        guard record.object["isBalanced"]?.bool ?? true else { continue }
        truth[entry.key] = try record.text("answer")
      }
    }
    self.truth = truth
  }

  var questions: [BenchmarkQuestion] { lines.map { $0.question() } }

  /// The answer as it is compared and submitted: no periods at the end, lower case.
  static func prediction(_ text: String) -> String {
    var scalars = TextPieces.scalars(text)
    while scalars.last == "." { scalars.removeLast() }
    return TextPieces.string(scalars).lowercased()
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    guard !truth.isEmpty else { return nil }
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var missing = 0
    for line in lines {
      guard let right = truth[line.key] else { continue }
      let answer = answers[line.key]
      if answer == nil { missing += 1 }
      let isRight = answer.map { TextPieces.isSame(Self.prediction($0.text), right) } ?? false
      // The dataset calls questions binary whose answer is yes or no.
      let group = right == "yes" || right == "no" ? "binary" : "open"
      items.append(ScoredItem(key: line.key, group: group, score: isRight ? 1 : 0))
    }
    return Evaluation(
      task: "gqa",
      items: items,
      metrics: Evaluation.means("accuracy", items),
      missing: missing
    )
  }

  func submission(
    _ answers: [AnswerRecord],
    path: String
  ) throws(EvaluatorError) -> Submission? {
    let values = answers.map { answer -> JSONValue in
      [
        "questionId": .string(answer.key), "prediction": .string(Self.prediction(answer.text)),
      ]
    }
    return .text(JSONValue.array(values).serialized())
  }
}
