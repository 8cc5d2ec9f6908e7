// SPDX-License-Identifier: Apache-2.0
// `sea recall` by the built command: pictures, pages and JSON, coloured by labels and masks.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct RecallTests {
  private let folder: Folder
  private let model = Fixtures.repository + "/Models/demo.sea"
  private let picture = Fixtures.repository + "/Models/images/harbour.png"
  private let words: String

  init() throws {
    folder = try Folder()
    words = try folder.write("words.txt", "boat\nsail\nsea\nsky\nsun\nred\nquay\nwater\n")
  }

  private func recall(_ output: String, _ more: String...) throws -> Outcome {
    try Command(
      arguments: ["recall", model, "--image", picture, "-o", folder / output] + more
    ).run()
  }

  /// Columns and rows that a PNG says it has.
  private func size(_ name: String) throws -> (Int, Int) {
    let bytes = try contents(folder / name)
    try #require(bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) && bytes.count > 24)
    func number(_ start: Int) -> Int { bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
    return (number(16), number(20))
  }

  @Test func allThreeFormsSayTheSame() throws {
    let outcome = try recall("a.json", "--words", words, "--json", "--threads", "1")
    #expect(outcome.status == 0, "\(outcome)")
    let printed = try JSONScanner.parse(outcome.output)
    #expect(printed["schema"]?.string == "sea.recall/1")
    #expect(try JSONScanner.parse(contents(folder / "a.json")) == printed)
    let map = try #require(printed["maps"]?.array?.first)
    let grid = try #require(map["grid"]?.array).compactMap(\.int)
    let cells = try #require(map["cells"]?.array)
    #expect(cells.count == grid[0] * grid[1])
    #expect(cells.allSatisfy { $0["words"]?.array?.count == 5 })
    let first = try #require(cells[0]["words"]?.array?[0]["word"]?.string)

    let again = try recall("b.json", "--words", words, "--threads", "3")
    #expect(again.status == 0 && again.text.hasPrefix("demo: \(grid[0]) × \(grid[1])"), "\(again)")
    #expect(try contents(folder / "b.json") == contents(folder / "a.json"))

    #expect(try recall("a.html", "--words", words).status == 0)
    let page = String(decoding: try contents(folder / "a.html"), as: UTF8.self)
    #expect(page.contains(">\(first)</em>"))
    #expect(page.components(separatedBy: "<aside>").count == cells.count + 1)

    #expect(try recall("a.png", "--words", words, "--cell", "40").status == 0)
    let (width, height) = try size("a.png")
    #expect(width > grid[1] * 40 && width < grid[1] * 40 + 120)
    #expect(height > grid[0] * 40)
  }

  @Test func twoModelsStandSideBySide() throws {
    let outcome = try recall(
      "pair.png",
      "--compare",
      model,
      "--title",
      "one",
      "--compare-title",
      "other",
      "--cell",
      "32",
      "--json"
    )
    #expect(outcome.status == 0, "\(outcome)")
    let maps = try #require(try JSONScanner.parse(outcome.output)["maps"]?.array)
    #expect(maps.map { $0["title"]?.string } == ["one", "other"])
    #expect(maps[0]["cells"] == maps[1]["cells"])
    let columns = try #require(maps[0]["grid"]?.array?.last?.int)
    #expect(try size("pair.png").0 > 2 * columns * 32)
  }

  @Test func labelsAndMasksColourTheWords() throws {
    let world = folder / "w"
    let drawn = try Command(
      arguments: ["world", "--count", "2", "--seed", "3", "-o", world, "--masks"]
    ).run()
    #expect(drawn.status == 0, "\(drawn)")
    let images = try FileManager.default.contentsOfDirectory(atPath: "\(world)/images")
    let image = try #require(images.min())
    func colour(_ output: String, _ more: String...) throws -> Outcome {
      try Command(
        arguments: [
          "recall", model, "--image", "\(world)/images/\(image)", "--words", words, "-o",
          folder / output,
        ] + more
      ).run()
    }
    let masked = try colour("m.json", "--masks", "\(world)/masks.jsonl", "--json")
    #expect(masked.status == 0, "\(masked)")
    let accuracy = try #require(
      try JSONScanner.parse(masked.output)["maps"]?.array?.first?["accuracy"]
    )
    let counts = ["correct", "incorrect", "unlabelled"].compactMap { accuracy[$0]?.int }
    let cells = try JSONScanner.parse(masked.output)["maps"]?.array?.first?["cells"]?.array
    #expect(counts.count == 3 && counts.reduce(0, +) == cells?.count)

    let data = try folder.write(
      "data.json",
      #"[{"id":"i","image":"\#(image)","conversations":[{"from":"human","value":"<image>"},"#
        + #"{"from":"gpt","value":"a boat"}]}]"#
    )
    try seaSucceeds(
      "label",
      "--encoder",
      Fixtures.path("SEARuntimeTests", "clip-tiny"),
      "--words",
      words,
      "--data",
      data,
      "--images",
      "\(world)/images",
      "--cache",
      folder / "cache",
      "-o",
      folder / "a.labels"
    )
    let labelled = try colour("l.png", "--labels", folder / "a.labels", "--cell", "32")
    #expect(labelled.status == 0 && labelled.text.contains("labelled ones recall"), "\(labelled)")
    let named = try colour("k.json", "--labels", folder / "a.labels", "--key", "i")
    #expect(named.status == 0 && named.text == labelled.text, "\(named)")
    expectRefusal(try colour("x.png", "--labels", folder / "a.labels", "--key", "j"), 66, "'j'")
    expectRefusal(try colour("x.png", "--masks", words), 66, "knows no picture")
  }

  @Test func wrongInputsAreRefused() throws {
    expectRefusal(try recall("a.gif"), 64, ".png, .html or .json")
    expectRefusal(try recall("a.png", "--labels", "x", "--masks", "y"), 64, "--labels and --masks")
    expectRefusal(try recall("a.png", "--key", "x"), 64, "--key")
    expectRefusal(try recall("a.png", "--top-k", "0"), 64)
    expectRefusal(try recall("a.png", "--words", folder / "absent"), 66, "no such file")
    expectRefusal(try recall("a.png", "--compare", words), 65)
    let language = try Command(
      arguments: ["recall", Models.llama, "--image", picture, "-o", folder / "a.png"]
    ).run()
    #expect(language.status == 65 || language.status == 69, "\(language)")
    #expect(language.errors.contains("vision encoder"), "\(language)")
    let copy = try folder.write("p.png", contents(picture))
    expectRefusal(
      try Command(arguments: ["recall", model, "--image", copy, "-o", copy]).run(),
      64,
      "same file"
    )
    #expect(try folder.names == ["p.png", "words.txt"])
  }
}
