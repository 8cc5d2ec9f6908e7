// SPDX-License-Identifier: Apache-2.0
// MM-Vet: free answers that a large language model grades; here the grader's file and a rough score.

internal import SEAFormat

/// Questions that need several abilities at once.
///
/// - Source: LLaVA `convert_mmvet_for_eval.py`; reference.md I.8.
struct MMVet: Benchmark {
  private struct Truth {
    let answer: String
    let abilities: [String]
  }

  private let lines: [QuestionLine]
  private let truth: [String: Truth]

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    lines = try QuestionLine.all(files.questions(["llava-mm-vet.jsonl"]), limit: limit)
    var truth: [String: Truth] = [:]
    if let path = files.truth(["mm-vet.json"]) {
      guard let object = try DataFile.json(path).object else {
        throw .record(path: path, place: "the file", problem: "is no object of questions")
      }
      for entry in object.entries {
        let record = try DataRecord(
          entry.value,
          path: path,
          place: "question '\(entry.key.printable())'"
        )
        truth[entry.key] = Truth(
          answer: try record.text("answer"),
          abilities: record.object["capability"]?.array?.compactMap(\.string) ?? []
        )
      }
    }
    self.truth = truth
  }

  var questions: [BenchmarkQuestion] {
    lines.map { $0.question(maxTokens: BenchmarkTask.longAnswer) }
  }

  /// The name of a question in the grader's files.
  private static func name(_ key: String) -> String { key.hasPrefix("v1_") ? key : "v1_\(key)" }

  /// How much of the expected answer an answer contains.
  ///
  /// Of the parts between `<OR>` the best counts; of it the share of parts between `<AND>` that occur,
  /// as whole words and whatever their case. Not the benchmark's score, and not comparable with it.
  static func lite(_ text: String, expected: String) -> Double {
    let text = TextPieces.scalars(text.lowercased())
    return split(expected, "<OR>").map { alternative in
      let parts = split(alternative, "<AND>")
      let found = parts.count { occurs(TextPieces.scalars($0.lowercased()), in: text) }
      return Double(found) / Double(max(parts.count, 1))
    }.max() ?? 0
  }

  private static func split(_ text: String, _ mark: String) -> [String] {
    let mark = TextPieces.scalars(mark)
    var parts: [String] = []
    var rest = TextPieces.scalars(text)[...]
    while let start = TextPieces.firstIndex(of: mark, in: rest) {
      parts.append(TextPieces.string(TextPieces.stripped(Array(rest[..<start]))))
      rest = rest[(start + mark.count)...]
    }
    parts.append(TextPieces.string(TextPieces.stripped(Array(rest))))
    return parts.filter { !$0.isEmpty }
  }

  /// Whether a part stands in a text with no letter or digit running on at its ends.
  private static func occurs(_ part: [Unicode.Scalar], in text: [Unicode.Scalar]) -> Bool {
    func isWord(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isAlphabetic || TextPieces.isDigit(scalar)
    }
    guard let head = part.first, let tail = part.last else { return false }
    var rest = text[...]
    while let start = TextPieces.firstIndex(of: part, in: rest) {
      let end = start + part.count
      let runsOn =
        (isWord(head) && start > 0 && isWord(text[start - 1]))
        || (isWord(tail) && end < text.count && isWord(text[end]))
      if !runsOn { return true }
      rest = text[(start + 1)...]
    }
    return false
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    guard !truth.isEmpty else { return nil }
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var abilities: [String: [Double]] = [:]
    var missing = 0
    for line in lines {
      guard let truth = truth[Self.name(line.key)] else {
        throw .mismatch(path: path, problem: "question '\(line.key)' has no expected answer")
      }
      let text = answers[line.key]?.text
      if text == nil { missing += 1 }
      let score = text.map { Self.lite($0, expected: truth.answer) } ?? 0
      items.append(ScoredItem(key: line.key, group: "all", score: score))
      for ability in truth.abilities { abilities[ability, default: []].append(score) }
    }
    let metrics =
      [Metric.mean("mmvet-lite (not comparable)", items.map(\.score))]
      + abilities.sorted { $0.key < $1.key }.map { .mean("lite \($0.key)", $0.value) }
    return Evaluation(
      task: "mmvet",
      items: items,
      metrics: metrics,
      missing: missing,
      notes: [(key: "grader", value: "the published score needs the official grader: --submission")]
    )
  }

  func submission(
    _ answers: [AnswerRecord],
    path: String
  ) throws(EvaluatorError) -> Submission? {
    let answers = try answers.byKey(path: path)
    var object = JSONObject()
    for line in lines {
      guard let answer = answers[line.key] else { continue }
      object[Self.name(line.key)] = .string(answer.text)
    }
    return .text(JSONValue.object(object).serialized(pretty: true))
  }
}
