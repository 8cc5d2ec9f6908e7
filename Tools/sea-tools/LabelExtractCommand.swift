// SPDX-License-Identifier: Apache-2.0
// `sea label`: the words of every patch of a dataset's pictures, in one file.

import ArgumentParser
import Glibc
import SEACommandLine
import SEAFormat
import SEALabels
import SEARuntime
import SEATensor

struct LabelExtractCommand: LabelSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Label the pictures of a dataset (the default).",
    discussion: """
      Unfinished work is kept in OUT.labels.work and --resume goes on with it, after whatever ended \
      it, to the same bytes. The file appears when it is complete.
      """
  )

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of a CLIP or SigLIP checkpoint.", valueName: "folder"),
    transform: Checked.text
  )
  var encoder: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Word list: one word or phrase a line.", valueName: "file"),
    transform: Checked.text
  )
  var words: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records with pictures: JSON or JSON lines.", valueName: "file"),
    transform: Checked.text
  )
  var data: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder that the pictures lie in.", valueName: "folder"),
    transform: Checked.text
  )
  var images: String

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The label file to write.", valueName: "file"),
    transform: Checked.text
  )
  var target: String

  @OptionGroup var options: LabelOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func run(_ console: Console) throws {
    let kernels = try compute.kernels()
    try refuseOutput()
    try LabelRun.refuseWork(at: target, resumes: options.resume)
    let execution = Execution(kernels: kernels, threads: compute.threadCount)
    let prompts = try PromptSet(options.promptSet)
    let list = try WordList(path: words)
    if list.repetitions > 0 {
      console.explain(
        "\(words.printable(limit: 4096)): \(list.repetitions) repeated words left out"
      )
    }
    let start = System.seconds
    let set = try LabelData(path: data, images: images, skipsBad: options.skipsBad) { done, total in
      console.terminal.progress(
        "read",
        done: done,
        total: total,
        unit: Quantity.bytes,
        since: start
      )
      try Interruption.check()
    }
    tell(set, console)
    let cache = try options.openCache(console)
    let towers = try openEncoder(cache, console, on: execution)
    let settings = options.settings(towers)
    try settings.feature.check(towers.encoder, path: encoder)
    let matrix = try place(list, prompts, towers, cache, console, on: execution)
    let run = try LabelRun(
      output: target,
      data: set,
      encoder: towers,
      words: list,
      matrix: matrix,
      prompts: prompts,
      settings: settings,
      on: execution
    )
    var skipped = 0
    let began = System.seconds
    var before = 0
    let header = try run.run { news in
      switch news {
      case .resumed(let images, let dropped):
        before = images
        console.terminal.note("\(images) pictures were labelled before")
        if dropped > 0 { console.warn("\(dropped) damaged blocks are made again") }
      case .skipped(let image, let problem):
        skipped += 1
        console.warn("'\(image.printable(limit: 200))' gets no labels: \(problem)")
      case .calibrating(let done, let total):
        console.progress("sign", done: done, total: total, unit: "pictures", since: began)
      case .contradiction(let calibration, let table):
        console.warn(contradiction(calibration, table))
      case .labelled(let done, let total):
        console.progress(
          "label",
          done: done - before,
          total: max(total - before, 1),
          unit: "pictures",
          since: began
        )
      }
    } isCancelled: {
      Interruption.status != nil
    }
    try report(header, matrix, skipped: skipped, kernels, console)
  }

  private func contradiction(_ calibration: SignCalibration, _ table: ScoreSign) -> String {
    "caption words rank better with sign \(calibration.sign.rawValue) (mean rank "
      + "\(Quantity.decimal(calibration.positive, places: 1)) pos, "
      + "\(Quantity.decimal(calibration.negative, places: 1)) neg), which contradicts the method's "
      + "table (\(table.rawValue)); --sign \(table.rawValue) overrides the calibration"
  }

  /// Refuses outputs that are folders or inputs.
  private func refuseOutput() throws(CommandError) {
    guard System.kind(of: target) != S_IFDIR, target.utf8.last != UInt8(ascii: "/") else {
      throw CommandError(
        .usage,
        "\(target.printable(limit: 4096)): cannot be written: it is a folder"
      )
    }
    for input in [words, data] where System.isSameFile(input, target) {
      throw CommandError(
        .usage,
        "\(target.printable(limit: 4096)): output and input \(input.printable(limit: 4096)) "
          + "are the same file"
      )
    }
  }

  private func tell(_ set: LabelData, _ console: Console) {
    for remark in set.remarks.prefix(console.isVerbose ? .max : 0) {
      console.terminal.note("\(data.printable(limit: 4096)):\(remark)")
    }
    if set.faults > 0 { console.warn("\(set.faults) records cannot be used and are left out") }
    console.explain("\(set.images.count) pictures, \(set.withoutImage) records without one")
  }

  private func openEncoder(
    _ cache: LabelCache,
    _ console: Console,
    on execution: Execution
  ) throws -> LabelEncoder {
    let start = System.seconds
    return try LabelEncoder(
      path: encoder,
      recipe: options.recipe,
      weights: options.weights,
      cache: cache,
      on: execution
    ) { done, total in
      console.terminal.progress(
        "pack",
        done: done,
        total: total,
        unit: Quantity.bytes,
        since: start
      )
    } isCancelled: {
      Interruption.status != nil
    }
  }

  private func place(
    _ list: WordList,
    _ prompts: PromptSet,
    _ towers: LabelEncoder,
    _ cache: LabelCache,
    _ console: Console,
    on execution: Execution
  ) throws -> WordMatrix {
    let start = System.seconds
    let embedding = WordEmbedding(towers, words: list, prompts: prompts, on: execution)
    return try embedding.matrix(cache: cache) { done, total in
      console.progress("words", done: done, total: total, unit: "words", since: start)
    } isCancelled: {
      Interruption.status != nil
    }
  }

  private func report(
    _ header: LabelHeader,
    _ matrix: WordMatrix,
    skipped: Int,
    _ kernels: Kernels,
    _ console: Console
  ) throws {
    let file = try LabelFile(path: target)
    var fields: [(key: String, value: JSONValue)] = [
      ("output", .string(target)), ("header", header.json),
      ("images", .number(JSONNumber(file.count))), ("skipped", .number(JSONNumber(skipped))),
    ]
    var line =
      "\(target.printable(limit: 4096)): \(file.count) pictures, \(header.wordCount) words, "
      + "sign \(header.sign.rawValue)"
    if header.presampling == nil {
      let statistics = try LabelStatistics(file) { _, _ in try Interruption.check() }
      fields.append(("labels", .number(JSONNumber(statistics.labels))))
      fields.append(("share_dropped", .number(JSONNumber(statistics.shareDropped))))
      fields.append(("utilisation", .number(JSONNumber(statistics.utilisation))))
      line +=
        ", \(statistics.labels) labels, \(percent(statistics.shareDropped)) of the best "
        + "\(header.topN) dropped, \(percent(statistics.utilisation)) of the words used"
    }
    // Scores without redundancy are no products of sums of patches.
    let isPlain = !options.removesRedundancy
    if isPlain, let means = try file.sums.meanScores(matrix, sign: header.sign, with: kernels) {
      let share = Double(means.count { $0 < 0 }) / Double(means.count)
      fields.append(("share_of_words_below_zero", .number(JSONNumber(share))))
      line += ", \(percent(share)) of the words below zero on average"
    }
    if console.isJSON {
      try console.output.object(schema: "sea.label/1", fields)
    } else {
      try console.output.line(line)
    }
  }
}
