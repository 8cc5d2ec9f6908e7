// SPDX-License-Identifier: Apache-2.0
// A JSON record as a sample, strict about everything a trainer would stumble over.

package import SEAFormat
internal import SEAText

/// Why a record is no sample.
package struct SampleProblem: Error, Equatable, Sendable {
  /// The record's id, where it can be read.
  package let id: String?
  /// What is wrong and what was expected.
  package let problem: String
}

/// Reads records of LLaVA's form: `{id, image?, conversations: [{from, value}]}`.
///
/// - Source: LLaVA `train.py`, `preprocess_multimodal` and `preprocess`; reference.md H.4.
package enum SampleReader {
  /// Spellings of "no picture" (Cambrian).
  private static let noImage: Set<String> = ["", "None", "none", "nan"]
  /// Longest conversation that is read.
  package static let maxTurns = 4096

  /// What a record says, and what is odd about it.
  ///
  /// - Throws: `SampleProblem`.
  package static func read(
    _ json: JSONValue
  ) throws(SampleProblem) -> (sample: Sample, remarks: [String]) {
    guard let object = json.object else {
      throw SampleProblem(id: nil, problem: "a record is \(json.kind), expected an object")
    }
    let id = try readID(object)
    func fail(_ problem: String) -> SampleProblem { SampleProblem(id: id, problem: problem) }
    let image = try readImage(object, id)
    guard let value = object["conversations"] else { throw fail("no 'conversations'") }
    guard let turns = value.array else {
      throw fail("'conversations' is \(value.kind), expected an array")
    }
    guard !turns.isEmpty else { throw fail("the conversation is empty") }
    guard turns.count <= maxTurns else {
      throw fail("\(turns.count) turns, at most \(maxTurns) are read")
    }
    var spoken: [(role: Role, text: String)] = []
    for (index, turn) in turns.enumerated() { spoken.append(try readTurn(turn, index, id)) }
    var remarks: [String] = []
    var system: String?
    if let first = spoken.first, first.role == .system {
      system = first.text
      spoken.removeFirst()
    }
    // As upstream: a conversation starts with the user.
    if let first = spoken.first, first.role == .answer {
      remarks.append("the first turn is an answer and is left out")
      spoken.removeFirst()
    }
    if spoken.count % 2 == 1, spoken.count > 1, spoken.last?.role == .user {
      remarks.append("the last turn has no answer and is left out")
      spoken.removeLast()
    }
    guard spoken.contains(where: { $0.role == .answer }) else {
      throw fail("the conversation has no answer")
    }
    let rounds = try readRounds(spoken, hasImage: image != nil, id)
    if image != nil, !spoken.contains(where: { $0.text.contains(Prompt.imageMark) }) {
      remarks.append("no \(Prompt.imageMark) mark: the picture comes first")
    }
    return (Sample(id: id ?? "", image: image, system: system, rounds: rounds), remarks)
  }

  private enum Role: String {
    case user = "human"
    case answer = "gpt"
    case system = "system"

    init?(name: String) {
      switch name {
      case "human", "user": self = .user
      case "gpt", "assistant": self = .answer
      case "system": self = .system
      default: return nil
      }
    }
  }

  private static func readID(_ object: JSONObject) throws(SampleProblem) -> String? {
    switch object["id"] {
    case .string(let text)?: return text
    case .number(let number)?: return number.text
    case nil, .null?: return nil
    case let other?:
      throw SampleProblem(id: nil, problem: "'id' is \(other.kind), expected a string or a number")
    }
  }

  private static func readImage(
    _ object: JSONObject,
    _ id: String?
  ) throws(SampleProblem) -> String? {
    switch object["image"] {
    case nil, .null?: return nil
    case .string(let text)?: return noImage.contains(text) ? nil : text
    case .array(let list)?:
      throw SampleProblem(
        id: id,
        problem: "'image' lists \(list.count) pictures; one picture a record is read"
      )
    case let other?:
      throw SampleProblem(id: id, problem: "'image' is \(other.kind), expected a string")
    }
  }

  private static func readTurn(
    _ turn: JSONValue,
    _ index: Int,
    _ id: String?
  ) throws(SampleProblem) -> (role: Role, text: String) {
    let place = "conversations[\(index)]"
    guard let from = turn["from"]?.string else {
      throw SampleProblem(id: id, problem: "\(place) has no text 'from'")
    }
    guard let text = turn["value"]?.string else {
      throw SampleProblem(id: id, problem: "\(place) has no text 'value'")
    }
    guard let role = Role(name: from) else {
      throw SampleProblem(
        id: id,
        problem: "\(place) is from '\(from.printable(limit: 40))', expected human, gpt or system"
      )
    }
    return (role, text)
  }

  private static func readRounds(
    _ turns: [(role: Role, text: String)],
    hasImage: Bool,
    _ id: String?
  ) throws(SampleProblem) -> [Sample.Round] {
    var rounds: [Sample.Round] = []
    var question: (text: String, hasImage: Bool)?
    var marks = 0
    for (index, turn) in turns.enumerated() {
      let expected: Role = index % 2 == 0 ? .user : .answer
      guard turn.role == expected else {
        throw SampleProblem(
          id: id,
          problem: "turn \(index + 1) is from \(turn.role.rawValue), expected \(expected.rawValue)"
        )
      }
      let (text, found) = withoutMarks(turn.text)
      marks += found
      if expected == .user {
        question = (text, found > 0)
        continue
      }
      guard found == 0 else {
        throw SampleProblem(id: id, problem: "an answer contains \(Prompt.imageMark)")
      }
      guard !text.utf8.allSatisfy({ $0 == 0x20 || (0x09...0x0d).contains($0) }) else {
        throw SampleProblem(id: id, problem: "answer \(index / 2 + 1) is empty")
      }
      guard let asked = question else { continue }
      rounds.append(
        Sample.Round(question: asked.text, hasImage: asked.hasImage, answer: turn.text)
      )
      question = nil
    }
    if marks > 0, !hasImage {
      throw SampleProblem(id: id, problem: "\(marks) \(Prompt.imageMark) marks and no picture")
    }
    guard marks <= 1 else {
      throw SampleProblem(id: id, problem: "\(marks) \(Prompt.imageMark) marks for one picture")
    }
    if hasImage, marks == 0, !rounds.isEmpty { rounds[0].hasImage = true }
    return rounds
  }

  /// A turn's text without picture marks; stripped where there was one, as upstream does.
  private static func withoutMarks(_ text: String) -> (text: String, marks: Int) {
    let pieces = text.split(separator: Prompt.imageMark, omittingEmptySubsequences: false)
    guard pieces.count > 1 else { return (text, 0) }
    let joined = pieces.joined()
    let scalars = joined.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return ("", pieces.count - 1) }
    return (String(scalars[first...last]), pieces.count - 1)
  }
}
