// SPDX-License-Identifier: Apache-2.0
// MMBench: every question is asked once for each rotation of its options, and all must be right.

internal import SEAFormat

/// Questions with up to four options and their rotations.
///
/// - Source: LLaVA `model_vqa_mmbench.py`, the benchmark's dataset card; reference.md I.6.
struct MMBench: Benchmark {
  private struct Row {
    let index: Int
    let cells: [String: String]
    let options: [String]
    /// The right letter; nil where it is not public.
    let answer: String?
    let category: String
    let question: BenchmarkQuestion
  }

  private let rows: [Row]
  private let columns: [String]

  private static let letters = ["A", "B", "C", "D"]
  /// Rows of one question have indices that differ by multiples of this.
  private static let rotation = 1_000_000

  init(_ files: BenchmarkFiles, limit: Int?) throws(EvaluatorError) {
    let path = try files.questions([
      "mmbench_dev_20230712.tsv", "mmbench_dev_en_20231003.tsv", "mmbench_dev_cn_20231003.tsv",
    ])
    let table = try DataFile.table(path, separator: "\t")
    guard let header = table.first, header.contains("index"), header.contains("question") else {
      throw .record(path: path, place: "row 1", problem: "names no columns 'index' and 'question'")
    }
    columns = header
    var rows: [Row] = []
    for (number, cells) in table.dropFirst().enumerated() {
      if let limit, rows.count >= limit { break }
      let place = "row \(number + 2)"
      guard cells.count == header.count else {
        throw .record(
          path: path,
          place: place,
          problem: "has \(cells.count) cells: expected \(header.count)"
        )
      }
      let named = Dictionary(zip(header, cells)) { first, _ in first }
      rows.append(try Self.row(named, path: path, place: place))
    }
    self.rows = rows
  }

  private static func row(
    _ cells: [String: String],
    path: String,
    place: String
  ) throws(EvaluatorError) -> Row {
    guard let index = Int(cells["index"] ?? ""), index >= 0 else {
      throw .record(path: path, place: place, problem: "'index' is no whole number")
    }
    func value(_ name: String) -> String? {
      // An empty cell reaches the published script as not-a-number.
      guard let text = cells[name], !["", "nan", "none"].contains(text.lowercased()) else {
        return nil
      }
      return text
    }
    var options: [String] = []
    for letter in letters {
      guard let option = value(letter) else { break }
      options.append(option)
    }
    var prompt = (value("hint").map { $0 + "\n" } ?? "") + (cells["question"] ?? "")
    for (letter, option) in zip(letters, options) { prompt += "\n\(letter). \(option)" }
    let fields: [(key: String, value: JSONValue)] = [
      (key: "round_id", value: 0), (key: "options", value: .array(options.map { .string($0) })),
      (key: "option_char", value: .array(letters.prefix(options.count).map { .string($0) })),
    ]
    return Row(
      index: index,
      cells: cells,
      options: options,
      answer: value("answer"),
      category: value("l2-category") ?? value("category") ?? "all",
      question: BenchmarkQuestion(
        id: .number(JSONNumber(index)),
        picture: value("image").map { .base64($0) } ?? .none,
        text: prompt + BenchmarkTask.letterSuffix,
        recordedPrompt: prompt,
        form: .text(maxTokens: BenchmarkTask.longAnswer),
        extra: fields
      )
    )
  }

  var questions: [BenchmarkQuestion] { rows.map(\.question) }

  /// The option that an answer means: its letter, alone, with a period or in brackets, or its text.
  ///
  /// The benchmark asks a language model where this finds nothing; here that counts as unmatched.
  static func letter(_ text: String, options: [String]) -> String? {
    let text = TextPieces.stripped(text)
    let offered = letters.prefix(options.count)
    if let letter = offered.first(where: { text == $0 }) { return letter }
    if let letter = offered.first(where: { text == $0 + "." || text.hasPrefix($0 + ". ") }) {
      return letter
    }
    if let letter = offered.first(where: { text.hasPrefix("(\($0))") }) { return letter }
    func form(_ text: String) -> String {
      var scalars = TextPieces.stripped(TextPieces.scalars(text.lowercased()))
      while scalars.last == "." { scalars.removeLast() }
      return TextPieces.string(scalars)
    }
    return options.firstIndex { form($0) == form(text) }.map { letters[$0] }
  }

  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation? {
    guard rows.allSatisfy({ $0.answer != nil }), !rows.isEmpty else { return nil }
    let answers = try answers.byKey(path: path)
    var order: [Int] = []
    var isRight: [Int: [Int: Bool]] = [:]
    var categories: [Int: String] = [:]
    var (missing, unmatched) = (0, 0)
    for row in rows {
      let text = answers[String(row.index)]?.text
      if text == nil { missing += 1 }
      let letter = text.flatMap { Self.letter($0, options: row.options) }
      if text != nil, letter == nil { unmatched += 1 }
      let question = row.index % Self.rotation
      if isRight[question] == nil {
        order.append(question)
        categories[question] = row.category
      }
      isRight[question, default: [:]][row.index / Self.rotation] =
        letter != nil && letter == row.answer
    }
    let items = order.map { question in
      ScoredItem(
        key: String(question),
        group: categories[question] ?? "all",
        score: isRight[question]?.values.allSatisfy(\.self) == true ? 1 : 0
      )
    }
    let vanilla = order.map { question -> Double in
      guard let rounds = isRight[question], let first = rounds.keys.min() else { return 0 }
      return rounds[first] == true ? 1 : 0
    }
    let means = Evaluation.means("circular", items)
    let metrics =
      means.prefix(1) + [
        .mean("vanilla", vanilla),
        Metric(
          name: "unmatched answers",
          value: Double(unmatched) / Double(max(rows.count - missing, 1)),
          interval: nil,
          count: rows.count - missing
        ),
      ] + means.dropFirst()
    return Evaluation(
      task: "mmbench",
      items: items,
      metrics: Array(metrics),
      missing: missing,
      notes: [(key: "rows", value: .number(JSONNumber(rows.count)))]
    )
  }

  /// The columns that the server takes, with the predictions.
  func submission(
    _ answers: [AnswerRecord],
    path: String
  ) throws(EvaluatorError) -> Submission? {
    let answers = try answers.byKey(path: path)
    let left = ["hint", "category", "source", "image", "comment", "l2-category"]
    let kept = columns.filter { !left.contains($0) }
    return .table(
      [kept + ["prediction"]]
        + rows.map { row in
          kept.map { row.cells[$0] ?? "" } + [answers[String(row.index)]?.text ?? ""]
        }
    )
  }
}
