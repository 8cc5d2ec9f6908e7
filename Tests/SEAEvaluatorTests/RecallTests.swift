// SPDX-License-Identifier: Apache-2.0
// Words of visual tokens: a model whose answer is known, and the search against a plain one.

import Foundation
import SEAEvaluator
import SEAFormat
import SEAImage
import SEALabels
import SEAModel
import SEARuntime
import SEATensor
import SEAText
import TestSupport
import Testing

import struct SEAWorld.WorldOptions
import struct SEAWorld.WorldWriter

@Suite struct RecallTests {
  private let folder: TemporaryFolder
  private let execution: Execution

  init() throws {
    folder = try TemporaryFolder()
    execution = Execution(kernels: try Kernels(.best), threads: 2)
  }

  static let words = [
    "harbour", "sky", "boat", "light house", "water", "tree", "dog", "cat", "river", "stone",
    "house", "green", "window", "cloud", "bread", "night",
  ]

  private func list(_ words: [String]) throws -> WordList {
    try WordList(path: folder.write(words.joined(separator: "\n") + "\n", to: "words.txt"))
  }

  private func map(
    _ known: KnownModel,
    _ image: PixelImage,
    count: Int = 3,
    truth: PatchTruth? = nil
  ) throws -> RecallMap {
    let model = try known.open(in: folder)
    let vocab = try model.requireLanguage().language.vocab
    return try RecallMap(
      of: image,
      through: model,
      words: RecallWords(list(Self.words), known.opened(), vocab: vocab),
      count: count,
      truth: truth,
      title: "known",
      on: execution
    )
  }

  private static func image(_ width: Int, _ height: Int) -> PixelImage {
    PixelImage(
      width: width,
      height: height,
      pixels: (0..<width * height * 3).map { UInt8($0 % 251) }
    )
  }

  private func knownModel() throws -> KnownModel {
    var known = try KnownModel()
    for (index, word) in Self.words.enumerated() {
      // The length of a token says nothing.
      known.rows[index] = try known.mean(of: word).map { $0 * Float(index + 1) }
    }
    return known
  }

  // MARK: - The answer is known

  @Test func adapterThatMapsToRowsRecallsTheirWords() throws {
    let map = try map(knownModel(), Self.image(56, 56))
    #expect(map.rows == 4 && map.columns == 4)
    #expect(map.cells.map { $0.words.first?.text ?? "" } == Self.words)
    #expect(map.cells.map(\.token) == Array(0..<16))
    for cell in map.cells {
      #expect(cell.words.count == 3)
      #expect(abs((cell.words.first?.cosine ?? 0) - 1) < 1e-5)
      #expect(zip(cell.words, cell.words.dropFirst()).allSatisfy { $0.cosine >= $1.cosine })
      #expect(cell.verdict == .unlabelled)
    }
  }

  @Test(arguments: [true, false]) func classTokenIsNoPatch(dropsFirst: Bool) throws {
    var known = try knownModel()
    known.model.encoder?.hasClassToken = true
    known.model.encoder?.selection.dropsFirst = dropsFirst
    let map = try map(known, Self.image(56, 56))
    #expect(map.cells.map { $0.words.first?.text ?? "" } == Self.words)
    #expect(map.cells.first?.token == (dropsFirst ? 0 : 1))
  }

  @Test func patchThatWasCutAwayHasNoWord() throws {
    var known = try knownModel()
    known.model.encoder?.selection.dropsFirst = true
    let map = try map(known, Self.image(56, 56))
    #expect(map.cells[0].token == nil && map.cells[0].words.isEmpty)
    #expect(map.cells.dropFirst().map { $0.words.first?.text ?? "" } == Array(Self.words[1...]))
  }

  @Test func severalScalesKeepTheirPlaces() throws {
    var known = try knownModel()
    known.model.encoder?.scales = [56, 112]
    known.model.adapter?.widths = [40, KnownModel.hidden]
    known.model.recipe = .siglip(side: 112)
    let map = try map(known, Self.image(112, 112))
    #expect(map.cells.map { $0.words.first?.text ?? "" } == Self.words)
  }

  @Test func cutGridsAndEndsOfLinesAreLeftOut() throws {
    var known = try knownModel()
    known.model.adapter?.grid = 4
    known.model.adapter?.hasNewline = true
    known.model.adapter?.cutsPadding = true
    known.model.recipe = .clipPad(side: 56)
    // Twice as wide as high: the first and the last line are bars.
    let map = try map(known, Self.image(80, 40))
    #expect(map.rows == 2 && map.columns == 4)
    #expect(map.cells.map(\.token) == [0, 1, 2, 3, 5, 6, 7, 8])
    #expect(map.cells.map { $0.words.first?.text ?? "" } == Array(Self.words[4..<12]))
    let places = try #require(map.places)
    let (first, last) = (places.middle(0), places.middle(7))
    #expect(abs(first.x - 10) < 1e-9 && abs(first.y - 10) < 1e-9, "\(first)")
    #expect(abs(last.x - 70) < 1e-9 && abs(last.y - 30) < 1e-9, "\(last)")
  }

  @Test func tokensWithoutDirectionHaveNoWord() throws {
    var known = try knownModel()
    known.rows[3] = known.rows[3].map { _ in 0 }
    let map = try map(known, Self.image(56, 56))
    #expect(map.cells[3].words.isEmpty)
    #expect(map.cells[4].words.first?.text == Self.words[4])
  }

  // MARK: - The search

  @Test(arguments: [1, 2, 3]) func searchFindsWhatAPlainOneFinds(threads: Int) throws {
    let known = try KnownModel()
    let model = try known.open(in: folder)
    let tokenizer = try known.opened()
    let texts = (0..<1500).map { "\(["red", "old", "far", "sea"][$0 % 4]) \($0)" }
    let words = try RecallWords(list(texts), tokenizer, vocab: known.table.count)
    var random = SeededRandom(seed: 5)
    let tokens = try MatrixView(random.floats(7 * KnownModel.hidden), columns: KnownModel.hidden)
    let found = try WordRecall(
      words,
      in: model.requireLanguage().table,
      count: 9,
      on: Execution(kernels: Kernels(.best), threads: threads)
    ).find(tokens)

    func unit(_ values: [Double]) -> [Double] {
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return values.map { $0 / length }
    }
    let rows = texts.map { text in
      let ids = tokenizer.encode(word: text, form: .space)
      return unit(
        (0..<KnownModel.hidden).map { column in
          ids.reduce(0.0) { $0 + Double(known.table[Int($1)][column]) }
        }
      )
    }
    for token in 0..<tokens.rows {
      let direction = unit(tokens.rows(token..<token + 1).array().map { Double($0) })
      let cosines = rows.map { row in zip(row, direction).reduce(0.0) { $0 + $1.0 * $1.1 } }
      let best = cosines.indices.sorted { cosines[$0] > cosines[$1] }.prefix(9)
      #expect(found.matches[token].count == 9)
      for (match, index) in zip(found.matches[token], best) {
        // Words closer than rounding may change places.
        #expect(match.word == index || abs(cosines[match.word] - cosines[index]) < 1e-6)
        #expect(abs(Double(match.cosine) - cosines[match.word]) < 1e-5)
      }
    }
  }

  @Test func equalWordsComeInTheirOrderAndFewWordsAreEnough() throws {
    let known = try knownModel()
    let model = try known.open(in: folder)
    // The same tokens under two names: blanks at the end are trimmed only by the list.
    let words = try RecallWords(
      list(["boat", "sky"]),
      known.opened(),
      vocab: known.table.count
    )
    let tokens = try MatrixView<Float>(known.mean(of: "sky"), columns: KnownModel.hidden)
    let found = try WordRecall(
      words,
      in: model.requireLanguage().table,
      count: 50,
      on: execution
    ).find(tokens)
    #expect(found.matches[0].map(\.word) == [1, 0])
  }

  @Test func wholeWordsOfAVocabularyAreTokensOfTheirOwn() throws {
    let known = try KnownModel()
    let tokenizer = try known.opened()
    let words = tokenizer.wholeWords(below: known.table.count)
    #expect(words.count > 20, "\(words.count)")
    for word in words {
      #expect(tokenizer.encode(word: word.text, form: .space) == [word.id])
      #expect(word.text.allSatisfy { $0.isLetter || $0 == "-" || $0 == "'" })
    }
    #expect(tokenizer.wholeWords(below: 10).isEmpty)
    let all = try RecallWords(wholeWordsOf: tokenizer, vocab: known.table.count)
    #expect(all.origin == .vocabulary && all.count <= words.count)
  }

  // MARK: - What is right

  @Test func masksOfAWorldSayWhatIsRight() throws {
    let world = folder.file("world")
    let options = WorldOptions(count: 3, seed: 4, writesMasks: true)
    _ = try WorldWriter(options, to: world).write(resumes: false, pool: WorkerPool(threads: 1))
    let masks = world + "/masks.jsonl"
    let line = try #require(
      String(contentsOfFile: masks, encoding: .utf8).split(separator: "\n").last
    )
    let json = try JSONScanner.parse(Array(line.utf8))
    let name = try #require(json["image"]?.string)
    let grid = try #require(json["grid"]?.int)
    let phrases = try #require(json["phrases"]?.array).compactMap(\.string)
    let patches = try #require(json["patches"]?.array)
    let size = ImageSize(height: grid * 14, width: grid * 14)
    let truth = try #require(
      try PatchTruth(masks: masks, names: ["nowhere", name], picture: size)
    )
    for patch in 0..<grid * grid {
      let words = try #require(
        truth.words(x: Double(patch % grid * 14 + 7), y: Double(patch / grid * 14 + 7))
      )
      for index in (patches[patch].array ?? []).compactMap(\.int) {
        #expect(words.contains(phrases[index].lowercased()))
        #expect(phrases[index].split(separator: " ").allSatisfy { words.contains(String($0)) })
      }
    }
    #expect(truth.words(x: -1, y: 5) == nil)
    #expect(truth.words(x: 5, y: Double(grid * 14)) == nil)
    #expect(try PatchTruth(masks: masks, names: ["absent.png"], picture: size) == nil)
  }

  @Test func verdictsFollowTheFirstWord() throws {
    let masks = try folder.write(
      #"{"image":"a.png","grid":2,"phrases":["red Boat","sky"],"patches":[[1],[0,1],[],[0]]}"#
        + "\n",
      to: "masks.jsonl"
    )
    let size = ImageSize(height: 56, width: 56)
    let truth = try PatchTruth(masks: masks, names: ["a.png"], picture: size)
    // Words 0 … 15 by cell; cells of the upper left know "sky", of the upper right "boat" and so on.
    let map = try map(knownModel(), Self.image(56, 56), truth: truth)
    #expect(map.cells[1].verdict == .correct)  // "sky" where the sky is
    #expect(map.cells[2].verdict == .correct)  // "boat" where a red boat is
    #expect(map.cells[0].verdict == .incorrect)
    #expect(map.cells[8].verdict == .unlabelled)
    #expect(map.count(.correct) == 2 && map.count(.unlabelled) == 4)
    #expect(map.accuracy(among: 1) == 2.0 / 12)
    let json = map.json
    #expect(json["accuracy"]?["correct"]?.int == 2)
    #expect(json["cells"]?.array?.count == 16)
    #expect(json["cells"]?.array?[1]["verdict"]?.string == "correct")
  }

  @Test(arguments: [
    #"{"image":"a.png","grid":0,"phrases":[],"patches":[]}"#,
    #"{"image":"a.png","grid":2,"phrases":["x"],"patches":[[0],[0],[0]]}"#,
    #"{"image":"a.png","grid":1,"phrases":["x"],"patches":[[1]]}"#, #"{"image":"a.png","#,
  ]) func wrongMasksAreRefusedByLine(text: String) throws {
    let masks = try folder.write("{}\n" + text + "\n", to: "masks.jsonl")
    let size = ImageSize(height: 14, width: 14)
    let error = #expect(throws: EvaluatorError.self) {
      _ = try PatchTruth(masks: masks, names: ["a.png"], picture: size)
    }
    #expect(error?.description.contains("line 2") == true, "\(String(describing: error))")
  }
}
