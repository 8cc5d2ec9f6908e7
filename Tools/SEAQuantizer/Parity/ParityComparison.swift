// SPDX-License-Identifier: Apache-2.0
// Runs a model file and the weights it was made of side by side, block by block.

package import SEAImage
package import SEAModel
package import SEARuntime
import SEATensor

/// A forward pass of the source's weights in f32 beside the model file.
///
/// Both sides start from the same pixels and token ids; from there each goes on with its own values, so
/// errors add up as they do in use. Source weights are read in pieces while they are used and file pages
/// are given back after each block: memory holds activations, not weights.
package struct ParityComparison {
  private let models: ComparedModels
  private let execution: Execution

  private var source: any WeightSource { models.source }
  private var file: Model { models.file }
  private var tensors: FileTensors { models.tensors }
  private var sides: (source: ParitySide, file: ParitySide) { models.sides }

  /// Visual tokens that stand in the language model's prompt at most: enough to pass their error on,
  /// few enough that a verdict on a large model takes seconds.
  private static let visualTokens = 64

  /// Opens the file as a program that runs it does, and checks that it describes the source.
  ///
  /// - Throws: `QuantizerError.differentModels`, `RuntimeError` when the file cannot be opened.
  package init(source: any WeightSource, path: String, on execution: Execution) throws {
    models = try ComparedModels(source: source, path: path, kernels: execution.kernels)
    self.execution = execution
  }

  /// Runs both sides.
  ///
  /// - Parameters:
  ///   - image: what the encoder sees; nil: the built-in picture.
  ///   - progress: called after each block with the blocks done and all blocks.
  ///   - isCancelled: asked as often; true ends the work.
  /// - Returns: how far the file is from its source.
  /// - Throws: `QuantizerError.cancelled`, or what reading either side throws.
  package func run(
    image: PixelImage? = nil,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> ParityVerdict {
    let model = file.description
    var verdict = ParityVerdict(precision: ParityVerdict.Precision(file.plan))
    let total = (model.encoder?.selection.layer ?? 0) + (model.language?.blocks ?? 0)
    var done = 0
    func step() throws {
      done += 1
      progress(done, total)
      if isCancelled() { throw QuantizerError.cancelled }
    }

    var rows: Rows?
    if let encoder = model.encoder {
      let features = try encode(encoder, image ?? BuiltInPicture.image, &verdict, step)
      verdict.features = RowComparison(features.source, features.file)
      rows = features
    }
    if let adapter = model.adapter {
      let tokens = try adapt(adapter, rows)
      verdict.visualTokens = RowComparison(tokens.source, tokens.file)
      rows = tokens
    }
    if let language = model.language {
      try read(language, model.adapter == nil ? nil : rows, &verdict, step)
    }
    return verdict
  }

  /// The same values on both sides.
  private typealias Rows = (source: MatrixView<Float>, file: MatrixView<Float>)

  private func release(_ prefix: String) { models.release(prefix) }
}

// MARK: - Encoder and adapter

extension ParityComparison {
  /// Runs both encoders on a picture.
  private func encode(
    _ encoder: EncoderDescription,
    _ image: PixelImage,
    _ verdict: inout ParityVerdict,
    _ step: () throws -> Void
  ) throws -> Rows {
    let recipe = file.description.recipe ?? ImageRecipe.clipSquare(side: encoder.imageSide)
    let source = try VisionEncoder(encoder, weights: sides.source.weights)
    var pixels = try recipe.run(image).values
    if !encoder.scales.isEmpty {
      pixels = try source.view(pixels, scale: encoder.imageSide, on: execution)
    }
    let stored = try file.requireEncoder()
    let threads = execution.pool.threads
    let sourceScratch = try EncoderScratch(encoder, threads: threads)
    let fileScratch = try stored.scratch(for: execution)
    try source.embed(pixels, scratch: sourceScratch, on: execution)
    try stored.embed(pixels, scratch: fileScratch, on: execution)
    release("vision.patch")
    verdict.visionBlocks.append(RowComparison(sourceScratch.rows, fileScratch.rows))
    for index in source.blocks.indices {
      try source.blocks[index].run(
        sourceScratch.rows,
        store: sourceScratch.store,
        scratch: sourceScratch.block,
        on: execution
      )
      try stored.blocks[index].run(
        fileScratch.rows,
        store: fileScratch.store,
        pairs: fileScratch.pairs,
        scratch: fileScratch.block,
        on: execution
      )
      release("vision.blk.\(index).")
      verdict.visionBlocks.append(RowComparison(sourceScratch.rows, fileScratch.rows))
      try step()
    }
    return (
      try repeated(try source.select(sourceScratch.rows, on: execution), encoder),
      try repeated(try stored.select(fileScratch.rows, on: execution), encoder)
    )
  }

  /// Features as wide as the adapter takes them: all scales run through the same weights, so the
  /// smallest one, which is one tile, stands for the others.
  private func repeated(
    _ features: MatrixView<Float>,
    _ encoder: EncoderDescription
  ) throws -> MatrixView<Float> {
    guard !encoder.scales.isEmpty else { return features }
    let wide = try MatrixView<Float>(rows: features.rows, columns: encoder.featureWidth)
    for scale in encoder.scales.indices {
      wide.columns(scale * encoder.hidden..<(scale + 1) * encoder.hidden).copy(from: features)
    }
    return wide
  }

  /// Runs both adapters, each on its own side's features or on the same built-in ones.
  private func adapt(_ adapter: AdapterDescription, _ rows: Rows?) throws -> Rows {
    let given: Rows
    if let rows {
      given = rows
    } else {
      let features = try BuiltInPrompt.features(width: adapter.inputWidth)
      given = (features, features)
    }
    defer { release("adapter.") }
    return (
      try Adapter(adapter, weights: sides.source.weights).run(given.source, on: execution),
      try file.requireAdapter().run(given.file, on: execution)
    )
  }
}

// MARK: - Language model

extension ParityComparison {
  /// Runs both language models on the prompt, with visual tokens after its first token.
  private func read(
    _ language: LanguageModelDescription,
    _ visual: Rows?,
    _ verdict: inout ParityVerdict,
    _ step: () throws -> Void
  ) throws {
    let ids = BuiltInPrompt.ids(language, tokenizer: file.tokenizer)
    let chosen = Self.evenly(visual?.source.rows ?? 0)
    let source = try ParityReader(
      sides.source,
      language,
      tokens: ids.count + chosen.count,
      on: execution
    )
    let stored = try ParityReader(
      sides.file,
      language,
      tokens: ids.count + chosen.count,
      on: execution
    )
    let scale = Float(file.description.visualScale)
    try source.embed(ids, visual: visual?.source, chosen: chosen, visualScale: scale)
    try stored.embed(ids, visual: visual?.file, chosen: chosen, visualScale: scale)
    verdict.languageBlocks.append(RowComparison(source.rows, stored.rows))
    for index in 0..<language.blocks {
      try source.run(DecoderBlock(index, of: language, weights: sides.source.weights))
      try stored.run(DecoderBlock(index, of: language, weights: sides.file.weights))
      release("llm.blk.\(index).")
      verdict.languageBlocks.append(RowComparison(source.rows, stored.rows))
      try step()
    }
    let head = try HeadComparison(
      language,
      source: (self.source, source.textRows(count: ids.count, visual: chosen.count)),
      file: (tensors, stored.textRows(count: ids.count, visual: chosen.count)),
      on: execution
    )
    verdict.logits = try head.run()
  }

  /// Indices of at most `visualTokens` of `count` rows, evenly spread.
  private static func evenly(_ count: Int) -> [Int] {
    let chosen = min(count, visualTokens)
    return (0..<chosen).map { $0 * count / chosen }
  }
}
