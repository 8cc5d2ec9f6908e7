// SPDX-License-Identifier: Apache-2.0
// What a probe starts from.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAImage
import SEATensor
import SEAText

/// Pixels, words and a prompt, or some of them.
struct ProbeInput {
  /// What the language model reads.
  enum PromptInput {
    /// Ids, `Prompt.imageID` in the place of the picture.
    case ids([Int32])
    /// `[T, hidden]` in the space of the embedding table.
    case embeddings(MatrixView<Float>)
  }

  /// `[3, inputSide, inputSide]`, normalised.
  let pixels: [Float]?
  /// The picture's size before padding, where there is a picture and not its pixels alone.
  let pictureSize: ImageSize?
  /// Token ids of words for the text tower.
  let words: [[Int32]]?
  let prompt: PromptInput?

  /// Ids between commas.
  static let ids: @Sendable (String) throws -> [Int32] = { text in
    let ids = text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      Int32(part.filter { $0 != " " }).flatMap { $0 >= 0 || $0 == Prompt.imageID ? $0 : nil }
    }
    guard !ids.contains(nil) else {
      throw ValidationError("expected token ids between commas, \(Prompt.imageID) for a picture")
    }
    return ids.compactMap(\.self)
  }

  /// Texts between semicolons, their ids between commas.
  static let texts: @Sendable (String) throws -> [[Int32]] = { text in
    let texts = try text.split(separator: ";").map { try ids(String($0)) }
    guard !texts.isEmpty, texts.allSatisfy({ $0.allSatisfy { $0 >= 0 } }) else {
      throw ValidationError("expected token ids between commas, texts between semicolons")
    }
    return texts
  }

  /// Bytes of the longest word list that is read.
  private static let maxWordBytes = 256 << 20

  /// The words of a list, one a line; blank lines mean nothing.
  ///
  /// - Throws: `FileError`, or `CommandError` (65) for a list that is no UTF-8, too long, or empty.
  static func words(in path: String) throws -> [String] {
    let bytes: [UInt8]
    if path == ImageInput.standardInput {
      bytes = try StandardInput.readAll(limit: maxWordBytes, what: "a word list")
    } else {
      let file = try MappedFile(path: path)
      guard file.count <= maxWordBytes else {
        throw CommandError(.badData, "\(path.printable(limit: 4096)): more than 256 MiB of words")
      }
      bytes = file.bytes.array()
    }
    var words: [String] = []
    for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    {
      guard let text = String(validating: line, as: UTF8.self) else {
        throw CommandError(
          .badData,
          "\(path.printable(limit: 4096)): line \(index + 1) is not valid UTF-8"
        )
      }
      let word = text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
      if !word.isEmpty { words.append(String(word)) }
    }
    guard !words.isEmpty else {
      throw CommandError(.badData, "\(path.printable(limit: 4096)): no words in it")
    }
    return words
  }

  /// Reads an F32 tensor of a shape from a safetensors file; nil in the shape accepts any length.
  ///
  /// - Throws: `FormatError`, or `CommandError` (65) for another type or shape.
  static func tensor(_ name: String, in path: String, shape: [Int?]) throws -> [Float] {
    let file = try SafetensorsFile(path: path)
    let info = try file.tensor(name)
    let fits =
      info.shape.count == shape.count
      && zip(info.shape, shape).allSatisfy { $0 == ($1 ?? $0) && $0 > 0 }
    guard info.type == .float32, fits else {
      let expected = shape.map { $0.map(String.init) ?? "T" }.joined(separator: ", ")
      throw CommandError(
        .badData,
        "\(path.printable(limit: 4096)): tensor '\(name)' is \(info.type.safetensorsName) "
          + "\(info.shape), expected F32 [\(expected)]"
      )
    }
    let bytes = file.bytes(of: info)
    return (0..<info.elementCount).map { index in
      Float(bitPattern: bytes.loadLittleEndian(at: index * 4, as: UInt32.self))
    }
  }
}
