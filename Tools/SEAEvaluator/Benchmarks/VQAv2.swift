// SPDX-License-Identifier: Apache-2.0
// VQAv2: short answers beside those of ten people; the test set is scored by a server.

internal import SEAFormat

/// Open questions about photographs.
///
/// - Source: the VQA evaluation tools, LLaVA `convert_vqav2_for_submission.py`; reference.md I.3.
struct VQAv2: Benchmark {
  private struct Truth {
    let answers: [String]
    let type: String
  }

  private let lines: [QuestionLine]
  private let truth: [String: Truth]
  /// Ids that a submission must hold, in order.
  private let submitted: [JSONValue]

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    lines = try QuestionLine.all(
      files.questions([
        "llava_vqav2_mscoco_val2014.jsonl", "llava_vqav2_mscoco_test-dev2015.jsonl",
      ]),
      limit: limit
    )
    var truth: [String: Truth] = [:]
    if let path = files.truth(["v2_mscoco_val2014_annotations.json"]) {
      guard let annotations = try DataFile.json(path)["annotations"]?.array else {
        throw .record(path: path, place: "the file", problem: "has no 'annotations' array")
      }
      for (index, value) in annotations.enumerated() {
        let record = try DataRecord(value, path: path, place: "record \(index + 1)")
        truth[AnswerRecord.key(try record.value("question_id"))] = Truth(
          answers: try record.answers("answers"),
          type: record.optionalText("answer_type") ?? "other"
        )
      }
    }
    self.truth = truth
    // The server wants an answer to every question of the whole test set.
    if let path = files.first(["llava_vqav2_mscoco_test2015.jsonl"], in: files.folder) {
      submitted = try QuestionLine.all(path, limit: nil).map(\.id)
    } else {
      submitted = lines.map(\.id)
    }
  }

  var questions: [BenchmarkQuestion] { lines.map { $0.question() } }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    guard !truth.isEmpty else { return nil }
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var normalized: [Double] = []
    var missing = 0
    for line in lines {
      guard let truth = truth[line.key] else {
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
    // What the server would find: submissions are normalised before they are sent.
    let metrics =
      Evaluation.means("accuracy", items) + [.mean("accuracy as submitted", normalized)]
    return Evaluation(task: "vqav2", items: items, metrics: metrics, missing: missing)
  }

  func submission(
    _ answers: [AnswerRecord],
    path: String
  ) throws(EvaluatorError) -> Submission? {
    let answers = try answers.byKey(path: path)
    let values = submitted.map { id -> JSONValue in
      let text = answers[AnswerRecord.key(id)].map { AnswerNormalizer.normalize($0.text) } ?? ""
      return ["question_id": id, "answer": .string(text)]
    }
    return .text(JSONValue.array(values).serialized())
  }
}
