// SPDX-License-Identifier: Apache-2.0
// `sea tokenize`: text to ids and back, with the tokenizer of a model file.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAModel
import SEARuntime
import SEAText

struct TokenizeCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Show the tokens of a text, or the text of tokens.",
    discussion: """
      Without --special the text is only text: no token is added and none is recognised in it. \
      With --lines every line of the input is a JSON string and every line of the output a JSON \
      array of ids; --decode --lines turns that around.
      """
  )

  @Argument(help: ArgumentHelp("The model file.", valueName: "model"))
  var path: String

  @Argument(help: "The text, or the ids with --decode; - or nothing reads standard input.")
  var text: String?

  @Flag(help: "Show the text as a user's message in the model's template; <image> marks an image.")
  var chat = false

  @Flag(help: "Recognise special tokens and add the tokenizer's own; keep them when decoding.")
  var special = false

  @Flag(name: .customLong("no-template"), help: "With --special: recognise tokens but add none.")
  var omitsTemplate = false

  @Flag(help: "Read and write one JSON value a line.")
  var lines = false

  @Flag(help: "Turn ids into text.")
  var decode = false

  @OptionGroup var output: OutputOptions

  /// Longest text and longest line, in bytes.
  private static let maxBytes = 64 << 20

  func validate() throws {
    guard !(decode && chat) else {
      throw ValidationError("--decode and --chat contradict each other")
    }
    guard !omitsTemplate || special else { throw ValidationError("--no-template needs --special") }
  }

  func run(_ console: Console) throws {
    let model = try Model(path: path)
    let codec = TokenCodec(
      tokenizer: try model.requireTokenizer(),
      template: chat ? try model.template() : nil,
      imagePositions: model.description.encoder == nil ? nil : model.description.visualTokens(),
      isSpecial: special,
      addsTemplate: special && !omitsTemplate
    )
    if lines {
      try runLines(codec, console)
    } else if decode {
      let text = codec.decode(try Self.ids(in: String(decoding: try input(), as: UTF8.self)))
      if console.isJSON {
        let text = String(decoding: text, as: UTF8.self)
        try console.output.object(schema: "sea.detokenize/1", [("text", .string(text))])
      } else {
        try console.output.write(text)
        try console.output.write("\n")
      }
    } else {
      try show(try codec.encode(try input()), codec, console)
    }
  }

  private func input() throws -> [UInt8] {
    guard let text, text != "-" else {
      return try StandardInput.readAll(limit: Self.maxBytes, what: "a text")
    }
    return Array(text.utf8)
  }

  // MARK: - Lines

  private func runLines(_ codec: TokenCodec, _ console: Console) throws {
    var number = 0
    func convert(_ line: [UInt8]) throws {
      number += 1
      let value: JSONValue
      do {
        value = try JSONScanner.parse(line)
      } catch {
        throw CommandError(.badData, "line \(number): \(error)")
      }
      let result =
        decode ? try decoded(value, codec, number) : try encoded(value, codec, number)
      try console.output.line(result.serialized())
    }
    guard let text, text != "-" else {
      try StandardInput.forEachLine(limit: Self.maxBytes, pause: { try console.output.flush() }) {
        try convert($0)
      }
      return
    }
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) { try convert(Array(line)) }
  }

  private func encoded(_ line: JSONValue, _ codec: TokenCodec, _ number: Int) throws -> JSONValue {
    guard let text = line.string else {
      throw CommandError(.badData, "line \(number): \(line.kind), expected a string")
    }
    return .array(try codec.encode(Array(text.utf8)).map { .number(JSONNumber(Int($0))) })
  }

  private func decoded(_ line: JSONValue, _ codec: TokenCodec, _ number: Int) throws -> JSONValue {
    guard let values = line.array else {
      throw CommandError(.badData, "line \(number): \(line.kind), expected an array of ids")
    }
    let ids = try values.map { value in
      guard let id = value.int.flatMap({ Int32(exactly: $0) }) else {
        throw CommandError(.badData, "line \(number): \(value.serialized()), expected a token id")
      }
      return id
    }
    return .string(String(decoding: codec.decode(ids), as: UTF8.self))
  }

  // MARK: - One text

  private func show(_ ids: [Int32], _ codec: TokenCodec, _ console: Console) throws {
    guard console.isJSON else {
      for id in ids { try console.output.line("\(Self.column(id))  \(codec.label(id))") }
      return console.explain("\(ids.count) tokens, \(codec.positions(ids)) positions")
    }
    var fields: [(key: String, value: JSONValue)] = [
      ("ids", .array(ids.map { .number(JSONNumber(Int($0))) })),
      ("pieces", .array(ids.map { .string(codec.piece($0)) })),
      ("positions", .number(JSONNumber(codec.positions(ids)))),
    ]
    let images = ids.indices.filter { ids[$0] == Prompt.imageID }
    if !images.isEmpty {
      fields.append(("images", .array(images.map { .number(JSONNumber($0)) })))
    }
    try console.output.object(schema: "sea.tokenize/1", fields)
  }

  /// Right-aligned in the width of the largest vocabularies.
  private static func column(_ id: Int32) -> String {
    let text = String(id)
    return String(repeating: " ", count: max(0, 7 - text.utf8.count)) + text
  }

  /// Ids in a text, between blanks, commas and the brackets of a JSON array.
  private static func ids(in text: String) throws -> [Int32] {
    let separators: Set<Character> = [" ", ",", "[", "]", "\n", "\t", "\r"]
    return try text.split(whereSeparator: separators.contains).map { part in
      guard let id = Int32(part) else {
        throw CommandError(.usage, "'\(String(part).printable())' is not a token id")
      }
      return id
    }
  }
}

/// A tokenizer with the choices of a command line.
private struct TokenCodec {
  let tokenizer: Tokenizer
  /// The template to speak in, or nil for plain text.
  let template: Template?
  /// Positions that an image takes in the sequence.
  let imagePositions: Int?
  let isSpecial: Bool
  let addsTemplate: Bool

  func encode(_ text: [UInt8]) throws -> [Int32] {
    guard let template else {
      return tokenizer.encode(
        bytes: text,
        recognizesSpecial: isSpecial,
        addsTemplate: addsTemplate
      )
    }
    let marks = text.split(
      separator: Array(Prompt.imageMark.utf8),
      omittingEmptySubsequences: false
    )
    let turn = try Prompt.Turn(
      marked: String(decoding: text, as: UTF8.self),
      images: marks.count - 1
    )
    return tokenizer.encode(try Prompt(turns: [turn]).segments(template))
  }

  func decode(_ ids: [Int32]) -> [UInt8] {
    tokenizer.decode(ids, skipsSpecial: !isSpecial)
  }

  func piece(_ id: Int32) -> String {
    if id == Prompt.imageID { return Prompt.imageMark }
    return tokenizer.piece(id).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The piece as a person reads it.
  func label(_ id: Int32) -> String {
    guard id == Prompt.imageID else { return piece(id).printable() }
    return Prompt.imageMark + (imagePositions.map { "  (\($0) positions)" } ?? "")
  }

  /// Places in the sequence, images spread out.
  func positions(_ ids: [Int32]) -> Int {
    ids.reduce(0) { $0 + ($1 == Prompt.imageID ? imagePositions ?? 1 : 1) }
  }
}
