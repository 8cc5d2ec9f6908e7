// SPDX-License-Identifier: Apache-2.0
// Finds a benchmark's files under the names they are published with.

internal import SEAFormat

/// Where a benchmark's files are.
package struct BenchmarkFiles: Sendable {
  /// A folder with the published names, or the question file itself.
  package let data: String
  /// A folder or a file with the ground truth; nil: beside the questions.
  package let truth: String?

  /// Files at these places.
  package init(data: String, truth: String? = nil) {
    self.data = data
    self.truth = truth
  }

  /// The folder that `data` is or is in.
  var folder: String {
    guard DataFile.exists(data) else { return data }
    guard let slash = data.lastIndex(of: "/") else { return "." }
    return String(data[..<slash])
  }

  /// The question file: `data` itself, or the first of the names in it.
  ///
  /// - Throws: `EvaluatorError.missingFile`.
  func questions(_ names: [String]) throws(EvaluatorError) -> String {
    if DataFile.exists(data) { return data }
    guard let path = first(names, in: data) else {
      throw .missingFile(folder: data, names: names)
    }
    return path
  }

  /// A ground-truth file, or nil when none of the names is there.
  func truth(_ names: [String]) -> String? {
    if let truth, DataFile.exists(truth) { return truth }
    return first(names, in: truth ?? folder)
  }

  /// A ground-truth file.
  ///
  /// - Throws: `EvaluatorError.missingFile`.
  func requireTruth(_ names: [String]) throws(EvaluatorError) -> String {
    guard let path = truth(names) else {
      throw .missingFile(folder: truth ?? folder, names: names)
    }
    return path
  }

  /// The first of the names that is in a folder.
  func first(_ names: [String], in folder: String) -> String? {
    names.map { "\(folder)/\($0)" }.first(where: DataFile.exists)
  }
}

/// A record of a data file, read field by field.
struct DataRecord {
  let object: JSONObject
  let path: String
  /// Where it is in the file.
  let place: String

  init(_ value: JSONValue, path: String, place: String) throws(EvaluatorError) {
    guard let object = value.object else {
      throw .record(path: path, place: place, problem: "is \(value.kind): expected an object")
    }
    self.object = object
    self.path = path
    self.place = place
  }

  /// All records of a file of lines or of one array.
  static func all(_ path: String) throws(EvaluatorError) -> [DataRecord] {
    var records: [DataRecord] = []
    for (index, value) in try DataFile.lines(path).enumerated() {
      records.append(try DataRecord(value, path: path, place: "record \(index + 1)"))
    }
    return records
  }

  /// A member that must be there.
  func value(_ key: String) throws(EvaluatorError) -> JSONValue {
    guard let value = object[key] else { throw problem("has no '\(key)'") }
    return value
  }

  /// A string that must be there.
  func text(_ key: String) throws(EvaluatorError) -> String {
    let value = try value(key)
    guard let text = value.string else {
      throw problem("'\(key)' is \(value.kind): expected a string")
    }
    return text
  }

  /// A string, or nil where there is none.
  func optionalText(_ key: String) -> String? { object[key]?.string }

  /// The ten answers of people: strings, or objects with an `answer`.
  func answers(_ key: String) throws(EvaluatorError) -> [String] {
    guard let array = try value(key).array, !array.isEmpty else {
      throw problem("'\(key)' is no list of answers")
    }
    var answers: [String] = []
    for value in array {
      guard let text = value.string ?? value["answer"]?.string else {
        throw problem("'\(key)' holds \(value.kind): expected an answer")
      }
      answers.append(text)
    }
    return answers
  }

  func problem(_ text: String) -> EvaluatorError {
    .record(path: path, place: place, problem: text)
  }
}

/// LLaVA's question lines: id, picture, text, category.
struct QuestionLine: Sendable {
  let id: JSONValue
  let image: String?
  let text: String
  let category: String?

  var key: String { AnswerRecord.key(id) }

  /// All lines of a file.
  static func all(_ path: String, limit: Int?) throws(EvaluatorError) -> [QuestionLine] {
    var lines: [QuestionLine] = []
    for record in try DataRecord.all(path) {
      if let limit, lines.count >= limit { break }
      lines.append(
        QuestionLine(
          id: try record.value("question_id"),
          image: record.optionalText("image"),
          text: try record.text("text"),
          category: record.optionalText("category")
        )
      )
    }
    return lines
  }

  /// As asked in the scripts for short answers.
  func question(maxTokens: Int = BenchmarkTask.shortAnswer) -> BenchmarkQuestion {
    BenchmarkQuestion(
      id: id,
      picture: image.map { .file($0) } ?? .none,
      text: text,
      form: .text(maxTokens: maxTokens)
    )
  }

  /// The text without the requests that benchmarks add.
  var bare: String {
    var text = text
    for suffix in [
      BenchmarkTask.shortSuffix, BenchmarkTask.letterSuffix, BenchmarkTask.refusalSuffix,
    ]
    where text.hasSuffix(suffix) {
      text.removeLast(suffix.count)
    }
    return text
  }
}
