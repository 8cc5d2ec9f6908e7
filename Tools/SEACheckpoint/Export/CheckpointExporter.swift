// SPDX-License-Identifier: Apache-2.0
// Writes a model as a checkpoint folder that other projects read.

internal import FoundationEssentials
internal import SEAFormat
package import SEAModel
package import SEATensor
package import SEAText

/// How much of an export has been written.
package struct ExportProgress: Sendable, Equatable {
  /// Bytes of tensors written.
  package let done: Int
  /// Bytes of tensors in all.
  package let total: Int
}

/// Exports a model from any source of weights.
///
/// Weights are streamed: memory stays at a chunk of rows, whatever the model's size. Nothing stands
/// under the target's name before everything is there.
package struct CheckpointExporter {
  private let source: any WeightSource
  private let storedType: (String) -> ElementType?
  private let path: String
  private let tokenizerFolder: String?
  private let shardBytes: Int
  private let plan: ExportPlan
  private let config: ExportConfig
  /// Type of most weights.
  private let mainType: ElementType
  /// What a reader of the checkpoint has to know.
  package private(set) var notes: [String] = []

  /// Bytes of a file at most, as the library cuts them.
  package static let shardBytes = 5_000_000_000
  static let tokenizerNames = [
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "spiece.model", "vocab.json", "merges.txt", "chat_template.jinja",
    "chat_template.json",
  ]

  /// Plans an export.
  ///
  /// - Parameters:
  ///   - source: the weights.
  ///   - layout: how they are written.
  ///   - path: the source, for messages.
  ///   - tokenizer: the compiled tokenizer, which tells special ids.
  ///   - tokenizerFolder: folder of the tokenizer's files, to be copied.
  ///   - shardBytes: bytes of a weights file at most.
  ///   - storedType: the type that holds a canonical tensor's values exactly; nil: f32.
  /// - Throws: `CheckpointError.unsupported` for a model that the layout cannot hold.
  package init(
    _ source: any WeightSource,
    layout: ExportLayout,
    path: String,
    tokenizer: Tokenizer? = nil,
    tokenizerFolder: String? = nil,
    shardBytes: Int = CheckpointExporter.shardBytes,
    storedType: @escaping (String) -> ElementType?,
  ) throws(CheckpointError) {
    let model = source.model
    let parts = try ExportParts(model, path: path)
    do {
      plan = try ExportPlan(model, layout, family: parts.family)
    } catch {
      throw .model(path: path, error)
    }
    self.source = source
    self.storedType = storedType
    self.path = path
    self.tokenizerFolder = tokenizerFolder
    self.shardBytes = shardBytes
    mainType = ElementEncoder.writable(storedType("llm.embed.weight") ?? .float32)
    let place = ImagePlace(tokenizer, vocab: parts.language.vocab)
    let special = tokenizer?.settings.special
    config = ExportConfig(
      model: model,
      parts: parts,
      layout: layout,
      type: Self.name(mainType),
      ids: ExportIDs(
        beginning: special?.beginning.map { Int($0) },
        stops: model.generation?.stopIDs ?? [],
        padding: special?.padding.map { Int($0) }
      ),
      imageID: place.id
    )
    _ = try config.main(path: path)
    _ = try config.preprocessor(path: path)
    addNotes(layout, parts, place)
  }

  /// Writes the folder.
  ///
  /// - Parameters:
  ///   - target: the folder, which must not exist or be empty.
  ///   - step: called after each piece of a few MB; what it throws ends the export.
  /// - Throws: `CheckpointError.usage` for a target that is not free, `.format` when writing fails,
  ///   or what the source or `step` throws. Nothing is left then.
  package func write(
    to target: String,
    step: (ExportProgress) throws -> Void = { _ in },
  ) throws {
    let folder = try ExportFolder(path: target)
    let main = try writer(plan.main)
    let tower = try writer(plan.tower)
    let total = main.byteCount + tower.byteCount
    var done = 0
    func advance(_ bytes: Int) throws {
      done += bytes
      try step(ExportProgress(done: done, total: total))
    }
    try main.write(in: folder, below: "", advance)
    if !plan.tower.isEmpty {
      try folder.makeFolder(ExportPlan.towerFolder)
      try tower.write(in: folder, below: ExportPlan.towerFolder + "/", advance)
      try folder.write(config.tower, to: ExportPlan.towerFolder + "/config.json")
    }
    try folder.write(try config.main(path: path), to: "config.json")
    try folder.write(config.generation, to: "generation_config.json")
    if config.layout == .huggingFace {
      try folder.write(config.processor, to: "processor_config.json")
    }
    if let preprocessor = try config.preprocessor(path: path) {
      let below = plan.tower.isEmpty ? "" : ExportPlan.towerFolder + "/"
      try folder.write(preprocessor, to: below + "preprocessor_config.json")
    }
    try copyTokenizer(to: folder)
    try folder.commit()
  }

  // MARK: - Pieces

  private func writer(_ tensors: [ExportTensor]) throws -> ExportWriter {
    try ExportWriter(source, tensors, mainType: mainType, shardBytes: shardBytes) { name in
      storedType(name).map { ElementEncoder.writable($0) } ?? .float32
    }
  }

  private func copyTokenizer(to folder: ExportFolder) throws(CheckpointError) {
    if let tokenizerFolder { try folder.copyTokenizer(from: tokenizerFolder) }
  }

  private mutating func addNotes(
    _ layout: ExportLayout,
    _ parts: ExportParts,
    _ place: ImagePlace,
  ) {
    if tokenizerFolder == nil {
      notes.append(
        "tokenizer: not written, a model file holds it compiled; copy tokenizer.json and "
          + "tokenizer_config.json from the original checkpoint"
      )
    }
    if !plan.omitted.isEmpty {
      notes.append("left out: \(plan.omitted.count) tensors that only labels need")
    }
    let visualScale = config.model.visualScale
    if parts.family == .gemma, layout == .huggingFace, visualScale != 1 {
      notes.append(
        "visual scale: transformers below 5 scales visual tokens as this model needs, later ones "
          + "do not"
      )
    }
    if parts.family == .gemma, layout == .llava, visualScale == 1 {
      notes.append("visual scale: convert again with --visual-scale one")
    }
    if layout == .huggingFace, let problem = place.problem { notes.append(problem) }
    if let template = config.model.template {
      notes.append("template: \(template.name); convert again with --template \(template.name)")
    }
  }

  static func name(_ type: ElementType) -> String {
    switch type {
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    default: "float32"
    }
  }
}

/// The id that stands for a picture where one is needed among the vocabulary's.
struct ImagePlace {
  let id: Int
  /// What is still to be done, if anything.
  let problem: String?

  /// The tokenizer's own `<image>`, else the first row that no token uses, else the next new one.
  init(_ tokenizer: Tokenizer?, vocab: Int) {
    if let own = tokenizer?.id(of: "<image>") {
      id = Int(own)
      problem = nil
    } else if let tokenizer, tokenizer.count < vocab {
      id = tokenizer.count
      problem = "image token: id \(id) is free; add <image> to the tokenizer under it"
    } else {
      id = vocab
      problem =
        "image token: the vocabulary of \(vocab) has no free row; add <image> to the tokenizer and "
        + "resize the embeddings before use with transformers"
    }
  }
}
