// SPDX-License-Identifier: Apache-2.0
// A stage-1 run from its arguments: plan, model, data, loop, and what is left in the folder.

import SEACheckpoint
import SEACommandLine
import SEADataset
import SEAFormat
import SEAImage
import SEALabels
import SEALayers
import SEAModel
import SEARuntime
import SEATensor
import SEAText
import SEATrainer

/// What `sea train pretrain` does.
struct PretrainSession {
  private let command: PretrainCommand
  private let console: Console
  private let kernels: Kernels
  private let pool: WorkerPool
  private let source: SourceModel
  private let parts: StageParts
  private let stage: StageOneOptions
  private let frozen: FrozenStorage

  /// Opens the model; nothing but headers is read.
  init(_ command: PretrainCommand, _ console: Console) throws {
    self.command = command
    self.console = console
    kernels = try command.compute.kernels()
    pool = WorkerPool(threads: command.compute.threadCount)
    stage = command.stage
    let source = try SourceModel(
      path: command.model.llm,
      options: command.model.parts.sourceOptions
    )
    for path in source.openedPaths { console.explain("reads \(path.printable(limit: 4096))") }
    for line in source.inventory.lines { console.explain(line) }
    let isReplay = command.training.replay != nil
    let frozen = command.model.storage.frozen ?? (isReplay ? .float32 : .bfloat16)
    let precision = command.model.storage.precision ?? (frozen == .float32 ? .float32 : .bfloat16)
    let layers = command.model.adapter ?? (source.model.adapter == nil ? 2 : nil)
    let model = source
    func open(_ activations: ActivationMode) throws -> StageParts {
      try StageParts(
        model,
        adapter: layers,
        frozen: frozen,
        precision: precision,
        activations: activations,
        needsLanguage: !command.stage.alignmentOnly
      )
    }
    var parts = try open(command.model.storage.checkpoint == true ? .recompute : .keep)
    var plan = Self.plan(parts, command)
    let limit = command.training.maxMemory ?? SystemMemory.physical / 10 * 8
    if command.model.storage.checkpoint == nil, plan.total > limit {
      parts = try open(.recompute)
      plan = Self.plan(parts, command)
    }
    self.source = source
    self.frozen = frozen
    self.parts = parts
    try plan.announce(limit: command.training.maxMemory, console)
  }

  private static func plan(_ parts: StageParts, _ command: PretrainCommand) -> StageMemory {
    // Captions take a few dozen rows beside the picture's; what is longer takes accordingly more.
    let visual = parts.description.visualTokens()
    return StageMemory(
      parts,
      options: command.stage,
      rows: min(command.data.maxLength, visual + 128),
      hasLabels: command.alignment.labels != nil || command.training.replay != nil
    )
  }

  // MARK: - Pieces

  private func execution() throws -> TrainingExecution {
    try TrainingExecution(
      kernels: TrainingKernels(kernels),
      pool: pool,
      precision: parts.options.precision
    )
  }

  private func model(on execution: TrainingExecution) throws -> TrainableModel {
    try parts.model(seed: stage.seed, on: execution, console)
  }

  private func encoder(
    _ model: TrainableModel
  ) throws -> ([[Float]]) throws -> [MatrixView<Float>] {
    try parts.encoder(model, kernels: kernels, threads: command.compute.threadCount)
  }

  private func tokenizer() throws -> Tokenizer { try source.tokenizer(of: command.model.llm) }

  private var loop: TrainingLoop {
    TrainingLoop(
      training: command.training,
      optimizer: command.optimizer,
      pool: pool,
      console: console
    )
  }

  /// The peak learning rate.
  private var rate: Double { command.optimizer.lr ?? 1e-3 }

  private var hidden: Int { parts.description.language?.hidden ?? 0 }

  private func temperature() throws -> SEATrainer.Temperature {
    try SEATrainer.Temperature(command.alignment.tauParameter, start: command.alignment.tauInit)
  }

  private func store(of task: StageOne) throws -> ParameterStore {
    try task.store(
      learningRate: rate,
      weightDecay: command.optimizer.weightDecay,
      tauLearningRate: command.alignment.tauLr ?? rate
    )
  }

  // MARK: - Replay

  /// Makes the steps of a replay file.
  func replay(_ path: String) throws {
    let unused = [
      ("--data", command.data.data), ("--labels", command.alignment.labels),
      ("--out", command.training.out),
    ].filter { $0.1 != nil }.map(\.0)
    if !unused.isEmpty {
      console.terminal.note("without effect beside --replay: \(unused.joined(separator: ", "))")
    }
    let execution = try execution()
    let model = try model(on: execution)
    let encode = try encoder(model)
    let data = try Replay(path: path, model: parts.description) { .features(try encode([$0])[0]) }
    if !data.ignoredKeys.isEmpty {
      let names = data.ignoredKeys.map { $0.printable() }.joined(separator: ", ")
      console.explain("\(path.printable(limit: 4096)): keys without effect: \(names)")
    }
    let aligns = data.pairs > 0
    let targets = try aligns ? WordTargets(tokenizer(), source: source, form: .bare) : nil
    let temperature = try aligns ? self.temperature() : nil
    let task = StageOne(
      model,
      loss: LayerAlignmentLoss(on: execution),
      data: data,
      targets: targets,
      temperature: temperature,
      hidden: hidden,
      options: stage
    )
    try loop.replay(task, try store(of: task))
  }

  // MARK: - Training

  /// Runs to the end, or until interrupted.
  func train() throws {
    guard let out = command.training.out, let dataPath = command.data.data else {
      throw CommandError(.usage, "--out and --data are needed")
    }
    let folder = try RunFolder(path: out, resumes: command.training.resume)
    let images = try command.data.images.map { try ImageFolder(path: $0) }
    let template = try Template.named(command.data.template ?? PretrainCommand.template)
    let dataset = try command.data.read(dataPath, images, template, console)
    guard let recipe = parts.description.recipe, let encoder = parts.description.encoder else {
      throw CommandError(.badData, "the model has no image recipe")
    }
    let labels = try command.alignment.labels.map { try LabelFileSource(path: $0, recipe: recipe) }
    let sources = Digest.of(try source.provenance().serialized())
    let execution = try execution()
    let model = try model(on: execution)
    let tokenizer = try tokenizer()
    let features = try PictureFeatures(
      recipe: recipe,
      encoder: encoder,
      identity: [
        model.encoderFingerprint ?? sources, frozen.rawValue, precisionName,
        kernels.instructionSet.rawValue,
      ].joined(separator: " "),
      folder: command.data.cacheFolder(in: folder),
      storage: featureType,
      maxBytes: command.data.featureCacheSize ?? .max,
      on: pool,
      encode: try self.encoder(model)
    )
    features.warn = { console.warn($0) }
    let targets = try labels.map { _ in
      try WordTargets(tokenizer, source: source, form: stage.wordForm)
    }
    let samples = SampleTokenizer(tokenizer, template: template)
    let data = StageOneData(
      dataset,
      images: images,
      tokenizer: samples,
      pictures: features,
      labels: labels,
      targets: targets,
      model: parts.description,
      options: stage
    )
    command.data.warn(of: data, console)
    let temperature = try labels.map { _ in try self.temperature() }
    let task = StageOne(
      model,
      loss: LayerAlignmentLoss(on: execution),
      data: data,
      targets: targets,
      temperature: temperature,
      hidden: hidden,
      options: stage
    )
    let store = try store(of: task)
    let steps = command.training.steps ?? data.totalSteps
    let identity = try identity(sources, dataPath, labels, steps: steps)
    let held = HeldOutSource(
      images: images,
      tokenizer: samples,
      template: template,
      pictures: features,
      options: stage,
      data: command.data
    )
    let evaluation = try command.evaluation.evaluation(model, held, console)
    try loop.run(task, store, folder, identity, steps: steps, evaluation: evaluation)
    try export(model, to: folder.path)
    if data.skipped.long + data.skipped.image > 0 {
      console.warn("left out: \(data.skipped.long) long samples, \(data.skipped.image) pictures")
    }
    let done = "\(out.printable(limit: 4096)): \(steps) steps; mm_projector.bin, "
    try console.output.line(done + "mm_projector.safetensors and config.json are written")
  }

  private var precisionName: String { parts.options.precision.rawValue }

  private var featureType: FeatureStorage {
    command.data.featureType ?? (frozen == .float32 ? .float32 : .float16)
  }

  /// Everything that decides the run's numbers.
  private func identity(
    _ sources: String,
    _ dataPath: String,
    _ labels: LabelFileSource?,
    steps: Int
  ) throws -> RunIdentity {
    var identity = RunIdentity([
      ("version", ModelFile.toolVersion), ("stage", "pretrain"), ("model", sources),
      ("description", Digest.of(parts.description.json.serialized())),
      ("data", try Digest.file(dataPath)), ("labels", labels?.fingerprint ?? "none"),
      ("seed", "\(stage.seed)"), ("steps", "\(steps)"), ("frozen", frozen.rawValue),
      ("precision", precisionName), ("features", featureType.rawValue),
      ("isa", kernels.instructionSet.rawValue),
    ])
    for entry in command.data.identity(
      template: PretrainCommand.template,
      batch: stage.batch,
      grouping: stage.grouping
    ) + command.optimizer.identity(rate: rate, isReplay: false)
      + command.alignment.identity + (try command.evaluation.identity())
    {
      identity.add(entry.name, entry.value)
    }
    return identity
  }

  /// What stage 1 leaves behind in LLaVA's layout.
  private func export(_ model: TrainableModel, to path: String) throws {
    guard let adapter = parts.description.adapter, let encoder = parts.description.encoder else {
      return
    }
    var tensors: [String: [Float]] = [:]
    for parameter in model.trained {
      if case .float32(let values) = parameter.values { tensors[parameter.name] = values.array() }
    }
    try ProjectorExport(
      adapter: adapter,
      tensors: tensors,
      languageFolder: System.absolute(command.model.llm),
      visionFolder: System.absolute(command.model.parts.vision ?? command.model.llm),
      encoder: encoder,
      padsPictures: parts.description.recipe?.padFill != nil
    ).write(to: path)
  }
}
