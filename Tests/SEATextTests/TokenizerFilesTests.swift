// SPDX-License-Identifier: Apache-2.0
// Which file of a folder is the tokenizer.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAText
import Testing

@Suite struct TokenizerFilesTests {
  /// A folder with these files, gone when the test is over.
  private final class Folder {
    let url: URL

    init(_ files: [(name: String, source: String)], configuration: JSONValue? = nil) throws {
      url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      for file in files {
        try FileManager.default.copyItem(
          at: TokenizerFixture.bundledRoot.appendingPathComponent(file.source),
          to: url.appendingPathComponent(file.name),
        )
      }
      guard let configuration else { return }
      try Data(configuration.serialized().utf8).write(
        to: url.appendingPathComponent("tokenizer_config.json")
      )
    }

    deinit {
      try? FileManager.default.removeItem(at: url)
    }

    func isSentencePiece() throws -> Bool {
      if case .sentencePiece = try TokenizerFiles(folder: url.path).source { true } else { false }
    }
  }

  @Test func tokenizerFilesComeBeforeModels() throws {
    let folder = try Folder([
      ("tokenizer.json", "llama-tiny/tokenizer.json"),
      ("tokenizer.model", "sentencepiece/llama-tiny.model"),
    ])
    #expect(try !folder.isSentencePiece())
  }

  @Test func modelsStandAlone() throws {
    let folder = try Folder([("tokenizer.model", "sentencepiece/llama-tiny.model")])
    #expect(try folder.isSentencePiece())
    let tables = try TokenizerCompiler.compile(TokenizerFiles(folder: folder.url.path))
    let tokenizer = try Tokenizer(tables: tables)
    #expect(tokenizer.encode("", recognizesSpecial: true, addsTemplate: true) == [1])
  }

  @Test func siglipModelsComeBeforeTokenizerFiles() throws {
    let files = [
      (name: "tokenizer.json", source: "siglip-standin/tokenizer.json"),
      (name: "spiece.model", source: "sentencepiece/siglip-standin.model"),
    ]
    #expect(
      try Folder(files, configuration: ["tokenizer_class": "SiglipTokenizer"]).isSentencePiece()
    )
    #expect(try !Folder(files, configuration: ["tokenizer_class": "T5Tokenizer"]).isSentencePiece())
    let json = Array(files.prefix(1))
    #expect(
      try !Folder(json, configuration: ["tokenizer_class": "SiglipTokenizer"]).isSentencePiece()
    )
  }

  @Test func modelConfigurationsTellTheFamilyToo() throws {
    let folder = try Folder([("spiece.model", "sentencepiece/siglip-standin.model")])
    try Data(#"{"model_type": "siglip"}"#.utf8).write(
      to: folder.url.appendingPathComponent("config.json")
    )
    let tables = try TokenizerCompiler.compile(TokenizerFiles(folder: folder.url.path))
    #expect(try tables.settings().sentencePiece?.canonicalizes == true)
  }

  @Test func foldersWithoutTokenizerAreRefused() throws {
    let folder = try Folder([])
    do throws(CheckpointError) {
      _ = try TokenizerFiles(folder: folder.url.path)
      Issue.record("accepted")
    } catch {
      #expect(error.description.contains("tokenizer.json, spiece.model, tokenizer.model"))
      #expect(error.category == .missingInput)
    }
  }

  @Test func pathsListWhatIsThere() throws {
    let folder = try Folder([("spiece.model", "sentencepiece/siglip-standin.model")])
    #expect(
      TokenizerFiles.paths(in: folder.url.path) == [folder.url.path + "/spiece.model"]
    )
  }
}
