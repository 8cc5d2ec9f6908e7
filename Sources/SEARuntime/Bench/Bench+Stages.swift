// SPDX-License-Identifier: Apache-2.0
// What each stage of a benchmark does.

import SEAFormat
import SEAImage
import SEAModel
import SEATensor
import SEAText

/// A stage that is ready to be timed.
struct BenchStep {
  /// Times that the work is done in one run.
  var repetitions = 1
  let run: () throws -> Void
}

extension Bench {
  /// Everything that a stage needs before its clock starts.
  func prepare(_ line: BenchMeasure) throws -> BenchStep {
    switch line.stage {
    case .load: BenchStep(run: load)
    case .image: BenchStep { _ = try self.decodePicture() }
    case .encode: try encodeStep()
    case .adapter: try adapterStep()
    case .prefill: try prefillStep(tokens: line.tokens ?? 1)
    case .decode: try decodeStep(tokens: line.tokens ?? 1, depth: line.depth ?? 0)
    case .firstToken: BenchStep(run: firstToken)
    case .memory: BenchStep {}
    }
  }

  private func load() throws {
    let model = try Model(path: path, placement: options.placement)
    if model.language != nil { _ = try Self.generator(model, options, on: execution) }
  }

  private func decodePicture() throws -> (image: PixelImage, pixels: [Float]) {
    let image = try ImageFile.decode(bytes: picture, name: "the benchmark's picture")
    return (image, try model.pixels(of: image).values)
  }

  private func encodeStep() throws -> BenchStep {
    let side = try model.requireEncoder().encoder.inputSide
    let pixels =
      model.description.recipe == nil
      ? [Float](repeating: 0.25, count: 3 * side * side) : try decodePicture().pixels
    return BenchStep { _ = try self.model.encode(pixels, on: self.execution) }
  }

  private func adapterStep() throws -> BenchStep {
    let adapter = try model.requireAdapter()
    let features = try values(
      rows: try model.requireEncoder().encoder.features,
      columns: adapter.adapter.inputWidth
    )
    return BenchStep { _ = try adapter.run(features, on: self.execution) }
  }

  private func prefillStep(tokens: Int) throws -> BenchStep {
    guard let generator else { return BenchStep {} }
    let prompt = try self.prompt(tokens)
    generator.reset()
    return BenchStep { try generator.context.prefill(prompt) }
  }

  /// Fills the context up to `depth`, from what earlier stages left where that is enough.
  private func decodeStep(tokens: Int, depth: Int) throws -> BenchStep {
    guard let generator else { return BenchStep {} }
    let context = generator.context
    if context.cache.count > depth {
      context.cache.truncate(to: depth)
    } else if context.cache.count < depth {
      try context.prefill(PromptEmbedding([.tokens(ids(depth - context.cache.count))]))
    }
    var sampler = Sampler(SamplingOptions(), vocab: context.model.language.vocab)
    return BenchStep(repetitions: tokens) {
      var id: Int32 = 1
      for _ in 0..<tokens {
        try context.decode(id)
        id = Self.choose(&sampler, context)
      }
    }
  }

  private static func choose(_ sampler: inout Sampler, _ context: LanguageContext) -> Int32 {
    context.logits.withRow(0) { (scores: consuming MutableSpan<Float>) in
      sampler.choose(scores.span) ?? 0
    }
  }

  /// What a user waits for: a new picture, a question of usual length, the first token.
  private func firstToken() throws {
    guard let generator else { return }
    generator.reset()
    let image = try ImageFile.decode(bytes: picture, name: "the benchmark's picture")
    let tokens = try generator.encode(image)
    let text = ids(max(model.usualPrompt - tokens.rows.rows, 1))
    try generator.read([Prompt.imageID] + text, images: [tokens])
    var sampler = Sampler(SamplingOptions(), vocab: generator.context.model.language.vocab)
    _ = Self.choose(&sampler, generator.context)
    generator.reset()
  }

  // MARK: - Memory

  /// The most memory that a picture, a prompt and a short answer take, looked at all the time.
  ///
  /// Nothing is timed meanwhile, and no limit is measured, whose buffers would count.
  func measureMemory() throws -> ProcessMemory {
    // As after opening: no page of the file is mapped yet.
    let mapping = model.file.mapping
    mapping.release(0..<mapping.count)
    let isReset = ProcessMemory.resetPeak()
    let sampler = MemorySampler()
    if model.canSeePictures {
      try firstToken()
    } else if model.encoder != nil {
      try encodeStep().run()
    }
    if generator != nil {
      if !model.canSeePictures { try prefillStep(tokens: model.usualPrompt).run() }
      try decodeStep(tokens: 8, depth: model.usualPrompt).run()
    }
    var memory = ProcessMemory.detailed()
    let most = sampler.finish()
    memory.anonymous = most.anonymous
    memory.file = most.file
    // Without a reset the peak is that of the whole run, limits and all.
    if !isReset { memory.peak = most.anonymous + most.file }
    return memory
  }

  // MARK: - Inputs

  /// Token ids from all over the vocabulary.
  func ids(_ count: Int) -> [Int32] {
    let vocab = UInt32(clamping: model.description.language?.vocab ?? 1)
    return (0..<count).map { Int32((UInt32($0) &* 2_654_435_761) % max(vocab, 1)) }
  }

  /// A prompt of `count` positions: a picture's, as far as they go, then tokens.
  private func prompt(_ count: Int) throws -> PromptEmbedding {
    let visual = model.canSeePictures ? min(model.description.visualTokens(), count - 1) : 0
    var segments: [PromptEmbedding.Segment] = []
    if visual > 0, let hidden = model.description.language?.hidden {
      segments.append(.visual(try values(rows: visual, columns: hidden)))
    }
    segments.append(.tokens(ids(count - visual)))
    return PromptEmbedding(segments)
  }

  /// Values in -1…1 without a pattern that a row repeats.
  private func values(rows: Int, columns: Int) throws -> MatrixView<Float> {
    var state: UInt32 = 0x9e37_79b9
    let numbers = (0..<rows * columns).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int32(bitPattern: state) >> 8) / 8_388_608
    }
    return try MatrixView(numbers, columns: columns)
  }
}

extension Model {
  /// A picture can become part of a prompt.
  var canSeePictures: Bool {
    encoder != nil && adapter != nil && language != nil && description.recipe != nil
  }

  /// Positions of a usual prompt: a picture and a question of 32 tokens, else 64.
  package var usualPrompt: Int {
    let positions = canSeePictures ? description.visualTokens() + 32 : 64
    return min(positions, max((description.language?.maxPositions ?? positions) - 128, 1))
  }

  /// The mapped bytes of the matrices that are read most: the language model's, else all.
  var mostReadBytes: ByteView {
    var range: Range<Int>?
    for spec in plan.matrices where spec.name.hasPrefix("llm.") {
      guard let place = file.info(spec.name)?.range else { continue }
      range = (range?.lowerBound ?? place.lowerBound)..<place.upperBound
    }
    let bytes = file.mapping.bytes
    return range.map { bytes.slice($0) } ?? bytes
  }
}

extension BenchReport {
  /// A report without lines.
  init(_ model: Model, cacheType: CacheType, repeats: Int, on execution: Execution) {
    let role: (String, TensorRole) =
      model.language == nil
      ? ("vision.blk.0.mlp.fc1.weight", .encoderLinear)
      : ("llm.blk.0.mlp.up.weight", .languageLinear)
    self.init(
      path: model.path,
      model: model.description.name,
      fileBytes: model.file.mapping.count,
      weights: model.policy.storage(of: role.0, role: role.1).name,
      processor: SystemText.processorName,
      instructionSet: execution.kernels.instructionSet,
      threads: execution.pool.threads,
      cacheType: cacheType,
      repeats: repeats
    )
  }
}
