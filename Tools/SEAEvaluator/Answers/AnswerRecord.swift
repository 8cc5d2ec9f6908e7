// SPDX-License-Identifier: Apache-2.0
// One answer, as LLaVA's scripts write it: a line of JSON.

package import SEAFormat

/// An answer of a model.
package struct AnswerRecord: Sendable, Equatable {
  /// The question's id, as the question file writes it.
  package let id: JSONValue
  /// What was asked, without the template; nil in files that leave it out.
  package let prompt: String?
  /// What was answered.
  package let text: String
  /// The whole line.
  package let fields: JSONObject

  /// The question's id as text: `7` and `"7"` are one.
  package var key: String { Self.key(id) }

  /// An id as text.
  package static func key(_ id: JSONValue) -> String {
    switch id {
    case .string(let text): text
    case .number(let number): number.text
    default: id.serialized()
    }
  }

  /// An answer in the fields of LLaVA's scripts.
  ///
  /// - Parameters:
  ///   - question: what was asked.
  ///   - position: its place among the questions, which makes the answer's id differ.
  ///   - text: the answer.
  ///   - modelID: names the model.
  ///   - metadata: facts about the answer.
  init(
    to question: BenchmarkQuestion,
    position: Int,
    text: String,
    modelID: String,
    metadata: JSONObject = JSONObject()
  ) {
    id = question.id
    prompt = question.recordedPrompt
    self.text = text
    let answerID = Self.hash("\(modelID)\n\(position)\n\(Self.key(question.id))")
    fields = JSONObject(
      [
        (key: "question_id", value: question.id),
        (key: "prompt", value: .string(question.recordedPrompt)),
        (key: "text", value: .string(text)),
      ] + question.extra + [
        (key: "answer_id", value: .string(answerID)), (key: "model_id", value: .string(modelID)),
        (key: "metadata", value: .object(metadata)),
      ]
    )
  }

  /// An answer read from a line.
  ///
  /// - Throws: `EvaluatorError.record` naming the field.
  package init(_ value: JSONValue, path: String, line: Int) throws(EvaluatorError) {
    guard let object = value.object else {
      throw .record(
        path: path,
        place: "line \(line)",
        problem: "is \(value.kind): expected an object"
      )
    }
    guard let id = object["question_id"] ?? object["questionId"] else {
      throw .record(path: path, place: "line \(line)", problem: "has no 'question_id'")
    }
    guard let text = object["text"]?.string else {
      throw .record(path: path, place: "line \(line)", problem: "has no 'text' that is a string")
    }
    self.id = id
    prompt = object["prompt"]?.string
    self.text = text
    fields = object
  }

  /// All answers of a file.
  ///
  /// - Throws: `EvaluatorError` naming the line.
  package static func read(path: String) throws(EvaluatorError) -> [AnswerRecord] {
    var records: [AnswerRecord] = []
    for (index, value) in try DataFile.lines(path).enumerated() {
      records.append(try AnswerRecord(value, path: path, line: index + 1))
    }
    return records
  }

  /// 64 bits of FNV-1a in hexadecimal.
  private static func hash(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension [AnswerRecord] {
  /// By the question's id; a file that answers one twice is refused.
  ///
  /// - Throws: `EvaluatorError.mismatch`.
  func byKey(path: String) throws(EvaluatorError) -> [String: AnswerRecord] {
    var result: [String: AnswerRecord] = [:]
    for record in self {
      guard result.updateValue(record, forKey: record.key) == nil else {
        throw .mismatch(path: path, problem: "answers question '\(record.key.printable())' twice")
      }
    }
    return result
  }
}
