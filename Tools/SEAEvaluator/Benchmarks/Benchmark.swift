// SPDX-License-Identifier: Apache-2.0
// What every benchmark is: questions to ask, and a rule to score answers by.

package import SEAFormat

/// A question as it is asked.
package struct BenchmarkQuestion: Sendable {
  /// Where the picture is.
  package enum Picture: Sendable, Equatable {
    case none
    /// A name below the folder of pictures.
    case file(String)
    /// A whole picture file in base 64.
    case base64(String)
  }

  /// How the answer is found.
  package enum Form: Sendable, Equatable {
    /// Generated, greedily.
    case text(maxTokens: Int)
    /// The likeliest next token among the options' letters, after plain text; `shots` stand between
    /// opening and question, and the first of them go where all do not fit.
    case letter(options: [String], opening: String, shots: [String])
  }

  /// As the question file writes it.
  package let id: JSONValue
  package let picture: Picture
  /// What the user says.
  package let text: String
  /// What the answer file records as asked.
  package let recordedPrompt: String
  package let form: Form
  /// Fields that this benchmark's answer lines have beyond the others'.
  package let extra: [(key: String, value: JSONValue)]

  init(
    id: JSONValue,
    picture: Picture,
    text: String,
    recordedPrompt: String? = nil,
    form: Form,
    extra: [(key: String, value: JSONValue)] = []
  ) {
    self.id = id
    self.picture = picture
    self.text = text
    self.recordedPrompt = recordedPrompt ?? text
    self.form = form
    self.extra = extra
  }
}

/// A benchmark with its files opened.
package protocol Benchmark: Sendable {
  /// The questions, in the order of their file.
  var questions: [BenchmarkQuestion] { get }

  /// Scores answers.
  ///
  /// - Parameters:
  ///   - answers: of any model; questions without one count as wrong.
  ///   - path: what errors call the answers.
  /// - Returns: nil where the ground truth is not public or not at hand.
  /// - Throws: `EvaluatorError` when answers do not belong to the questions.
  func score(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Evaluation?

  /// The file that the benchmark's server or grader takes; nil where there is none.
  ///
  /// - Throws: `EvaluatorError` when answers do not belong to the questions.
  func submission(_ answers: [AnswerRecord], path: String) throws(EvaluatorError) -> Submission?
}

/// What a benchmark's server or grader takes.
package enum Submission: Sendable, Equatable {
  /// A file of text.
  case text(String)
  /// A table whose first row names the columns.
  case table([[String]])

  /// The file's bytes.
  ///
  /// - Parameter isSpreadsheet: write a table as a spreadsheet, not as lines with tabs.
  /// - Returns: the same bytes for the same answers.
  package func bytes(isSpreadsheet: Bool) -> [UInt8] {
    switch self {
    case .text(let text): return Array(text.utf8)
    case .table(let rows) where isSpreadsheet:
      return Spreadsheet.bytes(rows, numbers: ["index"])
    case .table(let rows):
      return Array(rows.map { Self.line($0) + "\n" }.joined().utf8)
    }
  }

  /// Cells with tabs between; those that hold a tab, a line end or a quote are quoted.
  private static func line(_ cells: [String]) -> String {
    cells.map { cell in
      guard cell.unicodeScalars.contains(where: { "\t\n\r\"".unicodeScalars.contains($0) }) else {
        return cell
      }
      let parts = cell.split(separator: "\"", omittingEmptySubsequences: false)
      return "\"" + parts.joined(separator: "\"\"") + "\""
    }.joined(separator: "\t")
  }
}

extension Benchmark {
  /// Most benchmarks are scored here and have no server.
  package func submission(
    _ answers: [AnswerRecord],
    path: String
  ) throws(EvaluatorError) -> Submission? { nil }
}

/// The benchmarks.
package enum BenchmarkTask: String, CaseIterable, Sendable {
  case pope, gqa, textvqa, scienceqa, vqav2, vizwiz, mmbench, mmvet, mmlu, world

  /// Opens the benchmark's files.
  ///
  /// - Parameters:
  ///   - files: where they are.
  ///   - limit: questions at most, from the first; nil: all.
  /// - Returns: the benchmark, ready to be asked.
  /// - Throws: `EvaluatorError` naming the file, the record and the field.
  package func open(
    _ files: BenchmarkFiles,
    limit: Int? = nil
  ) throws(EvaluatorError) -> any Benchmark {
    switch self {
    case .pope: try POPE(files, limit: limit)
    case .gqa: try GQA(files, limit: limit)
    case .textvqa: try TextVQA(files, limit: limit)
    case .scienceqa: try ScienceQA(files, limit: limit)
    case .vqav2: try VQAv2(files, limit: limit)
    case .vizwiz: try VizWiz(files, limit: limit)
    case .mmbench: try MMBench(files, limit: limit)
    case .mmvet: try MMVet(files, limit: limit)
    case .mmlu: try MMLU(files, limit: limit)
    case .world: try WorldQuestions(files, limit: limit)
    }
  }

  /// Longest answers of the scripts for short answers, in tokens.
  static let shortAnswer = 128
  /// Longest answers of the scripts for options and free answers, in tokens.
  static let longAnswer = 1024

  static let shortSuffix = "\nAnswer the question using a single word or phrase."
  static let letterSuffix = "\nAnswer with the option's letter from the given choices directly."
  static let refusalSuffix =
    "\nWhen the provided information is insufficient, respond with 'Unanswerable'."
}
