// SPDX-License-Identifier: Apache-2.0
// The files in which a checkpoint describes its tokenizer.

package import SEAFormat
import SEATensor

/// The tokenizer files of one folder, parsed.
package struct TokenizerFiles: Sendable {
  /// A parsed file and the path to name in messages.
  package struct File: Sendable {
    package let path: String
    package let json: JSONValue

    /// A file that is already parsed.
    package init(path: String, json: JSONValue) {
      self.path = path
      self.json = json
    }
  }

  /// The file `tokenizer.json`.
  package var tokenizer: File
  /// The file `tokenizer_config.json`.
  package var configuration: File?
  /// The file `special_tokens_map.json`.
  package var specialTokens: File?
  /// The file `added_tokens.json`.
  package var addedTokens: File?
  /// The file `generation_config.json`.
  package var generation: File?

  /// Files that are already parsed.
  package init(
    tokenizer: File,
    configuration: File? = nil,
    specialTokens: File? = nil,
    addedTokens: File? = nil,
    generation: File? = nil,
  ) {
    self.tokenizer = tokenizer
    self.configuration = configuration
    self.specialTokens = specialTokens
    self.addedTokens = addedTokens
    self.generation = generation
  }

  /// Reads the files of a folder; all but `tokenizer.json` may be absent.
  ///
  /// - Throws: `CheckpointError` naming the file that is missing or no JSON.
  package init(folder: String) throws(CheckpointError) {
    guard let tokenizer = try Self.read("tokenizer.json", in: folder) else {
      throw .missing(path: folder + "/tokenizer.json", advice: Self.advice(folder))
    }
    self.init(
      tokenizer: tokenizer,
      configuration: try Self.read("tokenizer_config.json", in: folder),
      specialTokens: try Self.read("special_tokens_map.json", in: folder),
      addedTokens: try Self.read("added_tokens.json", in: folder),
      generation: try Self.read("generation_config.json", in: folder),
    )
  }

  /// What to do where `tokenizer.json` is missing.
  private static func advice(_ folder: String) -> String {
    for name in ["tokenizer.model", "spiece.model"] {
      guard (try? MappedFile(path: folder + "/" + name)) != nil else { continue }
      return "there is only \(name): export tokenizer.json from it, with transformers for instance"
    }
    return "give a folder that has the tokenizer's files"
  }

  private static func read(
    _ name: String,
    in folder: String
  ) throws(CheckpointError) -> File? {
    let path = folder + "/" + name
    let file: MappedFile
    do {
      file = try MappedFile(path: path)
    } catch {
      if case .missing = error { return nil }
      throw .file(error)
    }
    return File(path: path, json: try parse(file.bytes.array(), path: path))
  }

  /// Parses one file's bytes.
  ///
  /// - Throws: `CheckpointError.malformed` with the byte offset.
  package static func parse(
    _ bytes: [UInt8],
    path: String
  ) throws(CheckpointError) -> JSONValue {
    do {
      return try JSONScanner.parse(bytes)
    } catch {
      throw .malformed(path: path, problem: error.description)
    }
  }
}
