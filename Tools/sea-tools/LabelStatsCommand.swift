// SPDX-License-Identifier: Apache-2.0
// `sea label stats`: what a label file holds, in numbers and as a chart.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEALabels

struct LabelStatsCommand: LabelSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count what a label file holds; every record is read and checked."
  )

  @Argument(help: "The label file.")
  var file: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Most frequent words to list.", valueName: "n"),
    transform: Checked.integer(0...100_000)
  )
  var top = 20

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Also draw the counts as SVG.", valueName: "file"),
    transform: Checked.text
  )
  var svg: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Also draw the counts as PNG.", valueName: "file"),
    transform: Checked.text
  )
  var png: String?

  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    for (name, path) in [("--svg", svg), ("--png", png)] {
      if let path, System.isSamePlace(path, file) {
        throw CommandError(.usage, "\(name) and the label file are the same file")
      }
    }
    let labels = try LabelFile(path: file)
    let start = System.seconds
    let statistics = try LabelStatistics(labels, top: top) { done, total in
      console.terminal.progress(
        "read",
        done: done,
        total: total,
        unit: { "\($0) pictures" },
        since: start
      )
      try Interruption.check()
    }
    let figure = LabelChart(statistics, name: labels.word).figure
    if let svg { try figure.save(to: svg, isPNG: false) }
    if let png { try figure.save(to: png, isPNG: true) }
    if console.isJSON {
      var fields = statistics.json(labels.word).object ?? JSONObject()
      fields["calibration"] = labels.header.json["calibration"]
      try console.output.object(schema: "sea.label.stats/1", fields.entries)
    } else {
      for line in lines(statistics, labels) { try console.output.line(line) }
    }
  }

  private func lines(_ s: LabelStatistics, _ labels: LabelFile) -> [String] {
    var lines = [
      "pictures          \(s.images)" + (s.skipped > 0 ? ", \(s.skipped) of them skipped" : ""),
      "patches           \(s.patches), \(s.emptyPatches) without labels",
      "labels            \(s.labels) of \(s.candidates) candidates; "
        + "\(percent(s.shareDropped)) dropped as not above 0",
      "words             \(s.wordsUsed) of \(s.wordCount) used, \(percent(s.utilisation))",
      "labels a patch    "
        + s.labelsPerPatch.enumerated().map { "\($0.offset): \($0.element)" }
        .joined(separator: "  "),
    ]
    lines += table("score", s.scores.trimmed) + table("mean score a word", s.wordMeans.trimmed)
    for entry in s.top {
      lines.append(
        "\(entry.count)  \(labels.word(entry.word).printable())  "
          + "mean \(Quantity.decimal(entry.mean, places: 3))"
      )
    }
    return lines
  }

  /// A histogram with a bar of at most 40 marks a line.
  private func table(_ title: String, _ histogram: Histogram) -> [String] {
    let most = max(histogram.counts.max() ?? 0, 1)
    return ["\(title):"]
      + histogram.counts.enumerated().map { index, count in
        let low = Quantity.decimal(histogram.low + histogram.step * Double(index), places: 2)
        let marks = Int((Double(count) / Double(most) * 40).rounded(.up))
        return "  \(low)  \(String(repeating: "#", count: marks)) \(count)"
      }
  }
}
