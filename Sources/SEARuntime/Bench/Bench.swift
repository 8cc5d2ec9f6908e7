// SPDX-License-Identifier: Apache-2.0
// Runs a model's stages in turn, again and again, with the machine's limits between them.

import SEAFormat
import SEAModel
import SEATensor

/// A benchmark of one model file.
///
/// Rounds go through all stages, so that a bad minute of the machine falls on all alike; a limit is
/// measured just before and just after the stage that it binds.
package final class Bench {
  let path: String
  let options: BenchOptions
  let execution: Execution
  let model: Model
  /// The conversation; nil for a file without a language model.
  let generator: Generator?
  let limits: BenchLimits?
  /// A JPEG file.
  let picture: [UInt8]

  private var measures: [BenchMeasure] = []

  /// Opens the model and reads its pages once, so that the page cache is warm.
  ///
  /// - Parameters:
  ///   - path: the model file.
  ///   - options: what to measure.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError` as for `Model` and `Generator`, and when the context is too short for
  ///   what is asked; `BenchError.nothingToMeasure`.
  package init(path: String, options: BenchOptions, on execution: Execution) throws {
    let model = try Model(path: path, placement: options.placement)
    guard let picture = BenchPicture.jpeg() else { throw RuntimeError.file(.outOfMemory(bytes: 0)) }
    self.path = path
    self.options = options
    self.execution = execution
    self.model = model
    self.picture = picture
    let loops = LimitLoops(execution.kernels.instructionSet, on: execution.pool)
    _ = loops.readRate(of: model.file.mapping.bytes)
    limits =
      options.measuresLimits ? BenchLimits(execution, mapped: model.mostReadBytes) : nil
    generator =
      model.language == nil ? nil : try Self.generator(model, options, on: execution)
    measures = lines()
    guard !measures.isEmpty || options.stages.contains(.memory) else {
      throw BenchError.nothingToMeasure(path: path)
    }
  }

  static func generator(
    _ model: Model,
    _ options: BenchOptions,
    on execution: Execution
  ) throws -> Generator {
    let longest = try model.requireLanguage().language.maxPositions
    let prompt = (options.promptTokens + [model.usualPrompt]).max() ?? 0
    let needed = max(prompt, options.depths.max() ?? 0) + options.decodeTokens
    guard needed <= longest else {
      throw RuntimeError.input(
        what: "the prompt with its answer",
        found: "\(needed) positions",
        expected: "at most the model's \(longest)"
      )
    }
    return try Generator(
      model,
      options: GeneratorOptions(
        context: max(needed, min(2048, longest)),
        cacheType: options.cacheType,
        placement: options.placement
      ),
      on: execution
    )
  }

  /// The lines of the report, each with the work that it stands for.
  private func lines() -> [BenchMeasure] {
    var lines: [BenchMeasure] = []
    func add(_ stage: BenchStage, tokens: Int? = nil, depth: Int? = nil, _ work: BenchWork? = nil) {
      guard options.stages.contains(stage) else { return }
      var line = BenchMeasure(stage: stage)
      line.tokens = tokens
      line.depth = depth
      line.work = work
      lines.append(line)
    }
    add(.load)
    if model.description.recipe != nil, model.encoder != nil { add(.image) }
    let (description, policy) = (model.description, model.policy)
    if model.encoder != nil { add(.encode, description.encodeWork(policy)) }
    if model.adapter != nil, model.encoder != nil {
      add(.adapter, description.adapterWork(policy))
    }
    guard let generator else { return lines }
    for tokens in options.promptTokens.isEmpty ? [model.usualPrompt] : options.promptTokens {
      add(.prefill, tokens: tokens, description.prefillWork(tokens: tokens, policy))
    }
    let (count, type) = (options.decodeTokens, generator.context.options.cacheType)
    for depth in options.depths {
      let work = description.decodeWork(depth: depth, tokens: count, cache: type, model.plan)
      add(.decode, tokens: count, depth: depth, work)
    }
    if model.canSeePictures { add(.firstToken, tokens: model.usualPrompt) }
    return lines
  }

  // MARK: - Running

  /// Runs all rounds.
  ///
  /// - Parameters:
  ///   - progress: called before each stage with its name and how many are done of all.
  ///   - isCancelled: asked as often; true ends the work.
  /// - Returns: what was found.
  /// - Throws: `RuntimeError`, `BenchError.cancelled`.
  package func run(
    progress: (_ stage: String, _ done: Int, _ total: Int) -> Void = { _, _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> BenchReport {
    try warm()
    let total = options.repeats * measures.count + (options.stages.contains(.memory) ? 1 : 0)
    var done = 0
    for _ in 0..<options.repeats {
      for index in measures.indices {
        if isCancelled() { throw BenchError.cancelled }
        progress(measures[index].name, done, total)
        try measure(&measures[index])
        done += 1
      }
      try limits?.measureRest()
    }
    var memory: ProcessMemory?
    if options.stages.contains(.memory) {
      if isCancelled() { throw BenchError.cancelled }
      progress(BenchStage.memory.rawValue, done, total)
      memory = try measureMemory()
    }
    var report = BenchReport(
      model,
      cacheType: generator?.context.options.cacheType ?? model.defaultCacheType,
      repeats: options.repeats,
      on: execution
    )
    report.measures = measures
    report.limits = limits?.limits ?? []
    report.memory = memory
    return report
  }

  /// Runs a little of the language model, so that its first measured step finds memory in place.
  private func warm() throws {
    guard let generator, !options.stages.isDisjoint(with: [.prefill, .decode, .firstToken]) else {
      return
    }
    generator.reset()
    try generator.context.prefill(PromptEmbedding([.tokens(ids(32))]))
    try generator.context.decode(0)
  }

  /// Adds one value to a line, with the limit that binds it where limits are measured.
  private func measure(_ line: inout BenchMeasure) throws {
    let stage = try prepare(line)
    let before = line.work.flatMap { limits?.rate(of: $0) }
    let heap = HeapCount.now()
    if options.profiles { execution.pool.profiler.start() }
    let start = MonotonicClock.nanoseconds
    try stage.run()
    let elapsed = Double(max(MonotonicClock.nanoseconds - start, 1)) * 1e-9
    if options.profiles {
      let profile = execution.pool.profiler.finish()
      line.profile = BenchProfile(profile, threads: execution.pool.threads)
    }
    let heapAfter = HeapCount.now()
    let after = line.work.flatMap { limits?.rate(of: $0) }
    let seconds = elapsed / Double(stage.repetitions)
    line.seconds.append(seconds)
    if line.stage == .decode {
      line.heap.append(Double(max(heapAfter.value - heap.value, 0)))
      line.heapMethod = heapAfter.method
    }
    if let work = line.work, let before, let after {
      let rate = (before + after) / 2
      line.limits.append(rate)
      line.shares.append(work.amount / rate / seconds)
    }
  }
}
