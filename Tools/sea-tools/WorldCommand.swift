// SPDX-License-Identifier: Apache-2.0
// `sea world`: harbour scenes from a seed, with everything that is said and asked about them.

import ArgumentParser
package import SEACommandLine
import SEAFormat
import SEATensor
package import SEAWorld

struct WorldCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "world",
    abstract: "Draw harbour scenes with captions and questions, from a seed.",
    discussion: """
      Writes pictures and LLaVA's record files: captions.json for the first stage, conversations.json \
      for the second, text.jsonl and words.txt without pictures. Held-out scenes hold combinations of \
      kind, colour and place that training scenes never have, and come with questions.jsonl. The same \
      seed gives the same world.
      """
  )

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Scenes to draw.", valueName: "n"),
    transform: Checked.integer(1...10_000_000)
  )
  var count: Int

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Which world.", valueName: "n"),
    transform: Checked.seed
  )
  var seed: UInt64 = 0

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The folder to write; it must be empty or new.", valueName: "folder"),
    transform: Checked.text
  )
  var path: String

  @Option(
    help: ArgumentHelp("Width and height of a picture in pixels: 112, 140 or 168.", valueName: "n"),
    transform: Checked.choice(WorldOptions.sides.map { (String($0), $0) })
  )
  var size = 112

  @Option(
    help: ArgumentHelp("Which half of the world: train or heldout.", valueName: "name"),
    transform: Checked.choice(Split.allCases.map { ($0.rawValue, $0) })
  )
  var split = Split.train

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Texts without pictures (default: one for each scene).", valueName: "n"),
    transform: Checked.integer(0...100_000_000)
  )
  var texts: Int?

  @Flag(help: "Also write masks.jsonl: which patch shows what.")
  var masks = false

  @Flag(help: "Also write small versions of the published benchmarks.")
  var benchmarks = false

  @Flag(help: "Continue a world that was interrupted.")
  var resume = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads to draw with (default: the physical cores this process may use).",
      valueName: "n"
    ),
    transform: Checked.integer(1...ComputeOptions.maxThreads)
  )
  var threads: Int?

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let options = WorldOptions(
      count: count,
      seed: seed,
      side: size,
      split: split,
      texts: texts,
      writesMasks: masks,
      writesBenchmarks: benchmarks
    )
    let start = System.seconds
    let summary = try WorldWriter(options, to: path).write(
      resumes: resume,
      pool: WorkerPool(threads: threads ?? ProcessorCount.available),
      progress: { done, total in
        console.terminal.progress(
          "draw",
          done: done,
          total: total,
          unit: { "\($0) pictures" },
          since: start
        )
      },
      isCancelled: { Interruption.status != nil }
    )
    console.explain("\(count) scenes in \(Quantity.duration(System.seconds - start))")
    if console.isJSON {
      let fields = summary.object?.entries ?? []
      try console.output.object(schema: "sea.world/1", fields.filter { $0.key != "format" })
    } else {
      try console.output.line(text(summary))
    }
  }

  /// A few lines for people.
  private func text(_ summary: JSONValue) -> String {
    func count(_ key: String) -> String { String(summary["counts"]?[key]?.int ?? 0) }
    var lines = [
      "\(path.printable(limit: 4096)): \(count("images")) pictures of \(size) x \(size) pixels, "
        + "\(count("images_with_numbers")) with a number, "
        + "\(count("conversation_turns")) questions in conversations"
    ]
    if let baselines = summary["baselines"], let rows = baselines["kinds"]?.array {
      lines.append(
        "\(count("test_questions")) test questions; without looking: majority answer "
          + "\(Self.percent(baselines["majority_by_kind"])), blind guess by wording "
          + "\(Self.percent(baselines["blind"]))"
      )
      for row in rows {
        let name = row["kind"]?.string ?? ""
        lines.append(
          "  \(name)\(String(repeating: " ", count: max(13 - name.count, 1)))"
            + "\(Self.percent(row["majority"]))  \(Self.percent(row["blind"]))  "
            + "of \(row["questions"]?.int ?? 0)"
        )
      }
    }
    return lines.joined(separator: "\n")
  }

  private static func percent(_ share: JSONValue?) -> String {
    Quantity.decimal((share?.double ?? 0) * 100, places: 1) + " %"
  }
}

extension WorldError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .format(let error): error.exitStatus
    case .folder: .usage
    case .encoding: .internalBug
    case .cancelled: Interruption.status ?? .failure
    }
  }
}
