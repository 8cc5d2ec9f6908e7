// SPDX-License-Identifier: Apache-2.0
// A language model's run from its arguments: shape, plan, text, loop, and the folder that is left.

import SEACheckpoint
import SEACommandLine
import SEADataset
import SEAFormat
import SEALabels
import SEALayers
import SEAModel
import SEATensor
import SEAText
import SEATrainer

/// What `sea train language` does.
struct LanguageSession {
  private let command: LanguageCommand
  private let console: Console
  private let kernels: Kernels
  private let pool: WorkerPool
  private let tokenizer: Tokenizer
  private let tokenizerFolder: String
  private let template: Template
  private let parts: LanguageParts
  private let options: LanguageOptions

  /// Opens the tokenizer and decides the model; no text is read.
  init(_ command: LanguageCommand, _ console: Console) throws {
    self.command = command
    self.console = console
    kernels = try command.compute.kernels()
    pool = WorkerPool(threads: command.compute.threadCount)
    let source = try command.shape.initial.map { path in
      var options = SourceOptions()
      options.template = command.text.template
      return try SourceModel(path: path, options: options)
    }
    for path in source?.openedPaths ?? [] {
      console.explain("reads \(path.printable(limit: 4096))")
    }
    guard let folder = command.shape.tokenizer ?? source?.tokenizerFolder else {
      throw CommandError(
        .missingInput,
        "\((command.shape.initial ?? "").printable(limit: 4096)): no tokenizer here"
      )
    }
    tokenizerFolder = folder
    tokenizer = try Tokenizer(tables: TokenizerCompiler.compile(TokenizerFiles(folder: folder)))
    let language = try Self.language(command.shape, source, tokenizer)
    let name = command.text.template ?? TokenizerFamily(rawValue: language.family)?.template
    template = try source?.model.template ?? Template.named(name ?? "plain")
    // Refuses a template that the tokenizer lacks the marks of.
    let stops = try tokenizer.stopIDs(for: template).map { Int($0) }
    let sequence = command.text.sequence ?? min(256, language.maxPositions)
    guard sequence <= language.maxPositions else {
      throw CommandError(
        .usage,
        "--sequence \(sequence): the model has \(language.maxPositions) positions"
      )
    }
    var options = LanguageOptions()
    options.batch = command.text.batch
    options.sequence = sequence
    options.accumulate = command.text.accumulate
    self.options = options
    let description = ModelDescription(
      name: "language",
      language: language,
      template: template,
      generation: GenerationDefaults(stopIDs: stops, context: language.maxPositions)
    )
    func parts(_ activations: ActivationMode) throws -> LanguageParts {
      try LanguageParts(
        description,
        from: source,
        weights: command.shape.weights.storage,
        precision: command.shape.precision,
        activations: activations
      )
    }
    let rows = options.batch * sequence
    var chosen = try parts(command.shape.checkpoint == true ? .recompute : .keep)
    let limit = command.training.maxMemory ?? SystemMemory.physical / 10 * 8
    if command.shape.checkpoint == nil, chosen.memory(rows: rows).total > limit {
      chosen = try parts(.recompute)
    }
    self.parts = chosen
    try chosen.memory(rows: rows).announce(limit: command.training.maxMemory, console)
  }

  /// The shape: a folder's, a file's, or that of the flags.
  private static func language(
    _ shape: ShapeArguments,
    _ source: SourceModel?,
    _ tokenizer: Tokenizer
  ) throws -> LanguageModelDescription {
    let vocab = tokenizer.count
    var language: LanguageModelDescription
    if let source {
      guard let part = source.model.language else {
        throw CommandError(
          .badData,
          "\((shape.initial ?? "").printable(limit: 4096)): no language model"
        )
      }
      language = part
    } else if let path = shape.configJson {
      let bytes = try MappedFile(path: path).bytes.array()
      let json = try TokenizerFiles.parse(bytes, path: path)
      let read = try LanguageConfiguration(json, path: path)
      language = read.description
      if !read.statesVocabulary { language.vocab = vocab }
    } else {
      language = try LanguageConfiguration(
        shape.configuration(vocab: vocab),
        path: "the shape"
      ).description
    }
    guard language.vocab >= vocab else {
      throw CommandError(
        .badData,
        "the model has \(language.vocab) ids, the tokenizer \(vocab): expected at least as many"
      )
    }
    return language
  }

  // MARK: - Training

  /// Runs to the end, or until interrupted.
  func train() throws {
    guard let out = command.training.out else { throw CommandError(.usage, "--out is needed") }
    let files = try command.text.text.map { try TextFile(path: $0) }
    let heldOutFiles = try command.text.evalText.map { try TextFile(path: $0) }
    let folder = try RunFolder(path: out, resumes: command.training.resume)
    let stream = TextStream(try read(files, "text"), seed: command.training.seed)
    let heldOut =
      heldOutFiles.isEmpty
      ? nil
      : HeldOutText(
        try read(heldOutFiles, "held out"),
        tokens: command.text.evalTokens,
        rows: options.batch * options.sequence
      )
    let tokens = stream.length.multipliedReportingOverflow(by: command.text.epochs)
    let all = tokens.overflow ? Int.max - options.stepTokens : tokens.partialValue
    let steps =
      command.training.steps ?? max((all + options.stepTokens - 1) / options.stepTokens, 1)
    let identity = try identity(steps: steps)
    let execution = try TrainingExecution(
      kernels: TrainingKernels(kernels),
      pool: pool,
      precision: command.shape.precision
    )
    let model = try parts.model(seed: command.training.seed, on: execution)
    let store = try model.tuningStore(
      TuningRates(
        language: rate,
        adapter: 0,
        encoder: 0,
        weightDecay: command.optimizer.weightDecay
      )
    )
    console.terminal.note(
      "\(parts.count) numbers; \(stream.length) tokens of text, \(options.stepTokens) a step"
    )
    let task = LanguageTask(model, stream, options: options)
    var log: HeldOutLog?
    var last: HeldOutText.Result?
    func measure(_ step: Int) throws {
      guard let heldOut else { return }
      if log == nil { log = try HeldOutLog(folder: folder, from: step) }
      let result = try heldOut.measure(model) { try Interruption.check() }
      last = result
      try log?.append(step: step, result)
      console.terminal.note(
        "step \(step)  held-out loss \(Quantity.decimal(result.loss, places: 4))"
      )
    }
    let loop = TrainingLoop(
      training: command.training,
      optimizer: command.optimizer,
      pool: pool,
      console: console
    )
    let start = System.seconds
    try loop.run(task, store, folder, identity, steps: steps) { step in
      if step > 0, step % command.text.evalEvery == 0 { try measure(step) }
    }
    let seconds = System.seconds - start
    try measure(steps)
    try write(model, folder)
    try report(out, steps: steps, seconds: seconds, last)
  }

  private var rate: Double { command.optimizer.lr ?? 2e-3 }

  private func read(_ files: [TextFile], _ label: String) throws -> TextCorpus {
    let start = System.seconds
    let corpus = try TextCorpus(
      files,
      SampleTokenizer(tokenizer, template: template),
      targets: command.text.targets,
      longest: options.sequence
    ) { done, total in
      console.terminal.progress(
        label,
        done: done,
        total: total,
        unit: Quantity.bytes,
        since: start
      )
      try Interruption.check()
    }
    if corpus.omitted > 0 {
      console.warn(
        "\(corpus.omitted) conversations are left out: template \(template.name) has no place for "
          + "their system text"
      )
    }
    return corpus
  }

  /// Everything that decides the run's numbers.
  private func identity(steps: Int) throws -> RunIdentity {
    let text = command.text
    var identity = RunIdentity([
      ("version", ModelFile.toolVersion), ("stage", "language"),
      ("model", try parts.source.map { Digest.of(try $0.provenance().serialized()) } ?? "new"),
      ("description", Digest.of(parts.description.json.serialized())),
      ("tokenizer", try digest(TokenizerFiles.paths(in: tokenizerFolder))),
      ("text", try digest(text.text)), ("seed", "\(command.training.seed)"),
      ("steps", "\(steps)"), ("weights", command.shape.weights.rawValue),
      ("precision", command.shape.precision.rawValue), ("isa", kernels.instructionSet.rawValue),
      ("targets", text.targets.rawValue), ("batch", "\(options.batch)"),
      ("sequence", "\(options.sequence)"), ("accumulate", "\(options.accumulate)"),
    ])
    for entry in command.optimizer.identity(rate: rate, isReplay: false) {
      identity.add(entry.name, entry.value)
    }
    return identity
  }

  private func digest(_ paths: [String]) throws -> String {
    Digest.of(try paths.map { try Digest.file($0) }.joined(separator: " "))
  }

  // MARK: - Result

  private func write(_ model: TrainableModel, _ folder: RunFolder) throws {
    let target = folder.file("model")
    // A run that was complete before has its result: the same inputs make the same.
    guard System.kind(of: target) == nil else {
      console.terminal.note("\(target.printable(limit: 4096)) is there already")
      return
    }
    let start = System.seconds
    try parts.export(
      model,
      to: target,
      tokenizer: tokenizer,
      tokenizerFolder: tokenizerFolder
    ) { progress in
      console.terminal.progress(
        "write",
        done: progress.done,
        total: progress.total,
        unit: Quantity.bytes,
        since: start
      )
      try Interruption.check()
    }
    let usual = TokenizerFamily(rawValue: parts.description.language?.family ?? "")?.template
    if template.name != usual, command.shape.initial == nil {
      console.terminal.note("template: convert with --template \(template.name)")
    }
  }

  private func report(
    _ out: String,
    steps: Int,
    seconds: Double,
    _ heldOut: HeldOutText.Result?
  ) throws {
    guard console.isJSON else {
      let loss = heldOut.map { "; held-out loss \(Quantity.decimal($0.loss, places: 4))" } ?? ""
      try console.output.line(
        "\(out.printable(limit: 4096)): \(steps) steps\(loss); model/ is written"
      )
      return
    }
    try console.output.object(
      schema: "sea.train.language/1",
      [
        ("out", .string(out)), ("steps", .number(JSONNumber(steps))),
        ("parameters", .number(JSONNumber(parts.count))),
        ("step_tokens", .number(JSONNumber(options.stepTokens))),
        ("heldout_loss", heldOut.map { .number(JSONNumber($0.loss)) } ?? .null),
        ("seconds", .number(JSONNumber(seconds))),
      ]
    )
  }
}

extension ShapeArguments {
  /// The flags as the keys of a config.json.
  func configuration(vocab: Int) -> JSONValue {
    let family = family ?? .llama
    let (hidden, heads) = (hidden ?? 192, heads ?? 6)
    // Llama's rule: two thirds of four times the width, in whole lanes.
    let inside = intermediate ?? (hidden * 8 / 3 + 63) / 64 * 64
    func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
    return [
      "model_type": .string(family.rawValue), "vocab_size": number(vocab),
      "hidden_size": number(hidden), "intermediate_size": number(inside),
      "num_hidden_layers": number(layers ?? 4), "num_attention_heads": number(heads),
      "num_key_value_heads": number(kvHeads ?? heads),
      "head_dim": number(headDim ?? hidden / heads),
      "max_position_embeddings": number(context ?? 512),
      "rms_norm_eps": .number(JSONNumber(family == .gemma ? 1e-6 : 1e-5)),
      "tie_word_embeddings": .bool(tie ?? (family == .gemma)),
    ]
  }
}
