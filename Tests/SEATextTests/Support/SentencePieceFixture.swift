// SPDX-License-Identifier: Apache-2.0
// SentencePiece models with cases, and models written by hand for tests.

import Foundation
import SEACheckpoint
import SEAFormat
import SEATensor
import SEAText
import Testing

/// A model of the fixtures with the configuration around it and what its library gives.
struct SentencePieceFixture {
  let tokenizer: Tokenizer
  let cases: [JSONValue]

  /// Models used by themselves.
  static let bare = [
    "bpe-suffix", "bpe-symbols", "bpe-unused", "unigram", "unigram-bytes", "unigram-symbols",
  ]
  /// Models used through another library.
  static let wrapped = [
    "gemma", "llama-added", "llama-decoder", "llama-legacy", "llama-new", "llama-roles", "siglip",
  ]

  static var folder: URL {
    TokenizerFixture.bundledRoot.appendingPathComponent("sentencepiece")
  }

  init(_ name: String) throws {
    let file = try Self.json(name)
    tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(Self.files(name)))
    cases = try #require(file["cases"]?.array)
  }

  /// The files of a fixture.
  static func files(_ name: String) throws -> TokenizerFiles {
    let file = try json(name)
    let text = try #require(file["model"]?.string)
    let bytes =
      text.hasSuffix(".model") ? try model(text) : Data(base64Encoded: text).map { [UInt8]($0) }
    func part(_ key: String) -> TokenizerFiles.File? {
      file[key].map { TokenizerFiles.File(path: key, json: $0) }
    }
    return TokenizerFiles(
      source: .sentencePiece(
        try SentencePieceModel(ByteView(#require(bytes)), path: "tokenizer.model")
      ),
      configuration: part("configuration"),
      specialTokens: part("special_tokens"),
      addedTokens: part("added_tokens"),
    )
  }

  /// The bytes of a model file.
  static func model(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  private static func json(_ name: String) throws -> JSONValue {
    try TokenizerFixture.json("sentencepiece/\(name).json")
  }
}

/// A message in the wire format of protocol buffers.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func number(_ field: UInt64, _ value: UInt64) {
    varint(field << 3)
    varint(value)
  }

  mutating func float(_ field: UInt64, _ value: Float) {
    varint(field << 3 | 5)
    for shift in [0, 8, 16, 24] as [UInt32] {
      bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
    }
  }

  mutating func message(_ field: UInt64, _ content: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(content.count))
    bytes += content
  }

  mutating func raw(_ content: [UInt8]) {
    bytes += content
  }
}

/// A SentencePiece model written by hand.
struct HandMadeModel {
  var pieces: [(text: [UInt8], score: Float, type: UInt64)] = [
    (Array("<unk>".utf8), 0, 2), (Array("<s>".utf8), 0, 3), (Array("</s>".utf8), 0, 3),
    (Array("▁".utf8), -3, 1), (Array("a".utf8), -4, 1), (Array("b".utf8), -5, 1),
    (Array("ab".utf8), -1, 1), (Array("▁ab".utf8), -2, 1),
  ]
  var modelType: UInt64 = 2
  var hasByteFallback = false
  /// Appended as it is.
  var rest: [UInt8] = []

  mutating func append(_ text: String, score: Float = -9, type: UInt64 = 1) {
    pieces.append((Array(text.utf8), score, type))
  }

  var bytes: [UInt8] {
    var file = ProtobufWriter()
    for piece in pieces {
      var message = ProtobufWriter()
      message.message(1, piece.text)
      message.float(2, piece.score)
      message.number(3, piece.type)
      file.message(1, message.bytes)
    }
    var trainer = ProtobufWriter()
    trainer.number(3, modelType)
    trainer.number(35, hasByteFallback ? 1 : 0)
    file.message(2, trainer.bytes)
    file.raw(rest)
    return file.bytes
  }

  /// Compiles the model with a configuration beside it.
  func compile(_ configuration: JSONValue = [:]) throws(CheckpointError) -> TokenizerTables {
    try TokenizerCompiler.compile(
      TokenizerFiles(
        source: .sentencePiece(SentencePieceModel(ByteView(bytes), path: "tokenizer.model")),
        configuration: .init(path: "tokenizer_config.json", json: configuration),
      )
    )
  }
}
