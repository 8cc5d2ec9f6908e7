// SPDX-License-Identifier: Apache-2.0
// Alignment accuracy, distribution gap and caption scores against numbers made by hand.

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

@Suite struct AlignmentTests {
  private let folder: TemporaryFolder
  private let execution: Execution

  init() throws {
    folder = try TemporaryFolder()
    execution = Execution(kernels: try Kernels(.best), threads: 2)
  }

  private static let list = ["sky", "boat", "light house", "water", "tree"]

  private func words(_ known: KnownModel, _ model: Model) throws -> RecallWords {
    let path = try folder.write(Self.list.joined(separator: "\n") + "\n", to: "words.txt")
    return try RecallWords(
      WordList(path: path),
      known.opened(),
      vocab: model.requireLanguage().language.vocab
    )
  }

  private static func length(_ values: [Float]) -> Double {
    values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  @Test(arguments: [1.0, 5.656854]) func distancesAreThoseOfAPlainSearch(scale: Double) throws {
    var known = try KnownModel()
    // A scale on looked-up rows is no part of the table's space.
    known.model.language?.embeddingScale = scale
    let model = try known.open(in: folder)
    let table = try model.requireLanguage().table
    let measures = TokenMeasures(try words(known, model), in: table, on: execution)
    var random = SeededRandom(seed: 3)
    // One token is a word's mean, one is that moved by 0.25 in one direction, others are anywhere.
    var rows = [try known.mean(of: "light house"), try known.mean(of: "boat")]
    rows[1][7] += 0.25
    for _ in 0..<30 { rows.append(random.floats(KnownModel.hidden, upTo: 2)) }
    let tokens = try MatrixView<Float>(rows.flatMap(\.self), columns: KnownModel.hidden)
    let found = try measures.distances(tokens)
    #expect(found[0] < 1e-6 && abs(found[1] - 0.25) < 1e-6)
    let means = try Self.list.map { try known.mean(of: $0) }
    for (row, distance) in zip(rows, found) {
      let plain = means.map { mean in Self.length(zip(row, mean).map { $0 - $1 }) }
      #expect(abs(distance - (plain.min() ?? -1)) < 1e-5)
    }
    let norm = means.reduce(0) { $0 + Self.length($1) } / Double(means.count)
    #expect(abs(try measures.meanWordNorm() - norm) < 1e-5)
  }

  @Test func captionScoreIsTheMeanOfTheLargestCosines() throws {
    let known = try KnownModel()
    let model = try known.open(in: folder)
    let table = try model.requireLanguage().table
    let measures = TokenMeasures(try words(known, model), in: table, on: execution)
    let caption: [Int32] = [300, 301]
    // Tokens along the caption's first row, and one against it.
    let row = known.table[300]
    let tokens = try MatrixView<Float>(
      row.map { 3 * $0 } + row.map { -$0 } + known.table[301],
      columns: KnownModel.hidden
    )
    let dot = zip(known.table[300], known.table[301]).reduce(0) { $0 + Double($1.0 * $1.1) }
    let cosine = dot / Self.length(known.table[300]) / Self.length(known.table[301])
    let against = max(-1, -cosine)
    func score(_ count: Int) throws -> Double {
      try #require(try measures.captionScore(tokens, caption: caption, count: count))
    }
    #expect(abs(try score(2) - 1) < 1e-6)
    #expect(abs(try score(3) - (2 + against) / 3) < 1e-6)
    // There are no more than three.
    #expect(try score(10) == score(3))
    #expect(try measures.captionScore(tokens, caption: [], count: 10) == nil)
  }

  @Test func reportCountsWhatIsKnown() throws {
    func cell(_ words: [String], _ truth: [String]?) -> RecallMap.Cell {
      RecallMap.Cell(token: 0, words: words.map { .init($0, 0.5) }, truth: truth)
    }
    var report = AlignmentReport()
    report.wordNorm = 2
    report.add(
      RecallMap(
        title: "",
        rows: 2,
        columns: 2,
        cells: [
          cell(["Boat", "sky"], ["red boat", "boat"]), cell(["sky", "boat"], ["boat"]),
          cell(["tree", "sky"], ["boat"]), cell(["tree", "sky"], nil),
        ]
      ),
      distances: [1, 2, 3, 4],
      meanNorm: 5,
      captionScore: 0.5
    )
    report.add(
      RecallMap(title: "", rows: 1, columns: 1, cells: [cell(["sky"], ["sky"])]),
      distances: [0],
      meanNorm: 10,
      captionScore: nil
    )
    #expect(report.pictures == 2 && report.tokens == 5 && report.known == 4)
    #expect(report.accuracy == 0.5 && report.wideAccuracy == 0.75)
    #expect(report.distance == 2 && report.tokenNorm == 6 && report.captionScore == 0.5)
    let fields = JSONValue.object(JSONObject(report.fields))
    #expect(fields["known_tokens"]?.int == 4 && fields["tacs"]?.double == 0.5)
    #expect(fields["word_norm"]?.double == 2)
  }

  @Test func modelWhoseTokensAreKnownWordsIsMeasured() throws {
    var known = try KnownModel()
    for index in known.rows.indices {
      known.rows[index] = try known.mean(of: Self.list[index % Self.list.count])
    }
    let model = try known.open(in: folder)
    // Patch i shows what its token says, but for the last one; of the first nothing is known.
    let patches = (0..<16).map { index in
      index == 0 ? "[]" : "[\(index == 15 ? 1 : index % Self.list.count)]"
    }
    let masks = try folder.write(
      """
      {"image":"a.png","grid":4,"phrases":["sky","boat","light house","water","tree"],\
      "patches":[\(patches.joined(separator: ","))]}

      """,
      to: "masks.jsonl"
    )
    let image = PixelImage(
      width: 56,
      height: 56,
      pixels: [UInt8](repeating: 128, count: 56 * 56 * 3)
    )
    let size = ImageSize(height: 56, width: 56)
    var report = AlignmentReport()
    let words = try words(known, model)
    let caption = try known.opened().encode(word: "boat", form: .space)
    try report.add(
      AlignmentReport.Picture(
        image,
        truth: try PatchTruth(masks: masks, names: ["a.png"], picture: size),
        caption: caption
      ),
      through: model,
      words: words,
      on: execution
    )
    #expect(report.tokens == 16 && report.known == 15)
    #expect(abs((report.accuracy ?? 0) - 14.0 / 15) < 1e-12)
    #expect(report.wideAccuracy == 1)
    #expect((report.distance ?? 1) < 1e-4)
    #expect((report.captionScore ?? 0) > 0 && (report.captionScore ?? 2) <= 1 + 1e-6)
  }
}
