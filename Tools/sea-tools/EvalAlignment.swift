// SPDX-License-Identifier: Apache-2.0
// `sea eval alignment`: how near a model's visual tokens are to words, over a set of pictures.

import ArgumentParser
import SEACommandLine
import SEAEvaluator
import SEAFormat
import SEAImage
import SEALabels
import SEAModel
import SEARuntime
import SEATensor
import SEAText

/// What is known of the pictures, and the words.
struct EvalAlignmentArguments: ParsableArguments {
  @Option(
    name: .customLong("words"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "alignment: words, one a line (default: the vocabulary's whole words).",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var wordList: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("alignment: a label file with the right words.", valueName: "file"),
    transform: Checked.text
  )
  var labels: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("alignment: masks of a harbour world.", valueName: "file"),
    transform: Checked.text
  )
  var masks: String?

  func validate() throws {
    guard labels == nil || masks == nil else {
      throw ValidationError("--labels and --masks contradict each other")
    }
  }

  var isGiven: Bool { wordList != nil || labels != nil || masks != nil }
}

/// Measures a model over the pictures of a record file.
struct EvalAlignment {
  static let task = "alignment"

  let model: String
  /// Records with pictures and captions, as for stage 1.
  let data: String
  let images: String
  let arguments: EvalAlignmentArguments
  let limit: Int?
  let execution: Execution

  /// A record: its picture, and what is said about it.
  private struct Record {
    let image: String
    let caption: String
  }

  func run(_ console: Console) throws {
    let model = try Model(path: self.model)
    let language = try model.requireLanguage()
    let tokenizer = try model.requireTokenizer()
    let vocab = language.language.vocab
    let words =
      try arguments.wordList.map {
        try RecallWords(WordList(path: $0), tokenizer, vocab: vocab)
      } ?? RecallWords(wholeWordsOf: tokenizer, vocab: vocab)
    let labels = try arguments.labels.map { try LabelFile(path: $0) }
    let records = try records()
    var report = AlignmentReport()
    report.wordNorm = try TokenMeasures(words, in: language.table, on: execution).meanWordNorm()
    let start = System.seconds
    for (index, record) in records.enumerated() {
      try Interruption.check()
      console.terminal.progress(
        "look",
        done: index,
        total: records.count,
        unit: { "\($0) pictures" },
        since: start
      )
      let image = try ImageFile.read(path: "\(images)/\(record.image)")
      let caption = tokenizer.encode(
        record.caption,
        recognizesSpecial: false,
        addsTemplate: false
      )
      try report.add(
        AlignmentReport.Picture(
          image,
          truth: try truth(of: record, image, labels),
          caption: caption.isEmpty ? nil : caption
        ),
        through: model,
        words: words,
        on: execution
      )
    }
    console.terminal.clearProgress()
    if console.isJSON {
      try console.output.object(
        schema: "sea.eval.alignment/1",
        [("model", .string(self.model)), ("words", .number(JSONNumber(words.count)))]
          + report.fields
      )
    } else {
      for line in Self.lines(report) { try console.output.line(line) }
    }
  }

  private func truth(
    of record: Record,
    _ image: PixelImage,
    _ labels: LabelFile?
  ) throws -> PatchTruth? {
    let size = ImageSize(height: image.height, width: image.width)
    if let labels { return try PatchTruth(labels, names: [record.image], picture: size) }
    return try arguments.masks.flatMap {
      try PatchTruth(masks: $0, names: [record.image], picture: size)
    }
  }

  /// The records with a picture, the first `limit` of them.
  private func records() throws -> [Record] {
    var records: [Record] = []
    for (index, value) in try DataFile.lines(data).enumerated() {
      if let limit, records.count == limit { break }
      guard let object = value.object else {
        throw EvaluatorError.record(
          path: data,
          place: "record \(index + 1)",
          problem: "is \(value.kind), expected an object with image and conversations"
        )
      }
      guard let image = object["image"]?.string else { continue }
      // A name leads into the folder of pictures, never out of it.
      guard !image.isEmpty, !image.hasPrefix("/"), !image.split(separator: "/").contains("..")
      else {
        throw EvaluatorError.record(
          path: data,
          place: "record \(index + 1)",
          problem: "image: '\(image.printable())' is no path inside a folder"
        )
      }
      let answers = (object["conversations"]?.array ?? [])
        .filter { $0["from"]?.string == "gpt" }
        .compactMap { $0["value"]?.string }
      records.append(Record(image: image, caption: answers.joined(separator: " ")))
    }
    guard !records.isEmpty else {
      throw CommandError(.badData, "\(data.printable(limit: 4096)): no record has a picture")
    }
    return records
  }

  private static func lines(_ report: AlignmentReport) -> [String] {
    func number(_ value: Double?, _ places: Int = 4) -> String {
      value.map { Quantity.decimal($0, places: places) } ?? "-"
    }
    func percent(_ value: Double?) -> String {
      value.map { "\(Quantity.decimal($0 * 100, places: 1)) %" } ?? "-"
    }
    return [
      "\(report.pictures) pictures, \(report.tokens) visual tokens, of \(report.known) it is "
        + "known what they show",
      "alignment accuracy  \(percent(report.accuracy)), one of ten \(percent(report.wideAccuracy))",
      "distribution gap D  \(number(report.distance)) (tokens of length "
        + "\(number(report.tokenNorm)), words \(number(report.wordNorm)))",
      "TACS                \(number(report.captionScore)) over \(report.captions) captions",
    ]
  }
}
