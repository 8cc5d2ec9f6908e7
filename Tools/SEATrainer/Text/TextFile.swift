// SPDX-License-Identifier: Apache-2.0
// Files that text is learned from: plain text, or records with a text or a conversation each.

package import SEADataset
internal import SEAFormat
internal import SEATensor

/// A stretch of text, or a conversation.
package enum TextDocument: Sendable {
  /// UTF-8; a long text comes in several parts, of which the first starts it and the last ends it.
  case text([UInt8], starts: Bool, ends: Bool)
  /// A conversation, without its picture.
  case conversation(Sample)
}

/// A file of text.
///
/// A file whose name ends in `.json`, `.jsonl` or `.ndjson` holds records, in an array or one a line:
/// `{"text": …}`, `{"question": …, "answer": …}`, or LLaVA's `{"conversations": […]}`, of which only the
/// words count. Any other file is one plain text.
package struct TextFile: Sendable {
  /// The path as given.
  package let path: String
  /// The file holds records.
  package let hasRecords: Bool
  private let file: MappedFile

  /// Bytes of the file.
  package var byteCount: Int { file.count }

  /// Bytes of a part of a long text, about.
  private static let partBytes = 1 << 20

  /// Opens a file.
  ///
  /// - Throws: `TrainerError.file`, or `.badInput` when there is nothing in it.
  package init(path: String) throws(TrainerError) {
    do throws(FileError) {
      file = try MappedFile(path: path)
    } catch {
      throw .file(error)
    }
    guard file.count > 0 else { throw .badInput(path: path, problem: "the file is empty") }
    self.path = path
    let name = path.lowercased()
    hasRecords = [".json", ".jsonl", ".ndjson"].contains { name.hasSuffix($0) }
  }

  /// Calls `body` with every document, in order, and with the bytes that are done.
  ///
  /// - Throws: `TrainerError.badInput` naming the line, or what `body` throws.
  package func forEachDocument(
    _ body: (_ document: TextDocument, _ done: Int) throws -> Void
  ) throws {
    if hasRecords { try forEachRecord(body) } else { try forEachPart(body) }
  }

  // MARK: - Plain text

  private func forEachPart(_ body: (TextDocument, Int) throws -> Void) throws {
    let bytes = file.bytes
    var start = bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf ? 3 : 0
    let first = start
    var released = 0
    while start < bytes.count {
      let end = partEnd(bytes, from: start)
      let part = bytes.slice(start..<end).array()
      guard String(validating: part, as: UTF8.self) != nil else {
        throw TrainerError.badInput(
          path: path,
          problem: "bytes \(start) to \(end) are no text in UTF-8"
        )
      }
      try body(.text(part, starts: start == first, ends: end == bytes.count), end)
      start = end
      if end - released >= 32 << 20 {
        file.release(released..<end)
        released = end
      }
    }
  }

  /// Where a part ends: behind a line's end, else before a character.
  private func partEnd(_ bytes: ByteView, from start: Int) -> Int {
    let limit = min(start + Self.partBytes, bytes.count)
    guard limit < bytes.count else { return limit }
    var end = limit
    while end > start, bytes[end - 1] != 0x0a { end -= 1 }
    if end > start { return end }
    end = limit
    while end > start, bytes[end] & 0xc0 == 0x80 { end -= 1 }
    return end > start ? end : limit
  }

  // MARK: - Records

  private func forEachRecord(_ body: (TextDocument, Int) throws -> Void) throws {
    let bytes = file.bytes
    var splitter = RecordSplitter(bytes)
    var released = 0
    while true {
      switch splitter.next() {
      case .end: return
      case .fault(let line, let problem):
        throw TrainerError.badInput(path: path, problem: "line \(line): \(problem)")
      case .record(let place):
        do {
          try body(try Self.document(bytes.slice(place.bytes)), splitter.offset)
        } catch let error as SampleProblem {
          throw TrainerError.badInput(path: path, problem: "line \(place.line): \(error.problem)")
        } catch let error as RecordProblem {
          throw TrainerError.badInput(path: path, problem: "line \(place.line): \(error.problem)")
        } catch let error as JSONError {
          throw TrainerError.badInput(path: path, problem: "line \(place.line): \(error)")
        }
      }
      if splitter.offset - released >= 32 << 20 {
        file.release(released..<splitter.offset)
        released = splitter.offset
      }
    }
  }

  /// Why a record has no text.
  private struct RecordProblem: Error {
    let problem: String
  }

  private static func document(_ bytes: ByteView) throws -> TextDocument {
    let limits = JSONLimits(
      depth: 16,
      bytes: RecordSplitter.maxRecordBytes,
      loneSurrogates: .replaced
    )
    let json = try bytes.withSpan { (span) throws(JSONError) in
      try JSONScanner.parse(span, limits: limits)
    }
    if json.object == nil || json["conversations"] != nil {
      var sample = try SampleReader.read(json).sample
      sample.image = nil
      for index in sample.rounds.indices { sample.rounds[index].hasImage = false }
      return .conversation(sample)
    }
    if let question = json["question"], let answer = json["answer"] {
      let question = try text(question, "question")
      let round = Sample.Round(
        question: question,
        hasImage: false,
        answer: try text(answer, "answer")
      )
      return .conversation(Sample(id: json["id"]?.string ?? "", image: nil, rounds: [round]))
    }
    guard let value = json["text"] else {
      throw RecordProblem(problem: "no 'text', no 'question' with 'answer', no 'conversations'")
    }
    return .text(Array(try text(value, "text").utf8), starts: true, ends: true)
  }

  private static func text(_ value: JSONValue, _ name: String) throws -> String {
    guard let text = value.string, !text.isEmpty else {
      let found = value.string == nil ? value.kind : "empty"
      throw RecordProblem(problem: "'\(name)' is \(found), expected text")
    }
    return text
  }
}
