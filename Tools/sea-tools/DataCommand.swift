// SPDX-License-Identifier: Apache-2.0
// `sea data check`: every record of a dataset that cannot be used, with its line.

import ArgumentParser
import SEACommandLine
import SEADataset
import SEAFormat
import SEAImage

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Look at training data.",
    subcommands: [DataCheckCommand.self]
  )
}

struct DataCheckCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "List every record that cannot be used, with its line.",
    discussion: """
      Reads JSON (an array) or JSON lines of records {id, image, conversations}. Ends with exit code 65 \
      when a record cannot be used; notes are about records that can.
      """
  )

  @Argument(help: "Records: JSON or JSON lines.", transform: Checked.text)
  var file: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder that the pictures lie in.", valueName: "folder"),
    transform: Checked.text
  )
  var images: String?

  @Flag(help: "Also decode every picture, which takes long.")
  var decode = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard !decode || images != nil else { throw ValidationError("--decode needs --images") }
  }

  func run() throws {
    let console = Console(command: "sea data", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }

  func run(_ console: Console) throws {
    let folder = try images.map { try ImageFolder(path: $0) }
    let start = System.seconds
    var rounds = 0
    let dataset = try Dataset(
      path: file,
      images: folder,
      inspect: { sample in
        rounds += sample.rounds.count
        return decode ? pictureProblem(sample, folder) : nil
      },
      progress: { done, total in
        console.terminal.progress(
          "check",
          done: done,
          total: total,
          unit: Quantity.bytes,
          since: start
        )
        try Interruption.check()
      }
    )
    for fault in dataset.faults { try tell(fault, console) }
    let pictures = dataset.entries.count { $0.hasImage }
    let remarks = dataset.faults.count { $0.isRemark }
    if console.isJSON {
      try console.output.object(
        schema: "sea.data.check/1",
        [
          ("file", .string(file)), ("usable", .number(JSONNumber(dataset.count))),
          ("bad", .number(JSONNumber(dataset.faultCount))),
          ("with_image", .number(JSONNumber(pictures))),
          ("rounds", .number(JSONNumber(rounds))), ("notes", .number(JSONNumber(remarks))),
        ]
      )
    } else {
      try console.output.line(
        "\(file.printable(limit: 4096)): \(dataset.count) records can be used, "
          + "\(pictures) of them with a picture; \(dataset.faultCount) cannot; \(remarks) notes"
      )
    }
    try console.output.flush()
    guard dataset.faultCount == 0 else {
      throw CommandError(
        .badData,
        "\(file.printable(limit: 4096)): \(dataset.faultCount) records cannot be used"
      )
    }
  }

  private func tell(_ fault: RecordFault, _ console: Console) throws {
    if console.isJSON {
      try console.output.object(
        schema: "sea.data.fault/1",
        [
          ("line", .number(JSONNumber(fault.line))), ("id", fault.id.map { .string($0) } ?? .null),
          ("problem", .string(fault.problem)), ("usable", .bool(fault.isRemark)),
        ]
      )
    } else {
      try console.output.line("\(file.printable(limit: 4096)):\(fault)")
    }
  }

  private func pictureProblem(_ sample: Sample, _ folder: ImageFolder?) -> String? {
    guard let folder, let name = sample.image else { return nil }
    do {
      _ = try ImageFile.read(path: try folder.path(of: name))
      return nil
    } catch {
      return "\(error)"
    }
  }
}
