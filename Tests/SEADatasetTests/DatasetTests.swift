// SPDX-License-Identifier: Apache-2.0
// Dataset files: both forms are read alike, and every way a record can be wrong is told with its line.

import SEADataset
import Testing

@Suite struct DatasetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func readsArraysAndLinesAlike() throws {
    let records = [
      record("a", image: "x.png", [("human", "<image>\\nWhat?"), ("gpt", "A cat.")]),
      record("b"),
    ]
    let array = try folder.write("[\n  \(records[0]),\n  \(records[1])\n]\n", to: "a.json")
    let lines = try folder.write(records.joined(separator: "\r\n") + "\r\n\r\n", to: "a.jsonl")
    for path in [array, lines] {
      let dataset = try Dataset(path: path)
      #expect(dataset.count == 2 && dataset.faults.isEmpty)
      let first = try dataset.sample(0)
      #expect(first.id == "a" && first.image == "x.png")
      #expect(first.rounds == [.init(question: "What?", hasImage: true, answer: "A cat.")])
      #expect(dataset.entries[0].hasImage && !dataset.entries[1].hasImage)
      #expect(dataset.entries[0].words == 3)
      #expect(try dataset.sample(1).image == nil)
    }
    let lineOf = try [array, lines].map { try Dataset(path: $0).entries.map(\.line) }
    #expect(lineOf == [[2, 3], [1, 2]])
  }

  @Test(arguments: ["", "None", "none", "nan"])
  func takesCambriansNamesForNoPicture(name: String) throws {
    let dataset = try Dataset(path: folder.write(record("a", image: name), to: "c.jsonl"))
    #expect(try dataset.sample(0).image == nil)
    #expect(!dataset.entries[0].hasImage)
  }

  @Test(arguments: [
    ("{\"id\": 1}", "no 'conversations'"),
    ("[]", "a record is an array"),
    (record("a", []), "the conversation is empty"),
    (record("a", [("human", "Hi")]), "has no answer"),
    (record("a", [("human", "Hi"), ("human", "Hi"), ("gpt", "x")]), "expected gpt"),
    (record("a", [("narrator", "Hi"), ("gpt", "x")]), "from 'narrator'"),
    (record("a", [("human", "Hi"), ("gpt", " \\n")]), "answer 1 is empty"),
    (record("a", [("human", "<image>"), ("gpt", "x")]), "marks and no picture"),
    (record("a", image: "p", [("human", "<image><image>"), ("gpt", "x")]), "2 <image> marks"),
    (record("a", image: "p", [("human", "Hi"), ("gpt", "<image>")]), "an answer contains"),
    ("{\"id\": \"a\", \"image\": [\"p\"], \"conversations\": []}", "lists 1 pictures"),
    ("{\"id\": \"a\", \"id\": \"b\"}", "appears twice"),
    ("{\"id\": \"a\", \"conversations\": 3}", "'conversations' is a number"),
    ("{\"id\": \"a\"", "expected"),
  ])
  func namesTheLineOfEachBadRecord(bad: String, reason: String) throws {
    let path = try folder.write("\(record("x"))\n\(bad)\n\(record("y"))\n", to: "bad.jsonl")
    let dataset = try Dataset(path: path)
    #expect(dataset.count == 2)
    #expect(dataset.faultCount == 1)
    let fault = try #require(dataset.faults.first)
    #expect(fault.line == 2)
    #expect(fault.problem.contains(reason), "\(fault.problem)")
    #expect(throws: DatasetError.self) { try dataset.refuseFaults(above: 0) }
    try dataset.refuseFaults(above: 1)
  }

  @Test func goesOnAfterABadRecordOfAnArray() throws {
    let path = try folder.write("[\n\(record("a")),\n{\"id\": tru},\n\(record("b"))]", to: "a.json")
    let dataset = try Dataset(path: path)
    #expect(dataset.count == 2)
    #expect(dataset.faults.map(\.line) == [3])
  }

  @Test(arguments: [
    ("[\(record("a"))", "does not end"),
    ("[\(record("a")) \(record("b"))]", "expected ','"),
    ("[\(record("a"))] x", "something follows"),
    ("[\(record("a")),{\"id\": \"", "does not end"),
    ("[\(record("a")),]", "expected a record"),
  ])
  func toldWhereAnArrayBreaks(text: String, reason: String) throws {
    let dataset = try Dataset(path: folder.write(text, to: "broken.json"))
    #expect(dataset.count >= 1)
    #expect(dataset.faults.contains { $0.problem.contains(reason) }, "\(dataset.faults)")
  }

  @Test(arguments: ["", "{\n\"a\": 1\n}", "hello", "[]", "3"])
  func refusesFilesThatAreNoDataset(text: String) throws {
    let path = try folder.write(text, to: "none.json")
    #expect(throws: DatasetError.self) { try Dataset(path: path) }
  }

  @Test func listsRecordsThatAreAllBad() throws {
    let path = try folder.write("{\"id\": 1}\n{\"id\": 2}\n", to: "all.jsonl")
    let dataset = try Dataset(path: path)
    #expect(dataset.faults.map(\.line) == [1, 2] && dataset.count == 0)
    #expect(throws: DatasetError.self) { try dataset.refuseFaults(above: 9) }
  }

  @Test func remarksDoNotCostARecord() throws {
    let text =
      "\u{feff}" + record("a", [("gpt", "x"), ("human", "q"), ("gpt", "y"), ("human", "z")])
      + "\n" + record("a", image: "p.png") + "\n"
    let dataset = try Dataset(path: folder.write(text, to: "odd.jsonl"))
    #expect(dataset.count == 2 && dataset.faultCount == 0)
    #expect(!dataset.faults.contains { !$0.isRemark })
    #expect(dataset.faults.map(\.line) == [1, 1, 1, 2, 2])
    #expect(try dataset.sample(0).rounds.map(\.answer) == ["y"])
    #expect(try dataset.sample(1).rounds[0].hasImage)
  }

  @Test func readsASystemTurn() throws {
    let turns = [("system", "Be brief."), ("human", "q"), ("gpt", "y")]
    let dataset = try Dataset(path: folder.write(record("a", turns), to: "s.jsonl"))
    #expect(try dataset.sample(0).system == "Be brief.")
  }

  @Test func findsOneBadLineAmongMany() throws {
    var lines = (0..<20_000).map { record("r\($0)") }
    lines[12_345] = "{\"id\": \"r12345\", \"conversations\": [}"
    let dataset = try Dataset(path: folder.write(lines.joined(separator: "\n"), to: "many.jsonl"))
    #expect(dataset.count == 19_999)
    #expect(dataset.faults.map(\.line) == [12_346])
  }
}
