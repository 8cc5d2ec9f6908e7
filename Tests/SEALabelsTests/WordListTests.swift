// SPDX-License-Identifier: Apache-2.0
// Word lists and prompt sets, as people write them.

import SEALabels
import SEATensor
import Testing

@Suite struct WordListTests {
  private static func list(_ text: String) throws -> WordList {
    try WordList(ByteView(Array(text.utf8)), path: "words.txt")
  }

  @Test func linesOfEitherKindAreTrimmedAndCountedOnce() throws {
    let list = try Self.list("\u{feff}cat\r\n  dog \n\ncat\nhot dog\n\u{00a0}bird\u{2003}\n🦊")
    #expect((0..<list.count).map { list[$0] } == ["cat", "dog", "hot dog", "bird", "🦊"])
    #expect(list.repetitions == 1)
    #expect(list.digest == (try Self.list("cat\ndog\nhot dog\nbird\n🦊\n")).digest)
    #expect(list.digest != (try Self.list("dog\ncat\nhot dog\nbird\n🦊\n")).digest)
  }

  @Test func canonicallyEqualWordsOfDifferentBytesAreDifferent() throws {
    #expect(try Self.list("caf\u{e9}\ncafe\u{301}\n").count == 2)
  }

  @Test func aListWithoutWordsIsAUsageError() throws {
    for text in ["", "\n", " \r\n\t\n"] {
      let error = #expect(throws: LabelError.self) { try Self.list(text) }
      #expect(error?.category == .usage)
    }
  }

  @Test func badLinesAreNamed() throws {
    let long = String(repeating: "a", count: WordList.wordBytes + 1)
    for (text, line) in [("cat\nd\0g\n", 2), ("a\n\nb\u{7}c", 3), ("x\n\(long)\n", 2)] {
      let error = #expect(throws: LabelError.self) { try Self.list(text) }
      #expect(error?.category == .badData)
      #expect(error?.description.hasPrefix("words.txt: line \(line): ") == true)
    }
    let bytes = ByteView(Array("cat\n".utf8) + [0xff, 0xfe, 0x0a])
    let error = #expect(throws: LabelError.self) { try WordList(bytes, path: "words.txt") }
    #expect(error?.description == "words.txt: line 2: not valid UTF-8")
  }

  @Test func aMillionWordsAreRead() throws {
    let text = (0..<1_000_000).map { "w\($0)\n" }.joined()
    let list = try Self.list(text)
    #expect(list.count == 1_000_000)
    #expect(list[999_999] == "w999999")
    #expect(list.pool.find("w123456".utf8) == 123_456)
    #expect(list.pool.find("w1000000".utf8) == nil)
  }

  @Test func namedPromptSetsHaveTheirSentences() throws {
    #expect(try PromptSet("bare").texts(of: "red fox") == ["red fox"])
    #expect(try PromptSet("photo").texts(of: "fox") == ["a photo of a fox."])
    let many = try PromptSet("surgery85").texts(of: "fox")
    #expect(many.count == 85 && Set(many).count == 85)
    #expect(many.allSatisfy { $0.contains("fox") && !$0.contains("{}") })
  }

  @Test func promptFilesNeedOneGapALine() throws {
    let folder = try Folder()
    let good = try folder.write("good.txt", "a {} here\r\n\n{}\n")
    #expect(try PromptSet(good).texts(of: "x") == ["a x here", "x"])
    for text in ["no gap\n", "{} and {}\n", "", "\n\n"] {
      let path = try folder.write("bad.txt", text)
      #expect(throws: LabelError.self) { try PromptSet(path) }
    }
    let error = #expect(throws: LabelError.self) { try PromptSet(folder / "absent") }
    #expect(error?.category == .usage)
  }
}
