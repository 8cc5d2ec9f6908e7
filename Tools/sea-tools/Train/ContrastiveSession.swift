// SPDX-License-Identifier: Apache-2.0
// A contrastive run from its arguments: plan, data, model, loop, and the model that it leaves.

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

/// What `sea train contrastive` does.
struct ContrastiveSession {
  private let command: ContrastiveCommand
  private let console: Console
  private let kernels: Kernels
  private let pool: WorkerPool
  private let shapes: TowerShapes
  private let encoder: EncoderDescription
  private let texts: TowerTexts
  private let recipe: ImageRecipe
  private let options: ContrastiveOptions

  /// Opens tokenizer and checkpoint; nothing but headers is read.
  init(_ command: ContrastiveCommand, _ console: Console) throws {
    self.command = command
    self.console = console
    kernels = try command.compute.kernels()
    pool = WorkerPool(threads: command.compute.threadCount)
    shapes = try TowerShapes(command.towers)
    options = command.options
    guard let encoder = shapes.model.encoder, let tower = shapes.model.textTower,
      let recipe = shapes.model.recipe
    else { throw CommandError(.usage, "a vision encoder and a text tower are needed") }
    self.encoder = encoder
    self.recipe = recipe
    texts = TowerTexts(shapes.tokenizer, for: tower)
    for path in shapes.source?.openedPaths ?? [] {
      console.explain("reads \(path.printable(limit: 4096))")
    }
  }

  /// Runs to the end, or until interrupted.
  func train() throws {
    guard let out = command.training.out else { throw CommandError(.usage, "--out is needed") }
    let folder = try RunFolder(path: out, resumes: command.training.resume)
    // What could not be written is refused before anything is trained.
    let export = try JointExport(shapes.model, tokenizerFolder: shapes.tokenizerFolder)
    let images = try ImageFolder(path: command.data.images)
    let dataset = try read(command.data.data, images)
    let masks = try command.masks.masks.map { try readMasks($0) }
    if let masks { try refuseStrangers(dataset, masks) }
    let distractors = try distractors(dataset, masks)
    let data = try ContrastiveData(
      dataset,
      images: images,
      pixels: pixels(command.data.imageMemory),
      texts: texts,
      masks: masks,
      distractors: distractors,
      options: options
    )
    data.skip = { console.warn("left out: \($0)") }
    let execution = try TrainingExecution(
      kernels: TrainingKernels(kernels),
      pool: pool,
      precision: command.towers.precision
    )
    let model = try ContrastiveModel(
      shapes.model,
      kind: options.kind,
      hasDenseLoss: masks != nil,
      on: execution
    )
    let pictureBytes = dataset.count * 3 * encoder.imageSide * encoder.imageSide
    let memory = min(pictureBytes, command.data.imageMemory)
    try StageMemory(
      model.memory(batch: options.batch, words: data.wordsOfStep) + [("pictures", memory)]
    ).announce(limit: command.training.maxMemory, console)
    if let source = shapes.source {
      try model.load(from: source)
    } else {
      model.initialize(seed: options.seed)
    }
    let probe = try probe(distractors)
    let steps = command.training.steps ?? data.stepsPerEpoch * command.data.epochs
    let task = ContrastiveTask(
      model,
      data: data,
      options: options,
      probe: probe,
      evaluateEvery: command.masks.evalEvery
    )
    try TrainingLoop(
      training: command.training,
      optimizer: command.optimizer,
      pool: pool,
      console: console
    ).run(task, try model.store(command.rates), folder, try identity(steps: steps), steps: steps)
    try write(model, export, to: folder.file("model"))
    try tell(out, steps: steps, try probe?.figures(of: model) ?? [:])
  }

  // MARK: - Inputs

  private func read(_ path: String, _ images: ImageFolder) throws -> Dataset {
    let start = System.seconds
    let dataset = try Dataset(
      path: path,
      images: images,
      inspect: { $0.image == nil ? "no picture: contrastive training needs one" : nil },
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
    if dataset.faultCount > 0 {
      console.warn("\(dataset.faultCount) records cannot be used and are left out")
    }
    console.terminal.note("\(path.printable(limit: 4096)): \(dataset.count) pictures with captions")
    return dataset
  }

  private func readMasks(_ path: String) throws -> PatchMasks {
    let start = System.seconds
    return try PatchMasks(path: path, grid: encoder.gridSide) { done, total in
      console.terminal.progress(
        "masks",
        done: done,
        total: total,
        unit: Quantity.bytes,
        since: start
      )
      try Interruption.check()
    }
  }

  /// Masks of none of the pictures are those of another folder.
  private func refuseStrangers(_ dataset: Dataset, _ masks: PatchMasks) throws {
    var known = 0
    for index in dataset.entries.indices {
      if let image = try dataset.sample(index).image, masks.knows(image) { known += 1 }
    }
    guard known > 0 else {
      throw CommandError(
        .badData,
        "\((command.masks.masks ?? "").printable(limit: 4096)): no picture of the records has a mask"
      )
    }
    if known < dataset.count {
      console.warn("\(dataset.count - known) of \(dataset.count) pictures have no mask")
    }
  }

  /// The words of the list that no caption and no mask has.
  private func distractors(_ dataset: Dataset, _ masks: PatchMasks?) throws -> [String] {
    guard let path = command.masks.words else { return [] }
    let list = try WordList(path: path)
    var used = Set(masks?.words ?? [])
    for index in dataset.entries.indices {
      for round in try dataset.sample(index).rounds {
        let words = round.answer.lowercased().split { !$0.isLetter && !$0.isNumber }
        for word in words { used.insert(String(word)) }
      }
    }
    return (0..<list.count).map { list[$0] }.filter { !used.contains($0.lowercased()) }
  }

  private func pixels(_ memory: Int) -> PatchPixels {
    PatchPixels(
      recipe,
      side: encoder.imageSide,
      patch: encoder.patchSide,
      maxBytes: memory,
      on: pool
    )
  }

  private func probe(_ distractors: [String]) throws -> PatchProbe? {
    guard let data = command.masks.evalData, let masks = command.masks.evalMasks else { return nil }
    let images = try ImageFolder(path: command.masks.evalImages ?? command.data.images)
    return try PatchProbe(
      try read(data, images),
      images: images,
      pixels: pixels(0),
      texts: texts,
      masks: try readMasks(masks),
      distractors: distractors,
      count: command.masks.evalCount
    )
  }

  // MARK: - Results

  private func write(_ model: ContrastiveModel, _ export: JointExport, to target: String) throws {
    // A run that was complete before has its result: the same inputs make the same.
    guard System.kind(of: target) == nil else {
      console.terminal.note("\(target.printable(limit: 4096)) is there already")
      return
    }
    try export.write(
      to: target,
      logScale: model.logScale.values[0, 0],
      logBias: model.logBias?.values[0, 0] ?? 0,
      values: { model.parameters[$0]?.trainedValues.floats ?? [] }
    )
  }

  private func tell(_ out: String, steps: Int, _ figures: [String: Double]) throws {
    let sorted = figures.sorted { $0.key < $1.key }
    if console.isJSON {
      try console.output.object(
        schema: "sea.train.contrastive/1",
        [("out", .string(out)), ("steps", .number(JSONNumber(steps)))]
          + sorted.map { ($0.key, .number(JSONNumber($0.value))) }
      )
      return
    }
    let shares = sorted.map { "\($0.key) \(Quantity.decimal($0.value, places: 3))" }
    try console.output.line(
      "\(out.printable(limit: 4096)): \(steps) steps; model/ is written"
        + (shares.isEmpty ? "" : "; " + shares.joined(separator: ", "))
    )
  }

  /// Everything that decides the run's numbers.
  private func identity(steps: Int) throws -> RunIdentity {
    func hash(_ path: String?) throws -> String { try path.map { try Digest.file($0) } ?? "none" }
    let tokenizer = try TokenizerFiles.paths(in: shapes.tokenizerFolder).map { try Digest.file($0) }
    var identity = RunIdentity([
      ("version", ModelFile.toolVersion), ("stage", "contrastive"),
      ("loss", options.kind.rawValue),
      ("description", Digest.of(shapes.model.json.serialized())),
      ("init", try shapes.source.map { Digest.of(try $0.provenance().serialized()) } ?? "none"),
      ("tokenizer", Digest.of(tokenizer.joined(separator: " "))),
      ("data", try hash(command.data.data)), ("masks", try hash(command.masks.masks)),
      ("words", try hash(command.masks.words)), ("eval-data", try hash(command.masks.evalData)),
      ("eval-masks", try hash(command.masks.evalMasks)),
      ("eval-every", "\(command.masks.evalEvery)"), ("eval-count", "\(command.masks.evalCount)"),
      ("seed", "\(options.seed)"), ("steps", "\(steps)"), ("batch", "\(options.batch)"),
      ("captions", options.captions.rawValue), ("dense-weight", "\(options.denseWeight)"),
      ("ground-weight", "\(options.groundWeight)"), ("mark-weight", "\(options.markWeight)"),
      ("distractors", "\(options.distractors)"),
      ("skip-bad", "\(command.data.skipBad)"),
      ("precision", command.towers.precision.rawValue), ("isa", kernels.instructionSet.rawValue),
      ("scale-lr", "\(command.rates.scale)"),
    ])
    for entry in command.optimizer.identity(rate: command.rates.towers, isReplay: false) {
      identity.add(entry.name, entry.value)
    }
    return identity
  }
}
