// SPDX-License-Identifier: Apache-2.0
// `sea train tokenizer`: merges and pieces that can be told by hand, and ids that others agree with.

import Foundation
import SEACheckpoint
import SEAText
import SEATrainer
import TestSupport
import Testing

@Suite struct TokenizerTrainingTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The text that the expected ids were made from.
  private static let text: String = {
    let colors = ["red", "blue", "green", "white", "yellow"]
    let things = ["boat", "buoy", "gull", "crane"]
    let lines = (0..<60).map { index in
      "The \(colors[index % 5]) \(things[index % 4]) number \(index * 7) is at the old pier, isn't it? "
        + "Ein schöner Tag, naïve café; \(things[(index + 1) % 4])s and \(colors[(index + 2) % 5]) "
        + "\(things[(index + 2) % 4])s."
    }
    return lines.joined(separator: "\n") + "\n"
  }()

  private func file(_ text: String, _ name: String = "text.txt") throws -> TextFile {
    let path = folder.path + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return try TextFile(path: path)
  }

  private func learn(
    _ text: String,
    _ recipe: TokenizerRecipe,
    name: String = "text.txt",
    template: String? = nil
  ) throws -> TokenizerTraining.Result {
    try TokenizerTraining(
      recipe,
      files: [try file(text, name)],
      template: try template.map { try Template.named($0) }
    ).run()
  }

  private func recipe(
    _ kind: TokenizerKind,
    _ vocab: Int,
    _ family: TokenizerFamily = .llama
  ) -> TokenizerRecipe {
    var recipe = TokenizerRecipe(vocab: vocab)
    recipe.kind = kind
    recipe.family = family
    return recipe
  }

  private func ids(_ tokenizer: Tokenizer, _ text: String) -> [Int32] {
    tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
  }

  private func pieces(_ tokenizer: Tokenizer, _ text: String) -> [String] {
    ids(tokenizer, text).map { String(decoding: tokenizer.piece($0) ?? [], as: UTF8.self) }
  }

  // MARK: - Learning

  @Test func theMostFrequentPairIsJoinedFirstAndTiesGoToEarlierPieces() throws {
    // l+o occurs 6 times; then lo+w 6; then among pairs of 3 the earliest pieces.
    var trainer = BytePairTrainer(
      pieces: ["e", "l", "o", "r", "s", "t", "w"].map { Array($0.utf8) },
      longest: 16
    )
    trainer.add([1, 2, 6], count: 1)
    trainer.add([1, 2, 6, 0, 3], count: 3)
    trainer.add([1, 2, 6, 0, 4, 5], count: 2)
    try trainer.train(to: 12)
    let texts = trainer.pieces.map { String(decoding: $0, as: UTF8.self) }
    #expect(Array(texts[7...]) == ["lo", "low", "lowe", "lower", "st"])
    #expect(trainer.merges.first.map { [$0.left, $0.right, $0.made] } == [1, 2, 7])
  }

  @Test func repeatedCharactersAreJoinedFromTheLeft() throws {
    var trainer = BytePairTrainer(pieces: [Array("a".utf8), Array("b".utf8)], longest: 16)
    trainer.add([0, 0, 0, 0, 0], count: 2)
    trainer.add([0, 0, 1], count: 2)
    try trainer.train(to: 5)
    let texts = trainer.pieces.map { String(decoding: $0, as: UTF8.self) }
    // aa: 4 + 1 a word; then "aa aa a" has two pairs and "aa b" one, each twice.
    #expect(Array(texts[2...]) == ["aa", "aaa", "aab"])
    #expect(trainer.merges.allSatisfy { $0.made >= 2 })
  }

  @Test func aUnigramModelKeepsTheWordsThatAreUsed() throws {
    let text = String(repeating: "the boat and the crane and the boat\n", count: 50)
    let result = try learn(text, recipe(.unigram, 259 + 30))
    #expect(
      pieces(result.tokenizer, "the boat and the crane") == [
        "▁the", "▁boat", "▁and", "▁the", "▁crane",
      ]
    )
  }

  @Test(arguments: TokenizerKind.allCases) func theSameTextGivesTheSameFiles(
    kind: TokenizerKind
  ) throws {
    let first = try learn(Self.text, recipe(kind, 700))
    let second = try learn(Self.text, recipe(kind, 700))
    #expect(first.files.json.map(\.name) == second.files.json.map(\.name))
    #expect(first.files.json.map(\.value) == second.files.json.map(\.value))
    #expect(first.vocab <= 700 && first.bytesPerToken > 2)
  }

  @Test(arguments: TokenizerKind.allCases) func everyDigitIsAToken(kind: TokenizerKind) throws {
    let tokenizer = try learn(Self.text, recipe(kind, 700)).tokenizer
    let found = pieces(tokenizer, "2024").filter { $0 != "▁" }
    #expect(found.map { $0.replacingOccurrences(of: "</w>", with: "") } == ["2", "0", "2", "4"])
  }

  @Test func digitsMayBeJoinedWhereThatIsAskedFor() throws {
    var recipe = recipe(.bytePair, 700)
    recipe.splitsDigits = false
    let text = String(repeating: "in 2024 and 2024\n", count: 20)
    #expect(pieces(try learn(text, recipe).tokenizer, "2024") == ["▁2024"])
  }

  // MARK: - Ids

  private struct Expectation {
    let kind: TokenizerKind
    let family: TokenizerFamily
    let ids: [[Int32]]
  }

  private static let cases = [
    "The red boat number 42 isn't at the pier.", "  two  blanks, a\ttab\nand a new line",
    "Ünseen: 日本 €7 🙂", "schöner Tag; naïve café", "THE OLD CRANE'S 2024", "x",
  ]

  /// Ids that Hugging Face tokenizers gives for the same files.
  private static let expectations: [Expectation] = [

    Expectation(
      kind: .bytePair,
      family: .llama,
      ids: [
        [269, 263, 336, 315, 302, 341, 376, 374, 293, 360, 346, 291, 296, 300, 361],
        [
          341, 341, 270, 372, 352, 341, 265, 349, 344, 343, 110, 347, 357, 262, 12, 346, 344, 351,
          13, 344, 275, 262, 261, 342, 372, 341, 349, 280, 342,
        ],
        [
          341, 198, 159, 343, 347, 342, 326, 61, 341, 233, 154, 168, 233, 159, 175, 341, 229, 133,
          175, 378, 341, 243, 162, 156, 133,
        ],
        [304, 295, 362, 301, 303],
        [
          269, 75, 364, 341, 82, 79, 71, 341, 70, 85, 68, 81, 364, 360, 86, 341, 374, 381, 374, 376,
        ],
        [341, 123],
      ]
    ),
    Expectation(
      kind: .bytePair,
      family: .gemma,
      ids: [
        [290, 339, 318, 306, 344, 379, 377, 297, 363, 349, 295, 299, 304, 364],
        [
          344, 272, 375, 355, 344, 268, 352, 347, 346, 113, 350, 360, 265, 15, 349, 347, 354, 16,
          347, 278, 265, 264, 345, 375, 344, 352, 283, 345,
        ],
        [
          201, 162, 346, 350, 345, 329, 64, 344, 236, 157, 171, 236, 162, 178, 344, 232, 136, 178,
          381, 344, 246, 165, 159, 136,
        ],
        [350, 289, 279, 302, 365, 305, 307],
        [
          361, 78, 367, 344, 85, 82, 74, 344, 73, 88, 71, 84, 367, 363, 89, 344, 377, 384, 377, 379,
        ],
        [126],
      ]
    ),
    Expectation(
      kind: .unigram,
      family: .llama,
      ids: [
        [260, 267, 289, 295, 276, 260, 297, 286, 278, 263, 261, 279, 272, 273, 264],
        [
          260, 260, 260, 261, 324, 318, 260, 260, 307, 315, 306, 317, 110, 321, 259, 260, 306, 12,
          261, 306, 307, 13, 306, 317, 309, 260, 306, 260, 317, 310, 324, 260, 315, 314, 317, 310,
        ],
        [
          260, 198, 159, 317, 321, 310, 310, 317, 61, 260, 233, 154, 168, 233, 159, 175, 260, 229,
          133, 175, 299, 260, 243, 162, 156, 133,
        ],
        [277, 271, 265, 275, 274],
        [
          260, 305, 75, 304, 260, 82, 79, 71, 260, 70, 85, 68, 81, 304, 263, 86, 260, 286, 302, 286,
          297,
        ],
        [260, 123],
      ]
    ),
    Expectation(
      kind: .unigram,
      family: .gemma,
      ids: [
        [270, 292, 298, 279, 263, 300, 289, 281, 266, 264, 282, 275, 276, 267],
        [
          263, 263, 264, 327, 321, 263, 263, 310, 318, 309, 320, 113, 324, 262, 263, 309, 15, 264,
          309, 310, 16, 309, 320, 312, 263, 309, 263, 320, 313, 327, 263, 318, 317, 320, 313,
        ],
        [
          201, 162, 320, 324, 313, 313, 320, 64, 263, 236, 157, 171, 236, 162, 178, 263, 232, 136,
          178, 302, 263, 246, 165, 159, 136,
        ],
        [324, 311, 316, 331, 320, 313, 323, 274, 268, 278, 277],
        [
          308, 78, 307, 263, 85, 82, 74, 263, 73, 88, 71, 84, 307, 266, 89, 263, 289, 305, 289, 300,
        ],
        [126],
      ]
    ),
    Expectation(
      kind: .clip,
      family: .llama,
      ids: [
        [514, 577, 583, 547, 275, 273, 546, 517, 516, 514, 535, 269],
        [
          83, 86, 334, 567, 515, 74, 338, 267, 320, 83, 64, 321, 543, 320, 77, 68, 342, 75, 72, 77,
          324,
        ],
        [
          127, 120, 77, 82, 68, 568, 281, 162, 245, 98, 162, 250, 361, 158, 224, 361, 278, 172, 253,
          247, 480,
        ],
        [549, 537, 282, 548, 544],
        [514, 534, 586, 6, 338, 273, 271, 273, 275],
        [343],
      ]
    ),
  ]

  @Test(arguments: 0..<5) func idsAreThoseOfTheOtherLibrary(index: Int) throws {
    let expected = Self.expectations[index]
    let tokenizer = try learn(Self.text, recipe(expected.kind, 600, expected.family)).tokenizer
    for (text, ids) in zip(Self.cases, expected.ids) {
      #expect(self.ids(tokenizer, text) == ids, "\(expected.kind) \(expected.family) '\(text)'")
    }
  }

  @Test(arguments: [TokenizerKind.bytePair, .unigram]) func whatWasNeverSeenIsSpelledInBytes(
    kind: TokenizerKind
  ) throws {
    for family in TokenizerFamily.allCases {
      let tokenizer = try learn(Self.text, recipe(kind, 600, family)).tokenizer
      #expect(pieces(tokenizer, "a日").suffix(3) == ["<0xE6>", "<0x97>", "<0xA5>"])
      #expect(pieces(tokenizer, "a\nb").contains("<0x0A>"))
      for text in Self.cases + ["</s><s>", "a  b   c "] {
        let decoded = tokenizer.decode(ids(tokenizer, text), skipsSpecial: true)
        #expect(String(decoding: decoded, as: UTF8.self) == text, "\(kind) \(family)")
      }
    }
  }

  // MARK: - Files

  @Test func aFolderAppearsWholeAndIsRead() throws {
    let path = folder.path + "/out"
    let result = try learn(Self.text, recipe(.clip, 600))
    try result.files.write(to: path)
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(
      names == [
        "merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
        "vocab.json",
      ]
    )
    let tables = try TokenizerCompiler.compile(TokenizerFiles(folder: path))
    let read = try Tokenizer(tables: tables)
    #expect(read.count == result.vocab)
    #expect(read.id(of: "<|endoftext|>") == Int32(result.vocab - 1))
    #expect(throws: CheckpointError.self) { try result.files.write(to: path) }
  }

  @Test func recordsOfAllFormsAreText() throws {
    let records = """
      {"text": "boats and boats"}
      {"id": 1, "question": "What is here?", "answer": "a pier", "text": "ignored words"}
      {"id": "c", "image": "x.png", "conversations": [{"from": "human", "value": "<image>\\nSay it."}, \
      {"from": "gpt", "value": "gulls"}]}
      """
    var seen: [String] = []
    try file(records, "r.jsonl").forEachDocument { document, _ in
      switch document {
      case .text(let bytes, _, _): seen.append(String(decoding: bytes, as: UTF8.self))
      case .conversation(let sample):
        seen.append(sample.rounds.map { $0.question + "|" + $0.answer }.joined())
        #expect(sample.image == nil && sample.rounds.allSatisfy { !$0.hasImage })
      }
    }
    #expect(seen == ["boats and boats", "What is here?|a pier", "Say it.|gulls"])
    #expect(throws: TrainerError.self) {
      try file("{\"caption\": 1}", "bad.jsonl").forEachDocument { _, _ in }
    }
  }

  @Test func theTemplatesWordsCountAndItsMarksDoNot() throws {
    let records = (0..<30).map { index in
      "{\"question\": \"What is \(index)?\", \"answer\": \"a number\"}"
    }
    let result = try learn(
      records.joined(separator: "\n"),
      recipe(.bytePair, 700),
      name: "r.jsonl",
      template: "vicuna_v1"
    )
    #expect(
      pieces(result.tokenizer, "artificial intelligence") == ["▁artificial", "▁intelligence"]
    )
    #expect(result.tokenizer.id(of: "</s>") == 2)
  }

  @Test(arguments: [
    (["--vocab", "100"], 64, "--vocab 100"), (["--vocab", "x"], 64, "whole number"),
    (["--vocab", "600", "--kind", "clip", "--family", "gemma"], 64, "leave out --family"),
    (["--vocab", "600", "--template", "nobody"], 64, "nobody"),
    (["--vocab", "600", "--special", "<0x0A>"], 64, "<0x0A>"),
  ]) func aWrongFlagIsOneSentence(more: [String], status: Int32, words: String) throws {
    _ = try file(Self.text)
    let result = try SeaTools.run(
      ["train", "tokenizer", "--text", folder.path + "/text.txt", "--out", folder.path + "/o"]
        + more,
      in: folder
    )
    #expect(result.status == status && result.errors.contains(words), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/o"))
  }

  @Test func textThatIsNoneIsRefused() throws {
    let path = folder.path + "/bad.txt"
    try Data([0x61, 0xff, 0x62]).write(to: URL(fileURLWithPath: path))
    let result = try SeaTools.run(
      ["train", "tokenizer", "--text", path, "--vocab", "600", "--out", folder.path + "/o"],
      in: folder
    )
    #expect(result.status == 65 && result.errors.contains("UTF-8"), "\(result.errors)")
  }
}
