// SPDX-License-Identifier: Apache-2.0
// Opens a checkpoint: layout, configuration, tensors, and the checks between them.

internal import SEAFormat
internal import SEAModel

extension SourceModel {
  /// Opens the checkpoint in the folder at `path`.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - options: decisions of the caller.
  /// - Throws: `CheckpointError`.
  package init(path: String, options: SourceOptions = SourceOptions()) throws(CheckpointError) {
    let folder = try CheckpointFolder(path: path)
    var opener = try SourceOpener(folder, options: options)
    try opener.open()
    self = opener.finish()
  }
}

/// Gathers the parts of a checkpoint, folder by folder.
struct SourceOpener {
  /// The folder of the configuration that describes the whole.
  let folder: CheckpointFolder
  let layout: SourceLayout
  let options: SourceOptions
  /// A fine-tuning to be merged.
  let lowRank: LowRankFolder?
  /// Where the fine-tuning says its base is, when that is not `folder`.
  let base: CheckpointFolder?
  var collector = TensorCollector()
  var openedPaths: [String] = []
  var configs: [ModelPart: ConfigReader] = [:]
  var model: ModelDescription
  var language: LanguageModelConfig?
  var encoder: EncoderConfig?
  /// Folder of the language model's tokenizer and generation_config.json.
  var languageFolder: CheckpointFolder?
  /// Longest sequence that the model was trained with, where the configuration says so.
  var limit: Int?
  private var sets: [String: WeightSet] = [:]
  private var factors: LowRankFactors?

  /// Finds out what is in `folder` and what belongs to it.
  ///
  /// - Throws: `CheckpointError`.
  init(_ folder: CheckpointFolder, options: SourceOptions) throws(CheckpointError) {
    let place = try SourcePlace.find(folder, options: options)
    self.folder = place.folder
    self.options = options
    layout = place.layout
    lowRank = place.lowRank
    base = place.base
    model = ModelDescription(name: folder.name)
  }

  /// Reads everything but values.
  mutating func open() throws(CheckpointError) {
    try refuseUselessOptions()
    switch layout {
    case .tokenizer:
      guard lowRank == nil else {
        throw .missing(path: folder.path, advice: "no weights here to merge a fine-tuning into")
      }
      languageFolder = folder
      return
    case .encoder: try openEncoder()
    case .multiScaleEncoder: try openMultiScale()
    case .languageModel: try openLanguageModel()
    case .llava, .llavaStage1, .llavaLoRA: try openLLaVA()
    case .huggingFaceLlava: try openHuggingFace()
    case .tinyLLaVA: try openTinyLLaVA()
    case .cambrian: try openCambrian()
    }
    if let lowRank, let factors { try merge(factors, lowRank) }
    try settleLanguage()
    if let encoder { model.encoder = encoder.description }
    try collector.refuseUnknown()
    try PlanCheck(parts: collector.parts, configs: configs).run(model, path: folder.path)
  }

  /// The opened checkpoint.
  func finish() -> SourceModel {
    SourceModel(
      model: model,
      layout: layout,
      tokenizerFolder: languageFolder?.path,
      inventory: collector.inventory,
      openedPaths: openedPaths,
      parts: collector.parts
    )
  }

  private func refuseUselessOptions() throws(CheckpointError) {
    func refuse(_ option: String, _ isGiven: Bool) throws(CheckpointError) {
      guard isGiven else { return }
      throw .usage("\(option) has no use for \(folder.path), whose layout is \(layout.rawValue)")
    }
    let hasTower: Set<SourceLayout> = [
      .languageModel, .llava, .llavaStage1, .llavaLoRA, .tinyLLaVA, .cambrian,
    ]
    let isWhole = ![.encoder, .multiScaleEncoder, .tokenizer].contains(layout)
    let hasAdapter = hasTower.contains(layout)
    let namesLanguage =
      [.llavaStage1, .llavaLoRA, .tinyLLaVA, .cambrian].contains(layout) && !folder.hasWeights
    try refuse(
      "--vision",
      options.visionFolder != nil && !hasAdapter && layout != .multiScaleEncoder
    )
    try refuse("--llm", options.languageFolder != nil && !namesLanguage && lowRank == nil)
    try refuse("--adapter", options.adapterFile != nil && !hasAdapter)
    try refuse("--lora", options.lowRankFolder != nil && layout == .tokenizer)
    try refuse("--recipe", options.recipe != nil && layout == .tokenizer)
    try refuse("--template", options.template != nil && !isWhole)
  }
}

// MARK: - Files

extension SourceOpener {
  /// A JSON file of a folder as a configuration, or nil when there is none.
  mutating func config(
    _ name: String,
    in folder: CheckpointFolder,
  ) throws(CheckpointError) -> ConfigReader? {
    guard let json = try folder.json(name) else { return nil }
    let path = folder.path(of: name)
    if !openedPaths.contains(path) { openedPaths.append(path) }
    return ConfigReader(json, path: path)
  }

  /// A folder's config.json.
  mutating func mainConfig(in folder: CheckpointFolder) throws(CheckpointError) -> ConfigReader {
    guard let config = try config("config.json", in: folder) else {
      throw .missing(path: folder.path, advice: "no config.json here")
    }
    let unknown = config.keys.filter { !KnownKeys.contains($0) }
    if !unknown.isEmpty {
      let names = unknown.prefix(20).map { $0.printable(limit: 40) }.joined(separator: ", ")
      collector.note("\(config.path): keys without effect: \(names)")
    }
    return config
  }

  /// Opens a folder's weights, once.
  mutating func weights(of folder: CheckpointFolder) throws(CheckpointError) -> WeightSet {
    if let set = sets[folder.path] { return set }
    let set = try folder.weights()
    openedPaths += set.paths
    sets[folder.path] = set
    return set
  }

  /// Opens one weights file.
  mutating func weights(file: String) throws(CheckpointError) -> WeightSet {
    let set = try WeightSet(file: file)
    openedPaths += set.paths
    return set
  }

  /// Adds tensors to the model, what a fine-tuning trained whole before all others.
  ///
  /// - Parameters:
  ///   - set: tensors.
  ///   - wanted: parts to take.
  ///   - reason: why other parts in these files are not needed; nil: they are unknown.
  /// - Throws: `CheckpointError`.
  mutating func collect(
    _ set: WeightSet,
    _ wanted: Set<ModelPart>,
    ignoringOthers reason: String? = nil,
  ) throws(CheckpointError) {
    if let lowRank, factors == nil { factors = try replace(lowRank) }
    try collector.add(set, wanted: wanted, language: language, ignoringOthers: reason)
  }

  /// The folder that a configuration names, the caller's choice first; nil when it is none.
  ///
  /// - Parameters:
  ///   - name: what the configuration says: a path, or a hub id.
  ///   - asked: the caller's choice.
  ///   - base: folder of the configuration.
  /// - Returns: the folder, or nil.
  /// - Throws: `CheckpointError` when the caller's choice is no folder.
  func namedFolder(
    _ name: String?,
    asked: String?,
    base: CheckpointFolder,
  ) throws(CheckpointError) -> CheckpointFolder? {
    if let asked { return try CheckpointFolder(path: asked) }
    guard let name, !name.isEmpty else { return nil }
    let path = CheckpointFolder.resolve(name, from: base.path)
    guard CheckpointFolder.isFolder(path) else { return nil }
    return try CheckpointFolder(path: path)
  }

  /// The error for a folder that the configuration names and that is not there.
  func folderNeeded(
    _ key: String,
    _ name: String?,
    in config: ConfigReader,
    needsVision: Bool,
    needsLanguage: Bool,
  ) -> CheckpointError {
    var command = "sea convert \(folder.path)"
    if let lora = options.lowRankFolder { command += " --lora \(lora)" }
    if needsVision || options.visionFolder != nil {
      command += " --vision \(options.visionFolder ?? "DIR")"
    }
    if needsLanguage || options.languageFolder != nil {
      command += " --llm \(options.languageFolder ?? "DIR")"
    }
    let found = name.map { "\"\($0.printable())\", which is no folder here" } ?? "not set"
    return .missing(
      path: config.path,
      advice: "\(config.field(key)) is \(found); fetch it and run: \(command) -o OUT.sea",
    )
  }
}

extension CheckpointFolder {
  /// The folder's own name, for people.
  var name: String {
    let name = path.split(separator: "/").last.map(String.init) ?? "checkpoint"
    return name == "." || name == ".." ? "checkpoint" : name.printable()
  }
}
