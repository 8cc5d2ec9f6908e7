// SPDX-License-Identifier: Apache-2.0
// TextVQA: reading, scored against the answers of ten people.

internal import SEAFormat

/// Questions about text in pictures.
///
/// - Source: LLaVA `eval_textvqa.py`, `m4c_evaluator.py`; reference.md I.2.
struct TextVQA: Benchmark {
  private let lines: [QuestionLine]
  /// Answers of people by picture and question.
  private let truth: [String: [String]]

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    lines = try QuestionLine.all(
      files.questions(["llava_textvqa_val_v051_ocr.jsonl"]),
      limit: limit
    )
    let path = try files.requireTruth(["TextVQA_0.5.1_val.json"])
    guard let data = try DataFile.json(path)["data"]?.array else {
      throw .record(path: path, place: "the file", problem: "has no 'data' array")
    }
    var truth: [String: [String]] = [:]
    for (index, value) in data.enumerated() {
      let record = try DataRecord(value, path: path, place: "record \(index + 1)")
      let key = Self.key(
        AnswerRecord.key(try record.value("image_id")),
        try record.text("question")
      )
      truth[key] = try record.answers("answers")
    }
    self.truth = truth
  }

  /// Questions have the ids of their pictures, several the same: the text tells them apart.
  private static func key(_ image: String, _ question: String) -> String {
    image + "\n" + question.lowercased()
  }

  var questions: [BenchmarkQuestion] { lines.map { $0.question() } }

  /// The question within a prompt, or nil where the prompt has another form.
  ///
  /// Of two lines the first; of three with a line of recognised text, the first or, where that is the
  /// line of recognised text, the second.
  static func question(in prompt: String) -> String? {
    let scalars = TextPieces.scalars(prompt)
    let lines = TextPieces.parts(scalars, at: "\n").map(TextPieces.string)
    if prompt.hasPrefix("OCR tokens: ") {
      let opening = TextPieces.scalars("Question: ")
      let closing = TextPieces.scalars(" Short answer:")
      guard let start = TextPieces.firstIndex(of: opening, in: scalars[...]) else { return nil }
      let rest = scalars[(start + opening.count)...]
      return TextPieces.firstIndex(of: closing, in: rest).map { TextPieces.string(rest[..<$0]) }
    }
    let hasTokens = TextPieces.contains(scalars, TextPieces.scalars("Reference OCR token: "))
    if hasTokens, lines.count == 3 {
      return prompt.hasPrefix("Reference OCR token:") ? lines[1] : lines[0]
    }
    return lines.count == 2 ? lines[0] : nil
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    var given: [String: String] = [:]
    for answer in answers {
      guard let prompt = answer.prompt, let question = Self.question(in: prompt) else {
        throw .mismatch(
          path: path,
          problem: "the prompt of '\(answer.key.printable())' is of no known form"
        )
      }
      let key = Self.key(answer.key, question)
      guard truth[key] != nil else {
        throw .mismatch(
          path: path,
          problem: "nobody answered '\(question.printable())' about '\(answer.key.printable())'"
        )
      }
      given[key] = answer.text
    }
    var items: [ScoredItem] = []
    var missing = 0
    for line in lines {
      guard let question = Self.question(in: line.text) else {
        throw .mismatch(path: path, problem: "question '\(line.key)' is of no known form")
      }
      let key = Self.key(line.key, question)
      if given[key] == nil { missing += 1 }
      let score = given[key].map { VQAScore.text($0, among: truth[key] ?? []) } ?? 0
      items.append(ScoredItem(key: key, group: "all", score: score))
    }
    return Evaluation(
      task: "textvqa",
      items: items,
      metrics: Evaluation.means("accuracy", items),
      missing: missing
    )
  }
}
