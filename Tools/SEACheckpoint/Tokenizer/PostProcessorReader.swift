// SPDX-License-Identifier: Apache-2.0
// The ids that a tokenizer puts around a text, from its post-processor and its configuration.

import SEAFormat

/// The ids before and after a text.
struct TextFrame: Equatable {
  var prefix: [Int32] = []
  var suffix: [Int32] = []

  /// Reads `post_processor`.
  ///
  /// - Throws: `CheckpointError` naming the field, or the kind that is not supported.
  init(
    _ value: JSONValue?,
    path: String
  ) throws(CheckpointError) {
    guard let value, !value.isNull else { return }
    switch value["type"]?.string {
    case "ByteLevel": break
    case "TemplateProcessing": try readTemplate(value, path: path)
    case "BertProcessing", "RobertaProcessing":
      prefix = [try Self.pairedID(value["cls"], field: "post_processor.cls", path: path)]
      suffix = [try Self.pairedID(value["sep"], field: "post_processor.sep", path: path)]
    case "Sequence":
      guard let processors = value["processors"]?.array else {
        throw .badField(
          path: path,
          field: "post_processor.processors",
          problem: "expected an array"
        )
      }
      for processor in processors {
        // Each step frames what the steps before it made.
        let frame = try TextFrame(processor, path: path)
        prefix = frame.prefix + prefix
        suffix += frame.suffix
      }
    case let name:
      throw .unsupported(path: path, what: "post_processor '\((name ?? "").printable())'")
    }
  }

  private mutating func readTemplate(_ value: JSONValue, path: String) throws(CheckpointError) {
    let field = "post_processor.single"
    guard let items = value["single"]?.array else {
      throw .badField(path: path, field: field, problem: "expected an array")
    }
    var hasSequence = false
    for item in items {
      if item["Sequence"]?["id"]?.string == "A", !hasSequence {
        hasSequence = true
        continue
      }
      guard let name = item["SpecialToken"]?["id"]?.string,
        let values = value["special_tokens"]?[name]?["ids"]?.array
      else {
        throw .badField(
          path: path,
          field: field,
          problem: "expected one sequence A and known tokens"
        )
      }
      for value in values {
        let id = try Self.id(value, field: "post_processor.special_tokens", path: path)
        if hasSequence { suffix.append(id) } else { prefix.append(id) }
      }
    }
    guard hasSequence else {
      throw .badField(path: path, field: field, problem: "the template has no place for the text")
    }
  }

  private static func pairedID(
    _ value: JSONValue?,
    field: String,
    path: String
  ) throws(CheckpointError) -> Int32 {
    guard let pair = value?.array, pair.count == 2, pair[0].string != nil else {
      throw .badField(path: path, field: field, problem: "expected a token and its id")
    }
    return try id(pair[1], field: field, path: path)
  }

  private static func id(
    _ value: JSONValue,
    field: String,
    path: String
  ) throws(CheckpointError) -> Int32 {
    guard let id = value.int, id >= 0, let id = Int32(exactly: id) else {
      throw .badField(path: path, field: field, problem: "expected a token id")
    }
    return id
  }
}
