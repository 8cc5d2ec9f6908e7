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

  /// The file that has the vocabulary.
  package enum Source: Sendable {
    /// The file `tokenizer.json`.
    case json(File)
    /// The file `tokenizer.model` or `spiece.model`.
    case sentencePiece(SentencePieceModel)
  }

  package var source: Source
  /// The file `tokenizer_config.json`.
  package var configuration: File?
  /// The file `special_tokens_map.json`.
  package var specialTokens: File?
  /// The file `added_tokens.json`.
  package var addedTokens: File?
  /// The file `generation_config.json`.
  package var generation: File?
  /// The file `config.json`, which names the family where `tokenizer_config.json` does not.
  package var model: File?

  /// Files that are already parsed.
  package init(
    source: Source,
    configuration: File? = nil,
    specialTokens: File? = nil,
    addedTokens: File? = nil,
    generation: File? = nil,
    model: File? = nil,
  ) {
    self.source = source
    self.configuration = configuration
    self.specialTokens = specialTokens
    self.addedTokens = addedTokens
    self.generation = generation
    self.model = model
  }

  /// Reads the files of a folder.
  ///
  /// `tokenizer.json` is the source where there is one. A SentencePiece model is where there is none,
  /// and for SigLIP, whose words are defined by it.
  ///
  /// - Throws: `CheckpointError` naming the file that is missing or wrong.
  package init(folder: String) throws(CheckpointError) {
    self.init(
      source: .json(File(path: folder, json: .null)),
      configuration: try Self.read(.configuration, in: folder),
      specialTokens: try Self.read(.specialTokens, in: folder),
      addedTokens: try Self.read(.addedTokens, in: folder),
      generation: try Self.read(.generation, in: folder),
      model: try Self.read(.model, in: folder),
    )
    let isSiglip = tokenizerClass?.hasPrefix("Siglip") ?? false
    if isSiglip, let model = try Self.sentencePiece(in: folder) {
      source = .sentencePiece(model)
    } else if let tokenizer = try Self.read(.tokenizer, in: folder) {
      source = .json(tokenizer)
    } else if let model = try Self.sentencePiece(in: folder) {
      source = .sentencePiece(model)
    } else {
      let names = [Name.tokenizer] + Name.sentencePieces
      throw .missing(
        path: folder,
        advice: "none of \(names.map(\.rawValue).joined(separator: ", ")) here; "
          + "give a folder that has the tokenizer's files",
      )
    }
  }

  /// The paths of those files that a folder has.
  package static func paths(in folder: String) -> [String] {
    Name.allCases.map { folder + "/" + $0.rawValue }.filter { (try? MappedFile(path: $0)) != nil }
  }

  /// The paths of those files in a folder that can be a vocabulary.
  static func vocabularies(in folder: String) -> [String] {
    ([Name.tokenizer] + Name.sentencePieces).map { folder + "/" + $0.rawValue }
      .filter { (try? MappedFile(path: $0)) != nil }
  }

  private enum Name: String, CaseIterable {
    case tokenizer = "tokenizer.json"
    case spiece = "spiece.model"
    case tokenizerModel = "tokenizer.model"
    case configuration = "tokenizer_config.json"
    case specialTokens = "special_tokens_map.json"
    case addedTokens = "added_tokens.json"
    case generation = "generation_config.json"
    case model = "config.json"

    static let sentencePieces = [Name.spiece, .tokenizerModel]
  }

  // MARK: - Reading

  private static func open(
    _ name: Name,
    in folder: String
  ) throws(CheckpointError) -> (path: String, bytes: ByteView)? {
    let path = folder + "/" + name.rawValue
    do {
      return (path, try MappedFile(path: path).bytes)
    } catch {
      if case .missing = error { return nil }
      throw .file(error)
    }
  }

  private static func read(
    _ name: Name,
    in folder: String
  ) throws(CheckpointError) -> File? {
    guard let file = try open(name, in: folder) else { return nil }
    return File(path: file.path, json: try parse(file.bytes.array(), path: file.path))
  }

  private static func sentencePiece(
    in folder: String
  ) throws(CheckpointError) -> SentencePieceModel? {
    for name in Name.sentencePieces {
      guard let file = try open(name, in: folder) else { continue }
      return try SentencePieceModel(file.bytes, path: file.path)
    }
    return nil
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

// MARK: - What several readers ask

extension TokenizerFiles {
  /// The class that the tokenizer is used by, or nil where no file tells.
  var tokenizerClass: String? {
    for file in [configuration, model] {
      if let name = file?.json["tokenizer_class"]?.string { return name }
    }
    switch model?.json["model_type"]?.string {
    case "siglip", "siglip_text_model": return "SiglipTokenizer"
    case "gemma": return "GemmaTokenizer"
    case "llama", "phi3": return "LlamaTokenizer"
    default: return nil
    }
  }

  /// The ids that end generation, as the checkpoint's generation settings list them.
  func stopIDs(below count: Int) -> [Int32] {
    let stops = generation?.json["eos_token_id"]
    let ids = stops?.array ?? stops.map { [$0] } ?? []
    return ids.compactMap(\.int).filter { (0..<count).contains($0) }.prefix(64).map { Int32($0) }
  }
}
