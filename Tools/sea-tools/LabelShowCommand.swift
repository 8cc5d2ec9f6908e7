// SPDX-License-Identifier: Apache-2.0
// `sea label show`: how a label file was made, and the words of one picture.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEALabels

struct LabelShowCommand: LabelSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show how a label file was made, or the words of one picture."
  )

  @Argument(help: "The label file.")
  var file: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A picture: its path or id in the data.", valueName: "id"),
    transform: Checked.text
  )
  var image: String?

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let labels = try LabelFile(path: file)
    guard let image else {
      try show(labels, console)
      return
    }
    guard let record = labels.record(forKey: image) else {
      throw CommandError(
        .missingInput,
        "\(file.printable(limit: 4096)): no picture '\(image.printable())'"
      )
    }
    if labels.header.presampling == nil {
      try show(labels, labels.labels(ofRecord: record), of: image, record, console)
    } else {
      try show(labels, labels.draws(ofRecord: record), of: image, record, console)
    }
  }

  private func show(_ labels: LabelFile, _ console: Console) throws {
    if console.isJSON {
      try console.output.object(
        schema: "sea.label.show/1",
        [
          ("file", .string(file)), ("header", labels.header.json),
          ("records", .number(JSONNumber(labels.count))),
          ("keys", .number(JSONNumber(labels.keyCount))),
        ]
      )
      return
    }
    for (key, value) in labels.header.json.object?.entries ?? [] {
      try console.output.line("\(key): \(value.string ?? value.serialized())")
    }
    try console.output.line("records: \(labels.count)")
    try console.output.line("keys: \(labels.keyCount)")
  }

  private func show(
    _ labels: LabelFile,
    _ patches: [[PatchLabel]],
    of image: String,
    _ record: Int,
    _ console: Console
  ) throws {
    if console.isJSON {
      let cells = patches.map { patch -> JSONValue in
        .array(
          patch.map { label in
            [
              "word": .string(labels.word(label.word)),
              "index": .number(JSONNumber(label.word)),
              "score": .number(JSONNumber(Double(label.score))),
            ]
          }
        )
      }
      try object(labels, image, record, [("patches", .array(cells))], console)
      return
    }
    if labels.isSkipped(record) { try console.output.line("the picture could not be used") }
    for (index, patch) in patches.enumerated() {
      let words = patch.map {
        "\(labels.word($0.word).printable()) \(Quantity.decimal(Double($0.score), places: 3))"
      }
      try console.output.line("\(place(index, labels)) \(words.joined(separator: ", "))")
    }
  }

  private func show(
    _ labels: LabelFile,
    _ draws: [WindowLabel?],
    of image: String,
    _ record: Int,
    _ console: Console
  ) throws {
    if console.isJSON {
      let cells = draws.map { draw -> JSONValue in
        guard let draw else { return .null }
        return [
          "patch": .number(JSONNumber(draw.patch)), "word": .string(labels.word(draw.word)),
          "index": .number(JSONNumber(draw.word)),
        ]
      }
      try object(labels, image, record, [("windows", .array(cells))], console)
      return
    }
    for draw in draws {
      guard let draw else { continue }
      try console.output.line("\(place(draw.patch, labels)) \(labels.word(draw.word).printable())")
    }
  }

  private func object(
    _ labels: LabelFile,
    _ image: String,
    _ record: Int,
    _ fields: [(key: String, value: JSONValue)],
    _ console: Console
  ) throws {
    let grid = labels.grid
    let head: [(key: String, value: JSONValue)] = [
      ("image", .string(image)),
      ("grid", [.number(JSONNumber(grid.rows)), .number(JSONNumber(grid.columns))]),
      ("skipped", .bool(labels.isSkipped(record))),
    ]
    try console.output.object(schema: "sea.label.image/1", head + fields)
  }

  private func place(_ patch: Int, _ labels: LabelFile) -> String {
    "\(patch / labels.grid.columns),\(patch % labels.grid.columns):"
  }
}
