// SPDX-License-Identifier: Apache-2.0
// A language model alone as the folder in which transformers keeps it.

package import SEAFormat
package import SEAModel
package import SEATensor
package import SEAText

/// Writes a language model: configuration, weights, tokenizer.
///
/// `convert` and `train` take the folder as they take any other language model's.
package struct LanguageExport {
  private let source: any WeightSource
  private let storedType: (String) -> ElementType
  private let tokenizerFolder: String
  private let tensors: [ExportTensor]
  private let mainType: ElementType
  private let config: JSONValue
  private let generation: JSONValue

  /// Release of transformers whose keys the files follow.
  private static let release = "4.51.3"

  /// Plans an export.
  ///
  /// - Parameters:
  ///   - source: the weights of a model that has a language model.
  ///   - path: the target, for messages.
  ///   - tokenizer: tells special ids.
  ///   - tokenizerFolder: folder of the tokenizer's files, to be copied.
  ///   - storedType: the type that holds a canonical tensor's values.
  /// - Throws: `CheckpointError`.
  package init(
    _ source: any WeightSource,
    path: String,
    tokenizer: Tokenizer,
    tokenizerFolder: String,
    storedType: @escaping (String) -> ElementType
  ) throws(CheckpointError) {
    guard let language = source.model.language,
      let family = LanguageFamily(rawValue: language.family)
    else { throw .unsupported(path: path, what: "export without a language model") }
    self.source = source
    self.storedType = storedType
    self.tokenizerFolder = tokenizerFolder
    mainType = ElementEncoder.writable(storedType("llm.embed.weight"))
    let alone = ModelDescription(name: source.model.name, language: language)
    do throws(ModelError) {
      tensors = try ExportPlan(alone, .llava, family: family).main
    } catch {
      throw .model(path: path, error)
    }
    let special = tokenizer.settings.special
    let ids = ExportIDs(
      beginning: special.beginning.map { Int($0) },
      stops: source.model.generation?.stopIDs ?? [],
      padding: special.padding.map { Int($0) }
    )
    let name =
      switch family {
      case .llama: "LlamaForCausalLM"
      case .gemma: "GemmaForCausalLM"
      case .phi3: "Phi3ForCausalLM"
      }
    let type = CheckpointExporter.name(mainType)
    config = .object(
      JSONObject(
        [("architectures", [.string(name)])]
          + ExportParts.languageFields(language, family, type: type, ids: ids)
          + [("transformers_version", .string(Self.release))]
      )
    )
    generation = .object(
      JSONObject(
        ids.fields + [("do_sample", false), ("transformers_version", .string(Self.release))]
      )
    )
  }

  /// Writes the folder, all or nothing.
  ///
  /// - Parameters:
  ///   - target: the folder, which must not exist or be empty.
  ///   - step: called after each piece of a few MB; what it throws ends the export.
  /// - Throws: `CheckpointError`, or what the source or `step` throws.
  package func write(
    to target: String,
    step: (ExportProgress) throws -> Void = { _ in }
  ) throws {
    let folder = try ExportFolder(path: target)
    let writer = try ExportWriter(
      source,
      tensors,
      mainType: mainType,
      shardBytes: CheckpointExporter.shardBytes
    ) { ElementEncoder.writable(storedType($0)) }
    var done = 0
    try writer.write(in: folder, below: "") { bytes in
      done += bytes
      try step(ExportProgress(done: done, total: writer.byteCount))
    }
    try folder.write(config, to: "config.json")
    try folder.write(generation, to: "generation_config.json")
    try folder.copyTokenizer(from: tokenizerFolder)
    try folder.commit()
  }
}

extension ExportFolder {
  /// Copies the tokenizer's files of another folder, those that there are.
  ///
  /// - Throws: `CheckpointError`.
  func copyTokenizer(from source: String) throws(CheckpointError) {
    for name in CheckpointExporter.tokenizerNames {
      let input: MappedFile
      do throws(FileError) {
        input = try MappedFile(path: "\(source)/\(name)")
      } catch {
        if case .missing = error { continue }
        throw .file(error)
      }
      try write(input.bytes.array(), to: name)
    }
  }
}

/// What a configuration of a language model says.
package struct LanguageConfiguration: Sendable {
  package let description: LanguageModelDescription
  /// The file says how many rows the embedding table has.
  package let statesVocabulary: Bool

  /// Reads the keys of a config.json.
  ///
  /// - Throws: `CheckpointError` naming file and key.
  package init(_ json: JSONValue, path: String) throws(CheckpointError) {
    let config = ConfigReader(json, path: path)
    let type = try config.string("model_type") ?? ""
    guard let family = LanguageFamily(modelType: type) else {
      let names = LanguageFamily.allCases.map(\.rawValue).joined(separator: ", ")
      throw config.fault("model_type", "'\(type.printable(limit: 40))', expected one of \(names)")
    }
    let read = try LanguageModelConfig(config, family: family)
    description = read.description
    statesVocabulary = read.statesVocabulary
  }
}
