// SPDX-License-Identifier: Apache-2.0
// ScienceQA: school questions with options, some with pictures.

internal import SEAFormat

/// Questions with two to five options.
///
/// - Source: LLaVA `model_vqa_science.py`, `eval_science_qa.py`; reference.md I.5.
struct ScienceQA: Benchmark {
  private struct Problem {
    let id: String
    let choices: Int
    let answer: Int
    let hasImage: Bool
  }

  package let questions: [BenchmarkQuestion]
  private let problems: [Problem]

  private static let letters = ["A", "B", "C", "D", "E"]

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    let path = try files.questions(["llava_test_CQM-A.json"])
    let problemPath = try files.requireTruth(["problems.json"])
    let splitPath = files.first(["pid_splits.json"], in: files.truth ?? files.folder)
    var questions: [BenchmarkQuestion] = []
    for record in try DataRecord.all(path) {
      if let limit, questions.count >= limit { break }
      questions.append(try Self.question(record))
    }
    self.questions = questions

    guard let all = try DataFile.json(problemPath).object else {
      throw .record(path: problemPath, place: "the file", problem: "is no object of problems")
    }
    var ids = all.keys
    if let splitPath {
      guard let test = try DataFile.json(splitPath)["test"]?.array else {
        throw .record(path: splitPath, place: "the file", problem: "has no 'test' array")
      }
      ids = test.map(AnswerRecord.key)
    }
    if limit != nil { ids = questions.map { AnswerRecord.key($0.id) } }
    var problems: [Problem] = []
    for id in ids {
      guard let value = all[id] else {
        throw .mismatch(path: problemPath, problem: "has no problem '\(id.printable())'")
      }
      let record = try DataRecord(value, path: problemPath, place: "problem '\(id.printable())'")
      guard let choices = try record.value("choices").array,
        let answer = try record.value("answer").int,
        choices.indices.contains(answer)
      else { throw record.problem("'answer' is no index into 'choices'") }
      problems.append(
        Problem(
          id: id,
          choices: choices.count,
          answer: answer,
          hasImage: record.optionalText("image") != nil
        )
      )
    }
    self.problems = problems
  }

  /// The request stands in the first turn; the mark of the picture is taken out and set first.
  private static func question(_ record: DataRecord) throws(EvaluatorError) -> BenchmarkQuestion {
    guard let turn = try record.value("conversations").array?.first,
      let value = turn["value"]?.string
    else { throw record.problem("'conversations' has no first turn") }
    let mark = TextPieces.scalars("<image>")
    let bare = TextPieces.stripped(TextPieces.replacing(TextPieces.scalars(value), mark, with: []))
    let text = TextPieces.string(bare) + BenchmarkTask.letterSuffix
    let image = record.optionalText("image")
    return BenchmarkQuestion(
      id: try record.value("id"),
      picture: image.map { .file($0) } ?? .none,
      text: text,
      recordedPrompt: (image == nil ? "" : "<image>\n") + text,
      form: .text(maxTokens: BenchmarkTask.longAnswer)
    )
  }

  /// The letter that an answer names, or nil where none is found.
  ///
  /// A letter alone; else a letter, a period and a space in front; else the only "The answer is X" that
  /// is followed by any character.
  static func letter(_ text: String) -> String? {
    if letters.contains(text) { return text }
    let scalars = TextPieces.scalars(text)
    if scalars.count >= 3, letters.contains(String(scalars[0])), scalars[1] == ".",
      scalars[2] == " "
    {
      return String(scalars[0])
    }
    let opening = TextPieces.scalars("The answer is ")
    var found: [String] = []
    var rest = scalars[...]
    while let start = TextPieces.firstIndex(of: opening, in: rest) {
      let place = start + opening.count
      if place + 1 < scalars.count, ("A"..."Z").contains(scalars[place]), scalars[place + 1] != "\n"
      {
        found.append(String(scalars[place]))
        rest = scalars[(place + 2)...]
      } else {
        rest = scalars[(start + 1)...]
      }
    }
    return found.count == 1 ? found[0] : nil
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    let answers = try answers.byKey(path: path)
    var items: [ScoredItem] = []
    var (missing, failed) = (0, 0)
    for problem in problems {
      let answer = answers[problem.id]
      if answer == nil { missing += 1 }
      let letter = answer.flatMap { Self.letter($0.text) }
      if answer != nil, letter == nil { failed += 1 }
      let index = letter.flatMap { Self.letters.firstIndex(of: $0) }
      let isRight = index == problem.answer && problem.answer < problem.choices
      // Upstream asks the prompt whether there was a picture, so that unanswered problems drop out of
      // the picture questions; here they are counted, as wrong.
      let hasImage = answer.map { answer in
        answer.prompt.map {
          TextPieces.contains(TextPieces.scalars($0), TextPieces.scalars("<image>"))
        }
          ?? problem.hasImage
      }
      items.append(
        ScoredItem(
          key: problem.id,
          group: hasImage ?? problem.hasImage ? "image" : "text",
          score: isRight ? 1 : 0
        )
      )
    }
    let pictures = items.filter { $0.group == "image" }.map(\.score)
    let texts = items.filter { $0.group == "text" }.map(\.score)
    return Evaluation(
      task: "scienceqa",
      items: items,
      metrics: [
        .mean("accuracy image", pictures), .mean("accuracy", items.map(\.score)),
        .mean("accuracy text", texts),
      ],
      missing: missing,
      notes: [(key: "without_letter", value: .number(JSONNumber(failed)))]
    )
  }
}
