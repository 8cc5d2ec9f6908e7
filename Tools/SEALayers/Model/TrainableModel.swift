// SPDX-License-Identifier: Apache-2.0
// A whole multimodal model: losses of samples and gradients of whatever is trained.

package import SEAModel
package import SEATensor

/// The parts of a model that its parameters hold; absent parts are not needed until they are used.
///
/// - With cached features the encoder's parameters may be left out.
/// - For the alignment loss alone the language model's may be left out.
package final class TrainableModel {
  package let description: ModelDescription
  package let parameters: ParameterSet
  package let options: TrainingOptions
  package let execution: TrainingExecution
  /// Memory of the passes; `release()` gives it back.
  package let workspace = Workspace()

  package let encoder: VisionEncoder?
  package let adapter: Adapter?
  package let language: LanguageModel?

  /// Binds parameters, whose values may be read before or after.
  ///
  /// - Throws: `LayerError.parameter` for parameters that do not fit the description, `.unsupported`
  ///   for parts that the layers lack.
  package init(
    _ description: ModelDescription,
    parameters: ParameterSet,
    options: TrainingOptions,
    on execution: TrainingExecution
  ) throws(LayerError) {
    self.description = description
    self.parameters = parameters
    self.options = options
    self.execution = execution
    if let part = description.encoder, parameters["vision.patch.weight"] != nil {
      encoder = try VisionEncoder(part, in: parameters)
    } else {
      encoder = nil
    }
    if let part = description.adapter, parameters["adapter.0.weight"] != nil {
      adapter = try Adapter(part, in: parameters)
    } else {
      adapter = nil
    }
    if let part = description.language, parameters["llm.norm.weight"] != nil {
      language = try LanguageModel(
        part,
        visualScale: description.visualScale,
        in: parameters,
        lowRank: options.lowRank
      )
    } else {
      language = nil
    }
  }

  /// A model whose weights come from a source.
  ///
  /// - Throws: what the source throws, `ModelError` or `LayerError`.
  package convenience init(
    _ source: any WeightSource,
    options: TrainingOptions,
    on execution: TrainingExecution
  ) throws {
    let parameters = try ParameterSet(source.model, options: options)
    let names = parameters.all.map(\.name).filter {
      !$0.hasSuffix(".lora_a") && !$0.hasSuffix(".lora_b")
    }
    try parameters.load(names, from: source, with: execution.kernels.inference)
    try self.init(source.model, parameters: parameters, options: options, on: execution)
  }

  /// Parameters whose gradients are wanted, in a fixed order.
  package var trained: [Parameter] { parameters.trained }

  private var isEncoderTrained: Bool { options.trained.contains(.encoder) }

  private var isAdapterTrained: Bool { adapter?.isTrained ?? false }

  private var isLanguageTrained: Bool {
    options.trained.contains(.language) || options.lowRank != nil
  }

  /// Bytes of working memory of a pass with gradients, roughly: the memory plan of a run.
  ///
  /// - Parameters:
  ///   - positions: of all samples of the pass, visual tokens included.
  ///   - scored: of all samples.
  ///   - pictures: of all samples.
  /// - Returns: bytes beside the parameters and their gradients.
  package func passBytes(positions: Int, scored: Int, pictures: Int) -> Int {
    var bytes = 0
    let (mode, precision) = (options.activations, options.precision)
    if let language {
      bytes += language.stack.byteCount(rows: positions, mode: mode, precision: precision)
      // Normed and chosen rows and their gradients, and the scores that are kept or in flight.
      bytes +=
        4 * 4 * scored * language.language.hidden + 4
        * min(scored * language.language.vocab, 16 << 20)
      bytes += 2 * execution.pool.threads * 192 * 4 * positions
    }
    if let adapter, let encoder = description.encoder {
      let rows = pictures * encoder.features
      bytes += 4 * rows * (encoder.featureWidth + 4 * (adapter.adapter.widths.max() ?? 0))
    }
    if let encoder {
      let own = isEncoderTrained ? pictures : 1
      bytes += encoder.stack.byteCount(
        rows: own * encoder.encoder.rows,
        mode: isEncoderTrained ? mode : .recompute,
        precision: precision
      )
    }
    return bytes
  }

  /// What a frozen encoder makes of a picture, `[features, featureWidth]`, in memory of its own.
  ///
  /// - Throws: `LayerError`.
  package func features(of pixels: [Float]) throws(LayerError) -> MatrixView<Float> {
    try features(of: [pixels])[0]
  }

  /// What a frozen encoder makes of pictures, `[features, featureWidth]` each, in memory of its own.
  ///
  /// The same whatever pictures go together.
  /// - Throws: `LayerError`.
  package func features(of pictures: [[Float]]) throws(LayerError) -> [MatrixView<Float>] {
    guard let encoder else { throw .missingPart(name: "vision encoder") }
    let count = encoder.encoder.features
    var results: [MatrixView<Float>] = []
    for _ in pictures {
      results.append(try allocate(rows: count, columns: encoder.encoder.hidden))
    }
    let rows = try workspace.floats(
      "features.frozen",
      pictures.count * count,
      encoder.encoder.hidden
    )
    try encoder.forward(
      pictures,
      mode: .recompute,
      isFinal: true,
      into: rows,
      LayerContext(execution, workspace: workspace)
    )
    for (index, result) in results.enumerated() {
      result.copy(from: rows.rows(index * count..<(index + 1) * count))
    }
    return results
  }

  /// Losses of some samples, and the gradients of everything that is trained.
  ///
  /// Gradients are added to those of earlier passes. `onGradient` hears of each parameter once, as soon
  /// as its gradient of this pass is complete and nothing of this pass needs its values any more: an
  /// optimiser may step and drop the gradient there. Parameters that a pass does not reach (an adapter
  /// without pictures) are not announced.
  ///
  /// - Parameters:
  ///   - samples: sequences of any lengths.
  ///   - pass: what is computed.
  ///   - alignment: called once with the adapter's outputs, before the language model runs.
  ///   - onGradient: called on this thread, from the last layer to the first.
  /// - Returns: losses and counts.
  /// - Throws: `LayerError`, or what a closure throws.
  package func forwardBackward(
    _ samples: [TrainingSample],
    pass: PassOptions = PassOptions(),
    alignment: ((VisualTokens) throws -> Void)? = nil,
    onGradient: ((Parameter) throws -> Void)? = nil
  ) throws -> PassResult {
    var context = LayerContext(execution, workspace: workspace)
    context.seed = pass.seed
    context.drops = pass.runsBackward
    context.sink = onGradient
    let pictures = samples.flatMap(\.pictures)
    let features = try features(of: pictures, runsBackward: pass.runsBackward, context)
    var visual: VisualTokens?
    if let features {
      guard let adapter else { throw LayerError.missingPart(name: "adapter") }
      let (rows, ranges) = try adapter.forward(
        features.rows,
        pictures: features.ranges,
        context
      )
      let gradients = try workspace.floats("visual.gradient", rows.rows, rows.columns)
      gradients.fill(0)
      visual = VisualTokens(rows: rows, gradients: gradients, ranges: ranges)
    }
    if let visual { try alignment?(visual) }

    var result = PassResult()
    if pass.generationWeight != 0 || !pass.runsBackward {
      result = try generate(samples, visual, pass, context)
    }
    guard pass.runsBackward, let adapter, let features, let visual else { return result }
    guard isAdapterTrained || isEncoderTrained else { return result }
    if let own = result.visualGradients { execution.add(own, to: visual.gradients) }
    let dfeatures =
      isEncoderTrained
      ? try workspace.floats("visual.dfeatures", features.rows.rows, features.rows.columns) : nil
    try adapter.backward(
      visual.gradients,
      input: features.rows,
      pictures: features.ranges,
      into: dfeatures,
      context
    )
    if let encoder, let dfeatures {
      try encoder.backward(
        dfeatures,
        pictures: pictures.count,
        mode: options.activations,
        context
      )
    }
    return result
  }

  /// The generation loss, its gradients in the language model, and that of the visual tokens.
  private func generate(
    _ samples: [TrainingSample],
    _ visual: VisualTokens?,
    _ pass: PassOptions,
    _ context: LayerContext
  ) throws -> PassResult {
    guard let language else { throw LayerError.missingPart(name: "language model") }
    let batch = try SplicedBatch(samples, pictures: visual?.ranges ?? [])
    let counted = batch.scored.count
    let divisor = max(pass.countedTokens ?? counted, 1)
    let feedsAdapter = visual != nil && (isAdapterTrained || isEncoderTrained)
    var gradients = LanguageModel.Gradients.none
    var visualGradients: MatrixView<Float>?
    if pass.runsBackward, isLanguageTrained || feedsAdapter {
      if let visual, feedsAdapter {
        let rows = try workspace.floats(
          "visual.generation",
          visual.rows.rows,
          visual.rows.columns
        )
        rows.fill(0)
        visualGradients = rows
      }
      gradients = .all(visual: visualGradients)
    }
    let losses = try language.run(
      batch,
      visual: visual?.rows,
      weight: pass.generationWeight / Float(divisor),
      gradients: gradients,
      mode: options.activations,
      context
    )
    var result = PassResult()
    result.countedTokens = counted
    result.positions = batch.rows
    result.generationLoss = losses.reduce(0.0) { $0 + Double($1) } / Double(divisor)
    result.visualGradients = visualGradients
    var start = 0
    for count in batch.scoredCounts {
      result.tokenLosses.append(Array(losses[start..<start + count]))
      start += count
    }
    return result
  }

  /// The features of all pictures, one below the other; nil when there are none.
  private func features(
    of pictures: [TrainingPicture],
    runsBackward: Bool,
    _ context: LayerContext
  ) throws -> (rows: MatrixView<Float>, ranges: [Range<Int>])? {
    guard !pictures.isEmpty else { return nil }
    guard let width = description.adapter?.inputWidth else {
      throw LayerError.missingPart(name: "adapter")
    }
    let isTrained = isEncoderTrained && runsBackward
    var counts: [Int] = []
    for picture in pictures {
      switch picture {
      case .pixels:
        guard let encoder else { throw LayerError.missingPart(name: "vision encoder") }
        counts.append(encoder.encoder.features)
      case .features(let rows):
        guard rows.columns == width, !isTrained else {
          throw LayerError.input(
            what: "a picture",
            found: "\(rows.rows)×\(rows.columns) features",
            expected: isTrained ? "pixels, as the encoder is trained" : "\(width) columns"
          )
        }
        counts.append(rows.rows)
      }
    }
    let rows = try workspace.floats("visual.features", counts.reduce(0, +), width)
    var ranges: [Range<Int>] = []
    for count in counts {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + count)
    }
    if isTrained, let encoder {
      let pixels = pictures.compactMap {
        if case .pixels(let values) = $0 { values } else { nil }
      }
      try encoder.forward(
        pixels,
        mode: options.activations,
        isFinal: false,
        into: rows,
        context
      )
      return (rows, ranges)
    }
    for (picture, range) in zip(pictures, ranges) {
      switch picture {
      case .features(let values): rows.rows(range).copy(from: values)
      case .pixels(let values):
        try encoder?.forward(
          [values],
          mode: .recompute,
          isFinal: true,
          into: rows.rows(range),
          context
        )
      }
    }
    return (rows, ranges)
  }
}
