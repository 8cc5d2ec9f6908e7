// SPDX-License-Identifier: Apache-2.0
// Tokenizers and their cases, from this target or from the folder of shared fixtures.

import Foundation
import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import Testing

/// A tokenizer of the fixtures, compiled and opened.
struct TokenizerFixture {
  let name: String
  let folder: URL
  let tokenizer: Tokenizer

  /// Tokenizers that come with this target.
  static let bundled = [
    "llama-tiny", "phi3-tiny", "llama3-tiny", "gemma-tiny", "clip-tiny", "gemma-standin",
    "siglip-standin",
  ]
  /// Vocabularies of released models, which are never copied.
  static let shared = ["llama2", "phi3", "llama3", "clip", "gemma4"]

  static var bundledRoot: URL {
    Bundle.module.bundleURL.appendingPathComponent("Fixtures")
  }

  /// The shared fixtures beside the repository, or where SEA_SHARED says.
  static var sharedRoot: URL {
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let shared =
      ProcessInfo.processInfo.environment["SEA_SHARED"].map { URL(fileURLWithPath: $0) }
      ?? repository.deletingLastPathComponent().appendingPathComponent("shared")
    return shared.appendingPathComponent("fixtures/tokenizers")
  }

  static var hasShared: Bool {
    FileManager.default.fileExists(atPath: sharedRoot.path)
  }

  init(_ name: String, isShared: Bool = false) throws {
    self.name = name
    folder = (isShared ? Self.sharedRoot : Self.bundledRoot).appendingPathComponent(name)
    tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(Self.files(folder)))
  }

  /// The content of a JSON file among the fixtures of this target.
  static func json(_ path: String) throws -> JSONValue {
    let data = try Data(contentsOf: bundledRoot.appendingPathComponent(path))
    return try JSONScanner.parse([UInt8](data))
  }

  /// Parses the files of a folder, whose tokenizer.json may be compressed.
  static func files(_ folder: URL) throws -> TokenizerFiles {
    func file(_ name: String) throws -> TokenizerFiles.File? {
      let url = folder.appendingPathComponent(name)
      let packed = url.appendingPathExtension("gz")
      let data: Data
      if FileManager.default.fileExists(atPath: url.path) {
        data = try Data(contentsOf: url)
      } else if FileManager.default.fileExists(atPath: packed.path) {
        data = try unpack(packed)
      } else {
        return nil
      }
      return .init(path: name, json: try TokenizerFiles.parse([UInt8](data), path: name))
    }
    return TokenizerFiles(
      source: .json(try #require(try file("tokenizer.json"))),
      configuration: try file("tokenizer_config.json"),
      specialTokens: try file("special_tokens_map.json"),
      addedTokens: try file("added_tokens.json"),
      generation: try file("generation_config.json"),
    )
  }

  private static func unpack(_ url: URL) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc", url.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return data
  }

  /// The objects of a JSON-lines file; none when there is no such file.
  func lines(_ name: String) throws -> [JSONValue] {
    let url = folder.appendingPathComponent(name)
    guard FileManager.default.fileExists(atPath: url.path) else { return [] }
    let data = [UInt8](try Data(contentsOf: url))
    return try data.split(separator: UInt8(ascii: "\n")).map { try JSONScanner.parse(Array($0)) }
  }
}

extension JSONValue {
  /// An array of token ids.
  var ids: [Int32]? {
    array?.compactMap { $0.int.map { Int32($0) } }
  }
}

/// Small tokenizer files written in tests.
enum HandMade {
  /// A byte-pair tokenizer over a few letters, to be changed by a test.
  static let tokenizer: JSONValue = [
    "added_tokens": [["id": 6, "content": "<s>", "special": true, "normalized": false]],
    "model": [
      "type": "BPE",
      "unk_token": "<unk>",
      "vocab": ["<unk>": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "abc": 5],
      "merges": ["a b", "ab c"],
    ],
  ]

  /// Compiles and opens a tokenizer file.
  static func open(_ json: JSONValue) throws -> Tokenizer {
    try Tokenizer(tables: compile(json))
  }

  static func compile(_ json: JSONValue) throws(CheckpointError) -> TokenizerTables {
    try TokenizerCompiler.compile(
      TokenizerFiles(source: .json(.init(path: "tokenizer.json", json: json)))
    )
  }

  /// The tokenizer above with one field of its model replaced.
  static func changing(_ key: String, to value: JSONValue) -> JSONValue {
    guard case .object(var file) = tokenizer, case .object(var model)? = file["model"] else {
      return tokenizer
    }
    model[key] = value
    file["model"] = .object(model)
    return .object(file)
  }
}
