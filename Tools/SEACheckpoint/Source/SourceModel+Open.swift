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
    let layout = try LayoutDetector.layout(of: folder)
    var opener = SourceOpener(folder: folder, layout: layout, options: options)
    try opener.open()
    self = opener.finish()
  }
}

/// Gathers the parts of a checkpoint, folder by folder.
struct SourceOpener {
  let folder: CheckpointFolder
  let layout: SourceLayout
  let options: SourceOptions
  var collector = TensorCollector()
  var openedPaths: [String] = []
  var configs: [ModelPart: ConfigReader] = [:]
  var model: ModelDescription
  var language: LanguageModelConfig?
  var encoder: EncoderConfig?
  /// Folder of the language model's tokenizer and generation_config.json.
  var languageFolder: CheckpointFolder?

  init(folder: CheckpointFolder, layout: SourceLayout, options: SourceOptions) {
    self.folder = folder
    self.layout = layout
    self.options = options
    model = ModelDescription(name: folder.name)
  }

  /// Reads everything but values.
  mutating func open() throws(CheckpointError) {
    try refuseUselessOptions()
    switch layout {
    case .tokenizer:
      languageFolder = folder
      return
    case .encoder: try openEncoder()
    case .languageModel: try openLanguageModel()
    case .llava: try openLLaVA()
    case .llavaStage1: try openStage1()
    case .huggingFaceLlava: try openHuggingFace()
    }
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
    let hasTower = [.languageModel, .llava, .llavaStage1].contains(layout)
    let hasPictures = hasTower || [.encoder, .huggingFaceLlava].contains(layout)
    try refuse("--vision", options.visionFolder != nil && !hasTower)
    try refuse("--llm", options.languageFolder != nil && layout != .llavaStage1)
    try refuse("--adapter", options.adapterFile != nil && !hasTower)
    try refuse("--recipe", options.recipe != nil && !hasPictures)
    try refuse("--template", options.template != nil && [.encoder, .tokenizer].contains(layout))
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

  /// Opens a folder's weights.
  mutating func weights(of folder: CheckpointFolder) throws(CheckpointError) -> WeightSet {
    let set = try folder.weights()
    openedPaths += set.paths
    return set
  }

  /// Opens one weights file.
  mutating func weights(file: String) throws(CheckpointError) -> WeightSet {
    let set = try WeightSet(file: file)
    openedPaths += set.paths
    return set
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
