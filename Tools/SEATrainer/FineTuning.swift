// SPDX-License-Identifier: Apache-2.0
// What a program embeds: the tuning of a model on conversations, from folders to a folder.

internal import SEACheckpoint
internal import SEADataset
internal import SEAFormat
internal import SEAImage
internal import SEALabels
internal import SEALayers
internal import SEAModel
internal import SEATensor
internal import SEAText

/// A low-rank fine-tuning of a model of pictures and text, or of a language model alone.
///
/// ```swift
/// import SEATrainer
///
/// var options = FineTuning.Options()
/// options.rank = 16
/// let tuning = try FineTuning(model: "models/sea-gemma-2b", options: options)
/// try tuning.run(data: "data.json", images: "pictures", output: "run") { step in
///   print(step.number, step.loss)
///   return true
/// }
/// ```
///
/// The run's folder is that of `sea train finetune --method lora`: it resumes in the same bits, and its
/// `lora/` is what `sea convert --lora` and `sea merge` take.
public struct FineTuning {
  /// How a model is tuned.
  public struct Options: Sendable {
    /// Rank of the factors beside every linear layer; alpha is twice as much.
    public var rank = 128
    /// Share of inputs that factors do not see in training.
    public var dropout = 0.05
    /// Peak learning rate of the factors.
    public var learningRate = 2e-4
    /// Peak learning rate of the adapter.
    public var adapterLearningRate = 2e-5
    /// Samples of a micro-batch.
    public var batch = 16
    /// Micro-batches of a step.
    public var accumulate = 8
    /// Times that every record is seen.
    public var epochs = 1
    /// Steps between checkpoints.
    public var saveEvery = 100
    /// Decides everything that is drawn.
    public var seed: UInt64 = 0
    /// Moments of a byte a number.
    public var hasByteMoments = false
    /// Conversation template; nil: the model's own.
    public var template: String?
    /// Threads; nil: every core that this process may use.
    public var threads: Int?

    /// The published settings.
    public init() {}
  }

  /// A step that is done.
  public struct Step: Sendable {
    /// Steps so far.
    public let number: Int
    /// Steps of the run.
    public let total: Int
    /// Mean loss of the targets.
    public let loss: Double
    /// Norm of the gradients before clipping.
    public let gradientNorm: Double
  }

  private let path: String
  private let options: Options
  private let source: SourceModel
  private let parts: StageParts

  /// Opens a model; nothing but headers is read.
  ///
  /// - Parameters:
  ///   - model: a checkpoint's folder in any layout that `sea convert` reads.
  ///   - options: settings.
  /// - Throws: an error that says which file or setting is wrong.
  public init(model: String, options: Options = Options()) throws {
    guard (1...4096).contains(options.rank), (0..<1).contains(options.dropout),
      options.batch > 0, options.accumulate > 0, options.epochs > 0, options.saveEvery > 0
    else { throw TrainerError.usage("rank, dropout or a number of samples is out of range") }
    var opening = SourceOptions()
    opening.template = options.template
    path = model
    self.options = options
    source = try SourceModel(path: model, options: opening)
    var tuning = TuningOptions()
    tuning.lowRank = LowRankOptions(
      rank: options.rank,
      alpha: Double(2 * options.rank),
      dropout: options.dropout
    )
    tuning.frozen = .bfloat16
    tuning.precision = .bfloat16
    parts = try StageParts(tuning: source, options: tuning)
  }

  /// Tunes the model, or goes on where a run of the same inputs and options ended in this folder.
  ///
  /// - Parameters:
  ///   - data: records, JSON or JSON lines.
  ///   - images: the folder of their pictures.
  ///   - output: the run's folder.
  ///   - didStep: told of each step; false ends the run with a checkpoint.
  /// - Returns: the path of the fine-tuning in PEFT's form.
  /// - Throws: an error that says what is wrong; a run that was ended says after which step.
  @discardableResult
  public func run(
    data: String,
    images: String? = nil,
    output: String,
    didStep: @escaping (Step) -> Bool = { _ in true }
  ) throws -> String {
    guard let template = parts.description.template else {
      throw TrainerError.usage("no conversation template is known: options.template names one")
    }
    guard let tokenizerFolder = source.tokenizerFolder else {
      throw TrainerError.badInput(path: path, problem: "no tokenizer here")
    }
    let tokenizer = try Tokenizer(
      tables: TokenizerCompiler.compile(TokenizerFiles(folder: tokenizerFolder))
    )
    let folder = try RunFolder(path: output, resumes: true)
    let imageFolder = try images.map { try ImageFolder(path: $0) }
    let dataset = try Dataset(path: data, images: imageFolder)
    try dataset.refuseFaults(above: 0)
    let kernels = try Kernels(named: nil)
    let pool = WorkerPool(threads: options.threads ?? ProcessorCount.available)
    let execution = try TrainingExecution(
      kernels: TrainingKernels(kernels),
      pool: pool,
      precision: .bfloat16
    )
    let model = try parts.model(seed: options.seed, on: execution)
    let identity = try identity(data, template: template.name, kernels)
    let samples = StageOneData(
      dataset,
      images: imageFolder,
      tokenizer: SampleTokenizer(tokenizer, template: template),
      pictures: try pictures(model, identity, folder, on: pool),
      labels: nil,
      targets: nil,
      model: parts.description,
      options: stage
    )
    let task = StageOne(
      model,
      loss: LayerAlignmentLoss(on: execution),
      data: samples,
      targets: nil,
      temperature: nil,
      hidden: parts.description.language?.hidden ?? 0,
      options: stage
    )
    var settings = RunOptions(
      schedule: Schedule(shape: .cosine, totalSteps: samples.totalSteps, warmup: 0.03)
    )
    settings.seed = options.seed
    settings.saveEvery = options.saveEvery
    let run = TrainingRun(
      folder: folder,
      identity: identity,
      store: try model.tuningStore(
        TuningRates(
          language: options.learningRate,
          adapter: options.adapterLearningRate,
          encoder: 0,
          weightDecay: 0
        ),
        moments: options.hasByteMoments ? .bytes : .float32
      ),
      options: settings,
      on: pool
    )
    var isStopped = false
    var observer = RunObserver()
    observer.didStep = { record in
      let step = Step(
        number: record.step,
        total: samples.totalSteps,
        loss: record.losses.total,
        gradientNorm: record.gradientNorm
      )
      if !didStep(step) { isStopped = true }
    }
    observer.isStopped = { isStopped }
    _ = try run.resume(observer)
    try folder.write(identity.json, to: "run.json")
    try run.run(task, observer)
    return try write(model, to: folder.file("lora"))
  }

  // MARK: - Pieces

  private var stage: StageOneOptions {
    var stage = StageOneOptions()
    stage.batch = options.batch
    stage.accumulate = options.accumulate
    stage.epochs = options.epochs
    stage.seed = options.seed
    stage.grouping = .modality
    return stage
  }

  private func identity(
    _ data: String,
    template: String,
    _ kernels: Kernels
  ) throws -> RunIdentity {
    RunIdentity([
      ("version", ModelFile.toolVersion), ("stage", "finetune"),
      ("model", Digest.of(try source.provenance().serialized())),
      ("description", Digest.of(parts.description.json.serialized())),
      ("data", try Digest.file(data)), ("template", template), ("seed", "\(options.seed)"),
      ("rank", "\(options.rank)"), ("dropout", "\(options.dropout)"),
      ("lr", "\(options.learningRate)"), ("adapter-lr", "\(options.adapterLearningRate)"),
      ("batch", "\(options.batch)"), ("accumulate", "\(options.accumulate)"),
      ("epochs", "\(options.epochs)"), ("byte-moments", "\(options.hasByteMoments)"),
      ("isa", kernels.instructionSet.rawValue),
    ])
  }

  private func pictures(
    _ model: TrainableModel,
    _ identity: RunIdentity,
    _ folder: RunFolder,
    on pool: WorkerPool
  ) throws -> (any PictureSource)? {
    guard let encoder = parts.description.encoder else { return nil }
    guard let recipe = parts.description.recipe else {
      throw TrainerError.badInput(path: path, problem: "the model has no image recipe")
    }
    guard encoder.scales.isEmpty else {
      throw TrainerError.usage("an encoder of several scales is for sea train finetune")
    }
    return try PictureFeatures(
      recipe: recipe,
      encoder: encoder,
      identity: "\(identity["model"] ?? "") bf16 \(identity["isa"] ?? "")",
      folder: folder.file("features"),
      storage: .float16,
      on: pool,
      encode: { try model.features(of: $0) }
    )
  }

  /// Writes the factors and what was trained beside them; a result that is there stays.
  private func write(_ model: TrainableModel, to target: String) throws -> String {
    guard !Folders.isTaken(target), let lowRank = model.options.lowRank else { return target }
    let parameters = model.parameters
    let export = LowRankExport(
      model: source.model,
      baseFolder: Folders.absolute(path),
      visionFolder: nil,
      rank: lowRank.rank,
      alpha: lowRank.alpha,
      dropout: lowRank.dropout,
      trained: Set(model.trained.map(\.name)),
      values: { parameters[$0]?.trainedValues.floats ?? [] }
    )
    try export.check()
    try export.write(to: target)
    return target
  }
}
