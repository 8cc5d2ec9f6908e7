// SPDX-License-Identifier: Apache-2.0
// What the training commands share: reading data and weights, the loop with its progress, replays.

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

/// Runs a task to the end of its schedule, or through a few steps of a replay.
struct TrainingLoop {
  let training: RunArguments
  let optimizer: OptimizerArguments
  let pool: WorkerPool
  let console: Console
  /// What gradients are clipped by where the step is made within the backward pass; nil: it is not.
  var fused: FusedClipping?

  private func options(steps: Int, isReplay: Bool) -> RunOptions {
    var options = RunOptions(schedule: optimizer.schedule(steps: steps, isReplay: isReplay))
    options.optimizer = optimizer.options(isReplay: isReplay)
    options.seed = training.seed
    options.saveEvery = training.saveEvery
    options.keep = training.keep
    options.fused = fused
    return options
  }

  /// Makes the steps of a replay, writes the probe and prints a line a step.
  func replay(_ task: StageOne, _ store: ParameterStore) throws {
    let (steps, probe) = (training.steps ?? 1, training.probe)
    let collector = StepProbe(store)
    var observer = RunObserver()
    observer.isStopped = { Interruption.status != nil }
    observer.didAccumulate = { step, losses, norm in
      if probe != nil { collector.takeGradients(step: step, losses: losses, norm: norm) }
    }
    var records: [StepRecord] = []
    observer.didStep = { record in
      records.append(record)
      if probe != nil { collector.takeWeights(step: record.step - 1, tau: task.temperature?.tau) }
    }
    try TrainingRun.replay(
      task,
      store: store,
      options: options(steps: steps, isReplay: true),
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

  /// Runs to the end, or until interrupted; `between` is called before a step changes the model.
  func run(
    _ task: any TrainingTask,
    _ store: ParameterStore,
    _ folder: RunFolder,
    _ identity: RunIdentity,
    steps: Int,
    evaluation: RunEvaluation? = nil,
    between: @escaping (Int) throws -> Void = { _ in }
  ) throws {
    let run = TrainingRun(
      folder: folder,
      identity: identity,
      store: store,
      options: options(steps: steps, isReplay: false),
      on: pool
    )
    run.evaluation = evaluation
    var observer = RunObserver()
    observer.warn = { console.warn($0) }
    observer.isStopped = { Interruption.status != nil }
    observer.didAccumulate = { step, _, _ in try between(step) }
    if training.resume, try run.resume(observer) {
      console.terminal.note("goes on after step \(run.step)")
    }
    // Only now: what is refused leaves the account of the run there as it is.
    try folder.write(identity.json, to: "run.json")
    let first = run.step
    let start = System.seconds
    var (loss, held) = ("", "")
    // Thousandths of steps: a step may take longer than a second, and a large one an hour.
    func show(_ done: Double) {
      console.terminal.progress(
        "step \(run.step)/\(steps)\(loss)\(held)",
        done: Int((done - Double(first)) * 1000),
        total: max(steps - first, 1) * 1000,
        unit: { "\(Quantity.decimal(Double($0) / 1000, places: 3)) steps" },
        since: start
      )
    }
    (task as? any SteadyTask)?.didAdvance = { show(Double(run.step) + $0) }
    observer.didStep = { record in
      loss = "  loss \(Quantity.decimal(record.losses.total, places: 4))"
      if let value = record.losses.others[RunEvaluation.name] {
        held = "  eval \(Quantity.decimal(value, places: 4))"
      }
      show(Double(record.step))
    }
    try run.run(task, observer)
    guard let best = run.state.best else { return }
    let end = evaluation?.patience == nil ? "" : ", which is what is written"
    console.terminal.note(
      "lowest evaluation loss \(Quantity.decimal(best.loss, places: 4)) after step "
        + "\(best.step) of \(run.step)\(end)"
    )
  }
}

extension StageMemory {
  /// Prints the plan and refuses one beyond the limit.
  ///
  /// - Throws: `TrainerError.memory`.
  func announce(limit: Int?, _ console: Console) throws(TrainerError) {
    func padded(_ text: String) -> String {
      String(repeating: " ", count: max(0, 10 - text.count)) + text
    }
    for line in lines {
      console.terminal.note("\(padded(Quantity.bytes(line.bytes)))  \(line.what)")
    }
    console.terminal.note("\(padded(Quantity.bytes(total)))  planned")
    if let limit, total > limit { throw .memory(needed: total, limit: limit) }
  }
}

extension StageParts {
  /// Reads the weights, with progress.
  func model(
    seed: UInt64,
    on execution: TrainingExecution,
    _ console: Console
  ) throws -> TrainableModel {
    let start = System.seconds
    return try model(seed: seed, on: execution) { done, total in
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
  func encoder(
    _ model: TrainableModel,
    kernels: Kernels,
    threads: Int
  ) throws -> ([[Float]]) throws -> [MatrixView<Float>] {
    guard description.encoder?.scales.isEmpty == false else {
      return { try model.features(of: $0) }
    }
    let streamed = try StreamedEncoder(source, on: Execution(kernels: kernels, threads: threads))
    return { try $0.map { try streamed.features(of: $0) } }
  }
}

extension SourceModel {
  /// The checkpoint's tokenizer.
  ///
  /// - Throws: `CommandError` (66) when there is none.
  func tokenizer(of path: String) throws -> Tokenizer {
    guard let tokenizerFolder else {
      throw CommandError(.missingInput, "\(path.printable(limit: 4096)): no tokenizer here")
    }
    return try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: tokenizerFolder)))
  }
}

extension DataArguments {
  /// Samples that are named one by one when they are left out.
  private static let maxWarnings = 20

  /// Indexes the records and refuses those that cannot be used.
  func read(
    _ path: String,
    _ images: ImageFolder?,
    _ template: Template,
    _ console: Console
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
    try dataset.refuseFaults(above: skipBad ? .max : 0)
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

  /// Names the first samples that are left out.
  func warn(of data: StageOneData, _ console: Console) {
    let limit = Self.maxWarnings
    data.skip = { [unowned data] reason in
      let count = data.skipped.long + data.skipped.image
      if count <= limit { console.warn("left out: \(reason)") }
      if count == limit { console.warn("what else is left out is counted only") }
    }
  }

  /// Where features are kept.
  func cacheFolder(in folder: RunFolder) -> String? {
    switch featureCache {
    case "off": nil
    case let path?: path
    case nil: folder.file("features")
    }
  }
}
