// SPDX-License-Identifier: Apache-2.0
// A stage-2 run from its arguments: plan, model, data, loop, and what is left in the folder.

import SEACheckpoint
import SEACommandLine
import SEADataset
import SEAFormat
import SEAImage
import SEALabels
import SEALayers
import SEAModel
import SEATensor
import SEAText
import SEATrainer

/// What `sea train finetune` does.
struct FinetuneSession {
  private let command: FinetuneCommand
  private let console: Console
  private let kernels: Kernels
  private let pool: WorkerPool
  private let source: SourceModel
  private let parts: StageParts
  private let stage: StageOneOptions
  private let tuning: TuningOptions
  private let rates: TuningRates
  private let isFused: Bool

  /// Opens the model; nothing but headers is read.
  init(_ command: FinetuneCommand, _ console: Console) throws {
    self.command = command
    self.console = console
    kernels = try command.compute.kernels()
    pool = WorkerPool(threads: command.compute.threadCount)
    var stage = command.stage
    rates = command.tuning.rates(command.optimizer)
    var options = command.model.parts.sourceOptions
    options.template = command.data.template
    let source = try SourceModel(path: command.model.path, options: options)
    self.source = source
    for path in source.openedPaths { console.explain("reads \(path.printable(limit: 4096))") }
    for line in source.inventory.lines { console.explain(line) }
    let start = try command.tuning.loraInit.map {
      try LowRankStart(path: $0, model: source.model)
    }
    for path in start?.openedPaths ?? [] {
      console.explain("reads \(path.printable(limit: 4096))")
    }
    var tuning = Self.tuning(command, start)
    func open() throws -> StageParts {
      try StageParts(tuning: source, options: tuning, start: start)
    }
    if command.model.storage.checkpoint == true { tuning.activations = .recompute }
    var parts = try open()
    var isFused = command.memory.fused == .on
    // The samples of a replay are in its file.
    let samples = command.training.replay == nil ? stage.batch * stage.accumulate : stage.sequences
    if isFused { stage.sequences = samples }
    var plan = Self.plan(parts, command, stage, isFused: isFused)
    let limit = command.training.maxMemory ?? SystemMemory.physical / 10 * 8
    if command.model.storage.checkpoint == nil, plan.total > limit {
      tuning.activations = .recompute
      parts = try open()
      plan = Self.plan(parts, command, stage, isFused: isFused)
    }
    if command.memory.fused == .auto, command.isFusible, plan.total > limit {
      var together = stage
      together.sequences = samples
      let other = Self.plan(parts, command, together, isFused: true)
      if other.total < plan.total { (isFused, stage, plan) = (true, together, other) }
    }
    self.stage = stage
    self.isFused = isFused
    self.parts = parts
    self.tuning = tuning
    if isFused { console.terminal.note("the optimiser's step is made within the backward pass") }
    try plan.announce(limit: command.training.maxMemory, console)
  }

  private static func tuning(_ command: FinetuneCommand, _ start: LowRankStart?) -> TuningOptions {
    let isReplay = command.training.replay != nil
    var options = TuningOptions()
    options.lowRank = command.tuning.lowRank(
      isReplay: isReplay,
      start: start.map { ($0.rank, $0.alpha, $0.layers) }
    )
    options.trainsEncoder = command.tuning.visionLr != nil
    options.weights = command.tuning.weights.storage
    options.frozen = command.model.storage.frozen ?? (isReplay ? .float32 : .bfloat16)
    // Where the language model is trained, its type is that of most products.
    let isFloat =
      command.tuning.method == .full
      ? command.tuning.weights == .float32 : options.frozen == .float32
    options.precision = command.model.storage.precision ?? (isFloat ? .float32 : .bfloat16)
    return options
  }

  private static func plan(
    _ parts: StageParts,
    _ command: FinetuneCommand,
    _ stage: StageOneOptions,
    isFused: Bool
  ) -> StageMemory {
    // A conversation takes a few hundred rows beside the picture's; longer ones accordingly more.
    let visual = parts.description.visualTokens()
    return StageMemory(
      parts,
      options: stage,
      rows: min(command.data.maxLength, visual + 512),
      hasLabels: false,
      optimizer: OptimizerMemory(moments: command.memory.moments, isFused: isFused)
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

  private var loop: TrainingLoop {
    TrainingLoop(
      training: command.training,
      optimizer: command.optimizer,
      pool: pool,
      console: console,
      fused: isFused ? command.memory.clipping : nil
    )
  }

  private func store(_ model: TrainableModel) throws -> ParameterStore {
    try model.tuningStore(
      rates,
      moments: command.memory.moments,
      keepsGradients: !isFused
    )
  }

  private func task(
    _ model: TrainableModel,
    _ data: any StageSource,
    on execution: TrainingExecution
  ) -> StageOne {
    StageOne(
      model,
      loss: LayerAlignmentLoss(on: execution),
      data: data,
      targets: nil,
      temperature: nil,
      hidden: parts.description.language?.hidden ?? 0,
      options: stage
    )
  }

  // MARK: - Replay

  /// Makes the steps of a replay file.
  func replay(_ path: String) throws {
    let unused = [("--data", command.data.data), ("--out", command.training.out)]
      .filter { $0.1 != nil }.map(\.0)
    if !unused.isEmpty {
      console.terminal.note("without effect beside --replay: \(unused.joined(separator: ", "))")
    }
    let execution = try execution()
    let model = try parts.model(seed: stage.seed, on: execution, console)
    let encode = try parts.encoder(
      model,
      kernels: kernels,
      threads: command.compute.threadCount
    )
    let isTrained = tuning.trainsEncoder
    let data = try Replay(path: path, model: parts.description) { pixels in
      isTrained ? .pixels(pixels) : .features(try encode([pixels])[0])
    }
    guard data.pairs == 0 else {
      throw TrainerError.badInput(path: path, problem: "samples: only sea train pretrain aligns")
    }
    if !data.ignoredKeys.isEmpty {
      let names = data.ignoredKeys.map { $0.printable() }.joined(separator: ", ")
      console.explain("\(path.printable(limit: 4096)): keys without effect: \(names)")
    }
    try loop.replay(task(model, data, on: execution), try store(model))
  }

  // MARK: - Training

  /// Runs to the end, or until interrupted.
  func train() throws {
    guard let out = command.training.out, let dataPath = command.data.data else {
      throw CommandError(.usage, "--out and --data are needed")
    }
    guard let template = parts.description.template else {
      throw CommandError(.usage, "no conversation template is known: --template names one")
    }
    if command.tuning.method == .full, parts.description.encoder == nil {
      throw CommandError(.usage, "a language model alone is tuned with --method lora")
    }
    let folder = try RunFolder(path: out, resumes: command.training.resume)
    let images = try command.data.images.map { try ImageFolder(path: $0) }
    let dataset = try command.data.read(dataPath, images, template, console)
    if parts.description.encoder == nil, dataset.entries.contains(where: \.hasImage) {
      throw CommandError(.usage, "the records name pictures: --vision names an encoder's folder")
    }
    let sources = Digest.of(try source.provenance().serialized())
    let tokenizer = try source.tokenizer(of: command.model.path)
    let execution = try execution()
    let model = try parts.model(seed: stage.seed, on: execution, console)
    let result = try output(of: model, tokenizer, in: folder)
    let samples = SampleTokenizer(tokenizer, template: template)
    let pictures = try pictures(model, sources, folder)
    let data = StageOneData(
      dataset,
      images: images,
      tokenizer: samples,
      pictures: pictures,
      labels: nil,
      targets: nil,
      model: parts.description,
      options: stage
    )
    command.data.warn(of: data, console)
    let steps = command.training.steps ?? data.totalSteps
    let identity = try identity(sources, dataPath, template, steps: steps)
    let held = HeldOutSource(
      images: images,
      tokenizer: samples,
      template: template,
      pictures: pictures,
      options: stage,
      data: command.data
    )
    let evaluation = try command.evaluation.evaluation(model, held, console)
    try loop.run(
      task(model, data, on: execution),
      try store(model),
      folder,
      identity,
      steps: steps,
      evaluation: evaluation
    )
    try result.write(console)
    if data.skipped.long + data.skipped.image > 0 {
      console.warn("left out: \(data.skipped.long) long samples, \(data.skipped.image) pictures")
    }
    try console.output.line(
      "\(out.printable(limit: 4096)): \(steps) steps; \(result.name)/ is written"
    )
  }

  private func output(
    of model: TrainableModel,
    _ tokenizer: Tokenizer,
    in folder: RunFolder
  ) throws -> FinetuneOutput {
    let output = FinetuneOutput(
      folder: folder,
      source: source,
      path: command.model.path,
      visionPath: command.model.parts.vision,
      tokenizer: tokenizer,
      model: model,
      layout: command.tuning.layout ?? .llava
    )
    try output.check()
    return output
  }

  /// Features of a frozen encoder, or pixels for one that is trained; nil where there is none.
  private func pictures(
    _ model: TrainableModel,
    _ sources: String,
    _ folder: RunFolder
  ) throws -> (any PictureSource)? {
    guard let encoder = parts.description.encoder else { return nil }
    guard let recipe = parts.description.recipe else {
      throw CommandError(.badData, "the model has no image recipe")
    }
    guard !tuning.trainsEncoder else { return PicturePixels(recipe, on: pool) }
    let features = try PictureFeatures(
      recipe: recipe,
      encoder: encoder,
      identity: [
        model.encoderFingerprint ?? sources, tuning.frozen.rawValue, tuning.precision.rawValue,
        kernels.instructionSet.rawValue,
      ].joined(separator: " "),
      folder: command.data.cacheFolder(in: folder),
      storage: featureType,
      maxBytes: command.data.featureCacheSize ?? .max,
      on: pool,
      encode: try parts.encoder(model, kernels: kernels, threads: command.compute.threadCount)
    )
    features.warn = { console.warn($0) }
    return features
  }

  private var featureType: FeatureStorage {
    command.data.featureType ?? (tuning.frozen == .float32 ? .float32 : .float16)
  }

  /// Everything that decides the run's numbers.
  private func identity(
    _ sources: String,
    _ dataPath: String,
    _ template: Template,
    steps: Int
  ) throws -> RunIdentity {
    var identity = RunIdentity([
      ("version", ModelFile.toolVersion), ("stage", "finetune"), ("model", sources),
      ("description", Digest.of(parts.description.json.serialized())),
      ("data", try Digest.file(dataPath)), ("seed", "\(stage.seed)"), ("steps", "\(steps)"),
      ("method", command.tuning.method.rawValue), ("weights", command.tuning.weights.rawValue),
      ("frozen", tuning.frozen.rawValue), ("precision", tuning.precision.rawValue),
      ("features", featureType.rawValue), ("isa", kernels.instructionSet.rawValue),
      ("adapter-lr", "\(rates.adapter)"),
      ("vision-lr", command.tuning.visionLr.map { "\($0)" } ?? "none"),
    ])
    if let lowRank = tuning.lowRank {
      identity.add("rank", "\(lowRank.rank)")
      identity.add("alpha", "\(lowRank.alpha)")
      identity.add("dropout", "\(lowRank.dropout)")
      identity.add("targets", lowRank.layers.sorted().joined(separator: ","))
      let files = try (parts.start?.openedPaths ?? []).map { try Digest.file($0) }
      identity.add("lora-init", files.isEmpty ? "none" : Digest.of(files.joined(separator: " ")))
    }
    for entry in command.data.identity(
      template: template.name,
      batch: stage.batch,
      grouping: stage.grouping
    ) + command.optimizer.identity(rate: rates.language, isReplay: false)
      + command.memory.identity(isFused: isFused, clips: command.optimizer.clip != 0)
      + (try command.evaluation.identity())
    {
      // How many sequences share a sum decides its last bits.
      identity.add(entry.name, entry.name == "sequences" ? "\(stage.sequences)" : entry.value)
    }
    return identity
  }
}
