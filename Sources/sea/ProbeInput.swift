// SPDX-License-Identifier: Apache-2.0
// What a probe starts from.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEATensor
import SEAText

/// Pixels, a prompt, or both.
struct ProbeInput {
  /// What the language model reads.
  enum PromptInput {
    /// Ids, `Prompt.imageID` in the place of the picture.
    case ids([Int32])
    /// `[T, hidden]` in the space of the embedding table.
    case embeddings(MatrixView<Float>)
  }

  /// `[3, side, side]`, normalised.
  let pixels: [Float]?
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
