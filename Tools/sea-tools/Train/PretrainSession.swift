// SPDX-License-Identifier: Apache-2.0
// A stage-1 run from its arguments: plan, model, data, loop, and what is left in the folder.

import SEACheckpoint
import SEACommandLine
import SEADataset
import SEAFormat
import SEAImage
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

  /// Samples that are named one by one when they are left out.
  private static let maxWarnings = 20

  /// Opens the model; nothing but headers is read.
  init(_ command: PretrainCommand, _ console: Console) throws {
    self.command = command
    self.console = console
    kernels = try command.compute.kernels()
    pool = WorkerPool(threads: command.compute.threadCount)
    stage = command.stage
    let source = try SourceModel(path: command.model.llm, options: command.model.sourceOptions)
    for path in source.openedPaths { console.explain("reads \(path.printable(limit: 4096))") }
    for line in source.inventory.lines { console.explain(line) }
    let isReplay = command.training.replay != nil
    let frozen = command.model.frozen ?? (isReplay ? .float32 : .bfloat16)
    let precision = command.model.precision ?? (frozen == .float32 ? .float32 : .bfloat16)
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
    var parts = try open(command.model.checkpoint == true ? .recompute : .keep)
    var plan = Self.plan(parts, command)
    let limit = command.training.maxMemory ?? SystemMemory.physical / 10 * 8
    if command.model.checkpoint == nil, plan.total > limit {
      parts = try open(.recompute)
      plan = Self.plan(parts, command)
    }
    self.source = source
    self.frozen = frozen
    self.parts = parts
    for line in plan.lines {
      console.terminal.note("\(Self.padded(Quantity.bytes(line.bytes)))  \(line.what)")
    }
    console.terminal.note("\(Self.padded(Quantity.bytes(plan.total)))  planned")
    if let limit = command.training.maxMemory, plan.total > limit {
      throw TrainerError.memory(needed: plan.total, limit: limit)
    }
  }

  private static func padded(_ text: String) -> String {
    String(repeating: " ", count: max(0, 10 - text.count)) + text
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
    let start = System.seconds
    return try parts.model(seed: stage.seed, on: execution) { done, total in
      console.terminal.progress(
        "read",
        done: done,
        total: total,
        unit: Quantity.bytes,
        since: start
      )
      try Interruption.check()
    }
  }

  /// Pixels to features: the resident encoder, or the runtime's for several scales.
  private func encoder(_ model: TrainableModel) throws -> ([Float]) throws -> MatrixView<Float> {
    guard parts.description.encoder?.scales.isEmpty == false else {
      return { try model.features(of: $0) }
    }
    let streamed = try StreamedEncoder(
      source,
      on: Execution(kernels: kernels, threads: command.compute.threadCount)
    )
    return { try streamed.features(of: $0) }
  }

  private func tokenizer() throws -> Tokenizer {
    guard let folder = source.tokenizerFolder else {
      throw CommandError(
        .missingInput,
        "\(command.model.llm.printable(limit: 4096)): no tokenizer here"
      )
    }
    return try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: folder)))
  }

  private var hidden: Int { parts.description.language?.hidden ?? 0 }

  private func temperature() throws -> SEATrainer.Temperature {
    try SEATrainer.Temperature(command.alignment.tauParameter, start: command.alignment.tauInit)
  }

  private func store(of task: StageOne) throws -> ParameterStore {
    let optimizer = command.optimizer
    return try task.store(
      learningRate: optimizer.lr,
      weightDecay: optimizer.weightDecay,
      tauLearningRate: command.alignment.tauLr ?? optimizer.lr
    )
  }

  // MARK: - Replay

  /// Makes the steps of a replay file.
  func replay(_ path: String, steps: Int, probe: String?) throws {
    let unused = [
      ("--data", command.data.data), ("--labels", command.alignment.labels),
      ("--out", command.training.out),
    ].filter { $0.1 != nil }.map(\.0)
    if !unused.isEmpty {
      console.terminal.note("without effect beside --replay: \(unused.joined(separator: ", "))")
    }
    let execution = try execution()
    let model = try model(on: execution)
    let data = try Replay(
      path: path,
      model: parts.description,
      encode: try encoder(model)
    )
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
    let store = try store(of: task)
    let collector = StepProbe(store)
    var options = RunOptions(schedule: command.optimizer.schedule(steps: steps, isReplay: true))
    options.optimizer = command.optimizer.options(isReplay: true)
    options.seed = stage.seed
    var observer = RunObserver()
    observer.isStopped = { Interruption.status != nil }
    observer.didAccumulate = { step, losses, norm in
      if probe != nil { collector.takeGradients(step: step, losses: losses, norm: norm) }
    }
    var records: [StepRecord] = []
    observer.didStep = { record in
      records.append(record)
      if probe != nil { collector.takeWeights(step: record.step - 1, tau: temperature?.tau) }
    }
    try TrainingRun.replay(
      task,
      store: store,
      options: options,
      steps: steps,
      on: pool,
      observer
    )
    if let probe { try collector.write(to: probe) }
    for record in records { try tell(record) }
  }

  private func tell(_ record: StepRecord) throws {
    if console.isJSON {
      try console.output.object(
        schema: "sea.train.step/1",
        (record.json.object?.entries ?? []).map { ($0.key, $0.value) }
      )
      return
    }
    func number(_ value: Double?) -> String {
      value.map { Quantity.decimal($0, places: 6) } ?? "-"
    }
    let losses = record.losses
    try console.output.line(
      "step \(record.step)  loss \(number(losses.total))  L_g \(number(losses.generation))  "
        + "L_a \(number(losses.alignment))  tau \(number(losses.temperature))  "
        + "|g| \(number(record.gradientNorm))"
    )
  }

  // MARK: - Training

  /// Runs to the end, or until interrupted.
  func train() throws {
    guard let out = command.training.out, let dataPath = command.data.data else {
      throw CommandError(.usage, "--out and --data are needed")
    }
    let folder = try RunFolder(path: out, resumes: command.training.resume)
    let images = try command.data.images.map { try ImageFolder(path: $0) }
    let template = try Template.named(command.data.template)
    let dataset = try readData(dataPath, images, template)
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
      identity: [sources, frozen.rawValue, precisionName, kernels.instructionSet.rawValue]
        .joined(separator: " "),
      folder: cacheFolder(in: folder),
      storage: featureType,
      maxBytes: command.data.featureCacheSize ?? .max,
      encode: try self.encoder(model)
    )
    features.warn = { console.warn($0) }
    let targets = try labels.map { _ in
      try WordTargets(tokenizer, source: source, form: stage.wordForm)
    }
    let data = StageOneData(
      dataset,
      images: images,
      tokenizer: SampleTokenizer(tokenizer, template: template),
      features: features,
      labels: labels,
      targets: targets,
      model: parts.description,
      options: stage
    )
    let limit = Self.maxWarnings
    data.skip = { [unowned data] reason in
      let count = data.skipped.long + data.skipped.image
      if count <= limit { console.warn("left out: \(reason)") }
      if count == limit { console.warn("what else is left out is counted only") }
    }
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
    try run(task, store, folder, identity, steps: steps)
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

  private func cacheFolder(in folder: RunFolder) -> String? {
    switch command.data.featureCache {
    case "off": nil
    case let path?: path
    case nil: folder.file("features")
    }
  }

  private func readData(
    _ path: String,
    _ images: ImageFolder?,
    _ template: Template
  ) throws -> Dataset {
    let start = System.seconds
    let dataset = try Dataset(
      path: path,
      images: images,
      inspect: { sample in
        // A record whose system text has no place would be trained on without it.
        let fits = sample.system == nil || template.takesSystem || template.discardsUserText
        return fits ? nil : "template \(template.name) has no place for its system text"
      },
      progress: { done, total in
        console.terminal.progress(
          "data",
          done: done,
          total: total,
          unit: Quantity.bytes,
          since: start
        )
        try Interruption.check()
      }
    )
    try dataset.refuseFaults(above: command.data.skipBad ? .max : 0)
    if images == nil, dataset.entries.contains(where: \.hasImage) {
      throw CommandError(.usage, "the records name pictures: --images names their folder")
    }
    if dataset.faultCount > 0 {
      console.warn("\(dataset.faultCount) records cannot be used and are left out")
    }
    console.terminal.note(
      "\(dataset.count) records, \(dataset.entries.count { $0.hasImage }) with a picture"
    )
    return dataset
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
    for entry in command.data.identity + command.optimizer.identity(isReplay: false)
      + command.alignment.identity
    {
      identity.add(entry.name, entry.value)
    }
    return identity
  }

  private func run(
    _ task: StageOne,
    _ store: ParameterStore,
    _ folder: RunFolder,
    _ identity: RunIdentity,
    steps: Int
  ) throws {
    var options = RunOptions(schedule: command.optimizer.schedule(steps: steps, isReplay: false))
    options.optimizer = command.optimizer.options(isReplay: false)
    options.seed = stage.seed
    options.saveEvery = command.training.saveEvery
    options.keep = command.training.keep
    let run = TrainingRun(
      folder: folder,
      identity: identity,
      store: store,
      options: options,
      on: pool
    )
    var observer = RunObserver()
    observer.warn = { console.warn($0) }
    observer.isStopped = { Interruption.status != nil }
    if command.training.resume, try run.resume(observer) {
      console.terminal.note("goes on after step \(run.step)")
    }
    // Only now: what is refused leaves the account of the run there as it is.
    try folder.write(identity.json, to: "run.json")
    let first = run.step
    let start = System.seconds
    var loss = ""
    // Thousandths of steps: a step may take longer than a second, and a large one an hour.
    func show(_ done: Double) {
      console.terminal.progress(
        "step \(run.step)/\(steps)\(loss)",
        done: Int((done - Double(first)) * 1000),
        total: max(steps - first, 1) * 1000,
        unit: { "\(Quantity.decimal(Double($0) / 1000, places: 3)) steps" },
        since: start
      )
    }
    task.didAdvance = { show(Double(run.step) + $0) }
    observer.didStep = { record in
      loss = "  loss \(Quantity.decimal(record.losses.total, places: 4))"
      show(Double(record.step))
    }
    try run.run(task, observer)
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
      visionFolder: System.absolute(command.model.vision ?? command.model.llm),
      encoder: encoder,
      padsPictures: parts.description.recipe?.padFill != nil
    ).write(to: path)
  }
}
