// SPDX-License-Identifier: Apache-2.0
// `sea recall`: the word that each visual token of a picture means, as a picture, a page or JSON.

import ArgumentParser
import SEACommandLine
import SEADrawing
import SEAEvaluator
import SEAFormat
import SEAImage
import SEALabels
import SEAModel
import SEARuntime
import SEATensor
import SEAText

struct RecallCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "recall",
    abstract: "Show the word that each visual token of a picture means.",
    discussion: """
      The word whose row of the language model's embedding table (the mean of its tokens' rows) is \
      nearest to the adapter's output. -o NAME.png draws the words over the picture, NAME.html makes a \
      page that shows the next nearest under the pointer, NAME.json lists all.
      """
  )

  /// What is written.
  private enum Form: String, CaseIterable {
    case png
    case html
    case json
  }

  @Argument(help: ArgumentHelp("The model file.", valueName: "model"))
  var path: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A PNG, JPEG or WebP file.", valueName: "file"),
    transform: Checked.text
  )
  var image: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Words, one a line (default: pieces of the model's vocabulary that are whole words).",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var words: String?

  @Option(
    name: .customLong("word-form"),
    help: ArgumentHelp(
      "How a word becomes tokens: space (after a blank, as in a sentence) or bare (default: space).",
      valueName: "form"
    ),
    transform: Checked.choice(WordForm.allCases.map { ($0.rawValue, $0) })
  )
  var wordForm = WordForm.space

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A label file: words are coloured by its labels.", valueName: "file"),
    transform: Checked.text
  )
  var labels: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Masks of a harbour world: words are coloured by what its patches show.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var masks: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The picture's name in labels or masks (default: the end of its path).",
      valueName: "name"
    ),
    transform: Checked.text
  )
  var key: String?

  @Option(
    name: .customLong("top-k"),
    parsing: .unconditional,
    help: ArgumentHelp("Words of a visual token (default: 5).", valueName: "n"),
    transform: Checked.integer(1...WordRecall.maximumCount)
  )
  var count = 5

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A second model, shown beside the first.", valueName: "model"),
    transform: Checked.text
  )
  var compare: String?

  @Option(
    help: ArgumentHelp("What the first model is called (default: its file).", valueName: "text"),
    transform: Checked.text
  )
  var title: String?

  @Option(
    name: .customLong("compare-title"),
    help: ArgumentHelp("What the second model is called (default: its file).", valueName: "text"),
    transform: Checked.text
  )
  var compareTitle: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Pixels along a patch's side in a PNG, 24 to 256 (default: what suits the grid).",
      valueName: "n"
    ),
    transform: Checked.integer(RecallDrawing.cellRange)
  )
  var cell: Int?

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The file to write: .png, .html or .json.", valueName: "file"),
    transform: Checked.text
  )
  var target: String

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  private var form: Form? {
    Form.allCases.first { target.lowercased().hasSuffix(".\($0.rawValue)") }
  }

  func validate() throws {
    guard form != nil else {
      throw ValidationError("-o needs a name that ends in .png, .html or .json")
    }
    guard labels == nil || masks == nil else {
      throw ValidationError("--labels and --masks contradict each other")
    }
    guard key == nil || labels != nil || masks != nil else {
      throw ValidationError("--key needs --labels or --masks")
    }
    guard compareTitle == nil || compare != nil else {
      throw ValidationError("--compare-title needs --compare")
    }
  }

  func run(_ console: Console) throws {
    for input in [path, image, words, labels, masks, compare].compactMap(\.self)
    where System.isSameFile(input, target) {
      throw CommandError(
        .usage,
        "\(target.printable(limit: 4096)): output and input \(input.printable(limit: 4096)) "
          + "are the same file"
      )
    }
    let execution = Execution(kernels: try compute.kernels(), threads: compute.threadCount)
    let picture = try ImageFile.read(path: image)
    let list = try words.map { try WordList(path: $0) }
    let truth = try readTruth(ImageSize(height: picture.height, width: picture.width))
    var maps: [RecallMap] = []
    var bars: [RGBColor?] = []
    var vocabularies: [JSONValue] = []
    let named = [(path, title)] + (compare.map { [($0, compareTitle)] } ?? [])
    let models = try named.map { try Model(path: $0.0) }
    for (model, title) in zip(models, named.map(\.1)) {
      let found = try recallWords(list, model)
      let start = System.seconds
      maps.append(
        try RecallMap(
          of: picture,
          through: model,
          words: found,
          count: count,
          truth: truth,
          title: title ?? Self.name(model.path),
          on: execution,
          progress: { done, total in
            console.terminal.progress(
              "compare",
              done: done,
              total: total,
              unit: { "\($0) words" },
              since: start
            )
            try Interruption.check()
          }
        )
      )
      console.terminal.clearProgress()
      bars.append(model.description.recipe?.padFill)
      vocabularies.append(Self.json(found))
    }
    let fields: [(key: String, value: JSONValue)] = [
      ("image", .string(image)),
      ("size", [.number(JSONNumber(picture.width)), .number(JSONNumber(picture.height))]),
      ("top_k", .number(JSONNumber(count))), ("words", .array(vocabularies)),
      ("maps", .array(maps.map(\.json))),
    ]
    try write(maps, of: picture, bars: bars, fields)
    if console.isJSON {
      try console.output.object(schema: Self.schema, fields)
    } else {
      for map in maps { try console.output.line(Self.summary(map)) }
    }
  }

  private static let schema = "sea.recall/1"

  // MARK: - Reading

  private func recallWords(_ list: WordList?, _ model: Model) throws -> RecallWords {
    let (language, tokenizer) = (try model.requireLanguage(), try model.requireTokenizer())
    let vocab = language.language.vocab
    guard let list else {
      return try RecallWords(wholeWordsOf: tokenizer, vocab: vocab)
    }
    return try RecallWords(list, tokenizer, form: wordForm, vocab: vocab)
  }

  /// What labels or masks know of the picture.
  private func readTruth(_ size: ImageSize) throws -> PatchTruth? {
    guard let file = labels ?? masks else { return nil }
    let names = key.map { [$0] } ?? Self.endings(of: image)
    let truth =
      try labels.map { try PatchTruth(LabelFile(path: $0), names: names, picture: size) }
      ?? PatchTruth(masks: file, names: names, picture: size)
    guard let truth else {
      throw CommandError(
        .missingInput,
        "\(file.printable(limit: 4096)): knows no picture "
          + "'\((key ?? names.last ?? image).printable())'",
        hints: ["--key gives the name that the picture has there"]
      )
    }
    return truth
  }

  /// The path, then ever shorter ends of it, the last the name alone.
  private static func endings(of path: String) -> [String] {
    let parts = path.split(separator: "/")
    return [path] + parts.indices.map { parts[$0...].joined(separator: "/") }
  }

  // MARK: - Writing

  private func write(
    _ maps: [RecallMap],
    of picture: PixelImage,
    bars: [RGBColor?],
    _ fields: [(key: String, value: JSONValue)]
  ) throws {
    let bytes: [UInt8]
    switch form {
    case .json:
      let object = JSONObject([(key: "schema", value: .string(Self.schema))] + fields)
      bytes = Array((JSONValue.object(object).serialized(pretty: true) + "\n").utf8)
    case .html:
      guard let page = RecallPage(maps, of: picture, bars: bars).html() else {
        throw CommandError(.internalBug, "the picture cannot be encoded")
      }
      bytes = Array(page.utf8)
    case .png, nil:
      let drawing = RecallDrawing(maps, of: picture, bars: bars, cell: cell)
      guard drawing.fits else {
        throw CommandError(
          .usage,
          "a picture of \(drawing.width)×\(drawing.height) pixels is too large for a PNG",
          hints: ["--cell makes the patches smaller"]
        )
      }
      guard let png = drawing.sheet().png(note: "words of visual tokens") else {
        throw CommandError(.internalBug, "the picture cannot be encoded")
      }
      bytes = png
    }
    let file = try AtomicFile(path: target)
    try file.write(bytes)
    try file.commit()
  }

  private static func summary(_ map: RecallMap) -> String {
    let text = "\(map.title.printable()): \(map.rows) × \(map.columns) visual tokens"
    guard let accuracy = map.accuracy(among: 1) else {
      var counts: [String: Int] = [:]
      for word in map.cells.compactMap(\.words.first) { counts[word.text, default: 0] += 1 }
      let top = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(5)
      return text + ": " + top.map { "\($0.key.printable()) \($0.value)" }.joined(separator: ", ")
    }
    return text + ", \(percent(accuracy)) of "
      + "\(map.cells.count - map.count(.unlabelled)) labelled ones recall one of their labels"
  }

  private static func json(_ words: RecallWords) -> JSONValue {
    switch words.origin {
    case .vocabulary: ["source": "vocabulary", "count": .number(JSONNumber(words.count))]
    case .list(let digest):
      [
        "source": "list", "count": .number(JSONNumber(words.count)), "sha256": .string(digest),
      ]
    }
  }

  /// A file's name without folder and ending.
  private static func name(_ path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return name.hasSuffix(".sea") ? String(name.dropLast(4)) : name
  }
}
