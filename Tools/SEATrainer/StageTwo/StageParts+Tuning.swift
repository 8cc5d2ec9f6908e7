// SPDX-License-Identifier: Apache-2.0
// Puts the model of stage 2 together: what is tuned, in whole or by factors, and what stays frozen.

package import SEACheckpoint
internal import SEADataset
package import SEALayers
internal import SEAModel
internal import SEATensor

/// What of a model is tuned, and how everything is held.
package struct TuningOptions: Sendable {
  /// Factors beside the language model's frozen layers; nil: the language model is tuned in full.
  package var lowRank: LowRankOptions?
  /// The encoder is trained too.
  package var trainsEncoder = false
  /// Storage of trained matrices: f32 or bf16.
  package var weights = ParameterStorage.float32
  /// How frozen parts are held.
  package var frozen = FrozenStorage.float32
  package var precision = ProductPrecision.float32
  package var activations = ActivationMode.keep

  /// Tuning of the language model and the adapter in f32.
  package init() {}
}

extension StageParts {
  /// The parts of stage 2: language model and adapter, the encoder trained or frozen.
  ///
  /// A language model alone is tuned on text.
  /// - Parameters:
  ///   - source: the checkpoint.
  ///   - options: what is tuned.
  ///   - start: a fine-tuning to go on with.
  /// - Throws: `TrainerError.usage` when a part is missing, `ModelError`.
  package init(
    tuning source: SourceModel,
    options: TuningOptions,
    start: LowRankStart? = nil
  ) throws {
    let description = source.model
    guard description.language != nil else {
      throw TrainerError.usage("no language model: --model or --llm names its folder")
    }
    if let encoder = description.encoder {
      guard let adapter = description.adapter else {
        throw TrainerError.usage(
          "no adapter between encoder and language model: --adapter-init names the file of one"
        )
      }
      guard !adapter.needsGrid else {
        throw TrainerError.usage("an adapter whose tokens form a grid cannot be trained here")
      }
      guard encoder.scales.isEmpty || !options.trainsEncoder else {
        throw TrainerError.usage(
          "an encoder that sees several scales cannot be trained: leave out --vision-lr"
        )
      }
    } else {
      guard description.adapter == nil else {
        throw TrainerError.usage("an adapter without a vision encoder: --vision names its folder")
      }
      guard !options.trainsEncoder else {
        throw TrainerError.usage("--vision-lr trains an encoder, and there is none")
      }
    }
    try description.validate()
    var training = TrainingOptions(trained: [.adapter, .language])
    if options.trainsEncoder { training.trained.insert(.encoder) }
    training.lowRank = options.lowRank
    training.trainedStorage = options.weights
    training.precision = options.precision
    training.activations = options.activations
    switch options.frozen {
    case .float32: training.frozenStorage = .float32
    case .bfloat16: training.frozenStorage = .bfloat16
    case .int8: training.frozenStorage = .int8(group: Self.group)
    }
    let plan = try TensorPlan(description, policy: PrecisionPolicy(all: .float32))
    self.init(
      description: description,
      source: source,
      specs: plan.all.filter { spec in
        switch ModelSection(name: spec.name) {
        case .adapter, .language: true
        case .encoder: description.encoder.map { Self.isNeeded(spec.name, $0) } ?? false
        case .textTower, nil: false
        }
      },
      isAdapterNew: false,
      options: training,
      start: start
    )
  }

  /// Whether a parameter is a low-rank factor.
  static func isFactor(_ name: String) -> Bool {
    name.hasSuffix(".lora_a") || name.hasSuffix(".lora_b")
  }

  /// Refuses a tensor of another shape than the parameter's.
  func require(_ start: LowRankStart, for parameter: Parameter) throws(TrainerError) {
    let found = start.size(of: parameter.name)
    guard found.rows == parameter.rows, found.columns == parameter.columns else {
      throw .badInput(
        path: start.path,
        problem: "'\(parameter.name)' is \(found.rows)×\(found.columns), the model needs "
          + "\(parameter.rows)×\(parameter.columns)"
      )
    }
  }

  /// The error for a factor that a fine-tuning does not have.
  func lacking(_ name: String) -> TrainerError {
    .badInput(path: start?.path ?? "", problem: "no tensor for '\(name)'")
  }

  /// `a` uniform in ±1/√inputs, `b` zero: the model starts as it was.
  ///
  /// - Source: PEFT `LoraLayer.reset_lora_parameters`.
  func initializeFactor(_ parameter: Parameter, index: Int, seed: UInt64) {
    guard parameter.name.hasSuffix(".lora_a"), case .float32(let values) = parameter.values else {
      return
    }
    let bound = 1 / Double(max(parameter.columns, 1)).squareRoot()
    for row in 0..<values.rows {
      var random = CounterRandom(seed: seed, .initialization, index, 2, row)
      values.withRow(row) { line in
        var line = line
        for place in 0..<line.count { line[place] = Float((random.unit() * 2 - 1) * bound) }
      }
    }
  }
}
