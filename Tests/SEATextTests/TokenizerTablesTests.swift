// SPDX-License-Identifier: Apache-2.0
// Compiled tables: the same bytes every time, and the same tokenizer after a trip through bytes.

import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import Testing

@Suite struct TokenizerTablesTests {
  private func compile(_ name: String) throws -> TokenizerTables {
    try TokenizerCompiler.compile(
      TokenizerFixture.files(TokenizerFixture.bundledRoot.appendingPathComponent(name))
    )
  }

  @Test(arguments: TokenizerFixture.bundled)
  func compilingTwiceGivesTheSameBytes(name: String) throws {
    let first = try compile(name)
    let second = try compile(name)
    #expect(first.blobs.map(\.name) == second.blobs.map(\.name))
    for (left, right) in zip(first.blobs, second.blobs) {
      #expect(left.bytes.array() == right.bytes.array(), "\(left.name)")
    }
  }

  @Test(arguments: TokenizerFixture.bundled)
  func tablesSurviveBytes(name: String) throws {
    let tables = try compile(name)
    let stored = tables.blobs.map { (name: $0.name, bytes: $0.bytes.array()) }
    let read = TokenizerTables { name in
      stored.first { $0.name == name }.map { ByteView($0.bytes) }
    }
    #expect(try read.settings() == tables.settings())
    let text = "A text, 2 numbers 34, <s>and</s> <bos> marks…"
    let ids = try Tokenizer(tables: tables).encode(
      text,
      recognizesSpecial: true,
      addsTemplate: true
    )
    #expect(
      try Tokenizer(tables: read).encode(text, recognizesSpecial: true, addsTemplate: true) == ids
    )
  }

  @Test func settingsSurviveJSON() throws {
    for name in TokenizerFixture.bundled {
      let settings = try compile(name).settings()
      let text = settings.json.serialized()
      #expect(try TokenizerSettings(json: JSONScanner.parse(Array(text.utf8))) == settings)
    }
  }

  @Test func settingsThatNameOtherIDsAreRefused() throws {
    let json = try compile("llama-tiny").settings().json
    for (key, value) in [
      ("count", 0), ("count", -1), ("count", 1_099_511_627_776), ("prefix", [768]),
      ("suffix", [-1]),
      ("probe_limit", 0), ("special", ["bos": 768]), ("model", ["type": "BPE"]), ("model", [:]),
    ] as [(String, JSONValue)] {
      guard case .object(var object) = json else { return }
      object[key] = value
      #expect(throws: TextError.self, "\(key)") { try TokenizerSettings(json: .object(object)) }
    }
  }

  @Test func configurationDecidesTheFrame() throws {
    let folder = TokenizerFixture.bundledRoot.appendingPathComponent("llama-tiny")
    var files = try TokenizerFixture.files(folder)
    func ids(_ configuration: JSONValue) throws -> [Int32] {
      files.configuration = .init(path: "tokenizer_config.json", json: configuration)
      return try Tokenizer(tables: TokenizerCompiler.compile(files))
        .encode("", recognizesSpecial: true, addsTemplate: true)
    }
    #expect(try ids([:]) == [1])
    #expect(try ids(["add_bos_token": false]) == [])
    #expect(
      try ids([
        "add_bos_token": true, "add_eos_token": true, "bos_token": "<s>", "eos_token": "</s>",
      ]) == [1, 2]
    )
    #expect(
      try ids(["add_eos_token": true, "eos_token": ["content": "</s>"]]) == [1, 2]
    )
  }

  @Test func configurationsAddTokensAndChangeTheirFlags() throws {
    let folder = TokenizerFixture.bundledRoot.appendingPathComponent("llama-tiny")
    var files = try TokenizerFixture.files(folder)
    let decoder: JSONValue = [
      "2": ["content": "</s>", "rstrip": true, "normalized": false, "special": true],
      "768": ["content": "<extra>", "normalized": false, "special": false],
    ]
    files.configuration = .init(path: "c", json: ["added_tokens_decoder": decoder])
    files.addedTokens = .init(path: "a", json: ["<more>": 769])
    let tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(files))
    #expect(tokenizer.count == 770)
    #expect(
      tokenizer.encode("</s>  <extra>", recognizesSpecial: true, addsTemplate: false) == [2, 768]
    )
    #expect(tokenizer.id(of: "<more>") == 769)
  }
}
