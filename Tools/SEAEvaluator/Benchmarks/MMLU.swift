// SPDX-License-Identifier: Apache-2.0
// MMLU: what a language model knows, by the likeliest of four letters.

internal import FoundationEssentials
internal import SEAFormat

/// Questions with four options in many subjects, without pictures.
///
/// - Source: Hendrycks et al., `evaluate.py`; reference.md I.9.
struct MMLU: Benchmark {
  private struct Row {
    let question: BenchmarkQuestion
    let subject: String
    let answer: String
  }

  private let rows: [Row]

  private static let letters = ["A", "B", "C", "D"]
  /// Solved questions before each.
  private static let shots = 5

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    let folder = files.data
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/test")) ?? []
    let suffix = "_test.csv"
    let subjects = names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }
      .sorted()
    guard !subjects.isEmpty else {
      throw .missingFile(folder: folder, names: ["test/SUBJECT_test.csv"])
    }
    var rows: [Row] = []
    for subject in subjects {
      let opening =
        "The following are multiple choice questions (with answers) about "
        + Self.spoken(subject) + ".\n\n"
      let shots = try Self.table("\(folder)/dev/\(subject)_dev.csv").prefix(Self.shots).map {
        cells in
        Self.example(cells) + " \(cells[5])\n\n"
      }
      for (index, cells) in try Self.table("\(folder)/test/\(subject)_test.csv").enumerated() {
        if let limit, rows.count >= limit { break }
        let text = Self.example(cells)
        let question = BenchmarkQuestion(
          id: .string("\(subject)/\(index)"),
          picture: .none,
          text: text,
          form: .letter(options: Self.letters, opening: opening, shots: Array(shots))
        )
        rows.append(Row(question: question, subject: subject, answer: cells[5]))
      }
    }
    self.rows = rows
  }

  /// The subject as the reference writes it: a space before every word, so that two follow "about".
  static func spoken(_ subject: String) -> String {
    subject.split(separator: "_", omittingEmptySubsequences: false).map { " " + $0 }.joined()
  }

  /// A question with its options.
  private static func example(_ cells: [String]) -> String {
    cells[0] + zip(letters, cells[1...4]).map { "\n\($0). \($1)" }.joined() + "\nAnswer:"
  }

  /// Rows of question, four options and letter.
  private static func table(_ path: String) throws(EvaluatorError) -> [[String]] {
    let table = try DataFile.table(path, separator: ",")
    for (index, cells) in table.enumerated() {
      guard cells.count == 6, letters.contains(cells[5]) else {
        throw .record(
          path: path,
          place: "row \(index + 1)",
          problem: "is not question, four options and a letter"
        )
      }
    }
    return table
  }

  var questions: [BenchmarkQuestion] { rows.map(\.question) }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    let answers = try answers.byKey(path: path)
    var missing = 0
    let items = rows.map { row in
      let key = AnswerRecord.key(row.question.id)
      if answers[key] == nil { missing += 1 }
      return ScoredItem(
        key: key,
        group: row.subject,
        score: answers[key]?.text == row.answer ? 1 : 0
      )
    }
    // Items of a subject are neighbours; one subject gives one figure only.
    let subjects = Dictionary(grouping: items, by: \.group).sorted { $0.key < $1.key }
    let means = subjects.map { Metric.mean("accuracy \($0.key)", $0.value.map(\.score)) }
    let macro = Metric(
      name: "accuracy by subject",
      value: means.reduce(0) { $0 + $1.value } / Double(max(means.count, 1)),
      interval: Statistics.bootstrap(strata: subjects.map(\.value.count)) { drawn in
        zip(subjects, drawn).reduce(0) { sum, pair in
          sum + pair.1.reduce(0) { $0 + pair.0.value[$1].score } / Double(pair.1.count)
        } / Double(max(subjects.count, 1))
      },
      count: items.count
    )
    return Evaluation(
      task: "mmlu",
      items: items,
      metrics: [.mean("accuracy", items.map(\.score)), macro] + means,
      missing: missing
    )
  }
}
