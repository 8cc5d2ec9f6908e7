// SPDX-License-Identifier: Apache-2.0
// VizWiz: questions of blind people about their photographs; many cannot be answered.

internal import SEAFormat

/// Questions that may have no answer.
///
/// - Source: LLaVA `convert_vizwiz_for_submission.py`; reference.md I.3.
struct VizWiz: Benchmark {
  private struct Truth {
    let answers: [String]
    let type: String
  }

  private let lines: [QuestionLine]
  /// By the name of the picture, which has one question.
  private let truth: [String: Truth]

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    let path = try files.questions(["llava_val.jsonl", "llava_test.jsonl", "val.json"])
    let truthPath = files.truth(["val.json"])
    var truth: [String: Truth] = [:]
    var validation: [QuestionLine] = []
    if let truthPath {
      for (index, record) in try DataRecord.all(truthPath).enumerated() {
        let image = try record.text("image")
        let question = try record.text("question")
        truth[Self.key(image, question)] = Truth(
          answers: try record.answers("answers"),
          type: record.optionalText("answer_type") ?? "other"
        )
        let suffix = BenchmarkTask.refusalSuffix + BenchmarkTask.shortSuffix
        validation.append(
          QuestionLine(
            id: .number(JSONNumber(index)),
            image: image,
            text: question + suffix,
            category: nil
          )
        )
      }
    }
    self.truth = truth
    // The validation file needs no other: it holds questions and pictures too.
    lines =
      path == truthPath
      ? Array(validation.prefix(limit ?? validation.count))
      : try QuestionLine.all(path, limit: limit)
  }

  private static func key(_ image: String, _ question: String) -> String { image + "\n" + question }

  var questions: [BenchmarkQuestion] { lines.map { $0.question() } }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    guard !truth.isEmpty else { return nil }
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var normalized: [Double] = []
    var missing = 0
    for line in lines {
      guard let truth = truth[Self.key(line.image ?? "", line.bare)] else {
        throw .mismatch(path: path, problem: "question '\(line.key)' has no annotation")
      }
      let text = answers[line.key]?.text
      if text == nil { missing += 1 }
      let score = text.map { VQAScore.official($0, among: truth.answers) } ?? 0
      items.append(ScoredItem(key: line.key, group: truth.type, score: score))
      normalized.append(
        text.map {
          VQAScore.official(AnswerNormalizer.normalize($0), among: truth.answers)
        } ?? 0
      )
    }
    let metrics =
      Evaluation.means("accuracy", items) + [.mean("accuracy as submitted", normalized)]
    return Evaluation(task: "vizwiz", items: items, metrics: metrics, missing: missing)
  }

  func submission(
    _ answers: [AnswerRecord],
    path: String
  ) throws(EvaluatorError) -> Submission? {
    let answers = try answers.byKey(path: path)
    let values = lines.map { line -> JSONValue in
      let text = answers[line.key].map { AnswerNormalizer.normalize($0.text) } ?? ""
      return ["image": .string(line.image ?? ""), "answer": .string(text)]
    }
    return .text(JSONValue.array(values).serialized())
  }
}
