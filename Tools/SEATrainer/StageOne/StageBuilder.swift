// SPDX-License-Identifier: Apache-2.0
// Puts the model of a stage together: parts from their folders, an adapter or factors old or new.

package import SEACheckpoint
internal import SEADataset
package import SEALayers
package import SEAModel
internal import SEATensor

/// How the frozen parts are held.
package enum FrozenStorage: String, Sendable, CaseIterable {
  case float32 = "f32"
  case bfloat16 = "bf16"
  /// The language model's matrices in int8, the rest in bf16.
  case int8
}

/// The parts of a model that is trained and what they were made of.
package struct StageParts {
  /// Encoder, adapter and language model.
  package let description: ModelDescription
  /// The weights of everything but a new adapter.
  package let source: SourceModel
  /// Tensors that are needed.
  package let specs: [TensorSpec]
  /// The adapter starts from random numbers.
  package let isAdapterNew: Bool
  package let options: TrainingOptions
  /// The low-rank fine-tuning that is gone on with; nil: factors start anew.
  package let start: LowRankStart?

  static let group = 128

  /// Memberwise; see the properties.
  init(
    description: ModelDescription,
    source: SourceModel,
    specs: [TensorSpec],
    isAdapterNew: Bool,
    options: TrainingOptions,
    start: LowRankStart?
  ) {
    self.description = description
    self.source = source
    self.specs = specs
    self.isAdapterNew = isAdapterNew
    self.options = options
    self.start = start
  }

  /// The parts of stage 1.
  ///
  /// - Parameters:
  ///   - source: the checkpoint.
  ///   - layers: those of a new adapter; nil: the checkpoint's own.
  ///   - frozen: how the frozen parts are held.
  ///   - precision: how products are rounded.
  ///   - activations: what is kept for the backward pass.
  ///   - needsLanguage: the language model runs.
  /// - Throws: `TrainerError.usage` when a part is missing, `ModelError`.
  package init(
    _ source: SourceModel,
    adapter layers: Int?,
    frozen: FrozenStorage,
    precision: ProductPrecision,
    activations: ActivationMode,
    needsLanguage: Bool
  ) throws {
    var description = source.model
    guard let encoder = description.encoder else {
      throw TrainerError.usage("no vision encoder: --vision names its folder")
    }
    guard let language = description.language else {
      throw TrainerError.usage("no language model: --llm names its folder")
    }
    if let layers {
      let widths =
        [encoder.featureWidth] + [Int](repeating: language.hidden, count: max(layers, 1))
      description.adapter = AdapterDescription(widths: widths, activation: .geluErf)
    }
    guard let adapter = description.adapter else {
      throw TrainerError.usage("no adapter: --adapter names the type of a new one")
    }
    guard !adapter.needsGrid else {
      throw TrainerError.usage("an adapter whose tokens form a grid cannot be trained here")
    }
    try description.validate()
    var options = TrainingOptions(trained: [.adapter])
    options.precision = precision
    options.activations = activations
    switch frozen {
    case .float32: options.frozenStorage = .float32
    case .bfloat16: options.frozenStorage = .bfloat16
    case .int8: options.frozenStorage = .int8(group: Self.group)
    }
    start = nil
    self.description = description
    self.source = source
    isAdapterNew = layers != nil
    self.options = options
    specs = try TensorPlan(description, policy: PrecisionPolicy(all: .float32)).all.filter { spec in
      switch ModelSection(name: spec.name) {
      case .adapter: true
      case .language: needsLanguage
      case .encoder: Self.isNeeded(spec.name, encoder)
      case .textTower, nil: false
      }
    }
  }

  /// Whether the features come through a tensor of the encoder.
  static func isNeeded(_ name: String, _ encoder: EncoderDescription) -> Bool {
    // Several scales of a picture go through the runtime's layers, which read weights themselves.
    guard encoder.scales.isEmpty else { return false }
    if name.hasPrefix("vision.proj.") || name.hasPrefix("vision.head.") { return false }
    if name.hasPrefix("vision.norm.") { return encoder.selection.appliesFinalNorm }
    let parts = name.split(separator: ".")
    if parts.count > 2, parts[1] == "blk", let block = Int(parts[2]) {
      return block < encoder.selection.layer
    }
    return true
  }

  /// Reads the weights and binds the layers.
  ///
  /// - Parameters:
  ///   - seed: decides the numbers that a new adapter starts from.
  ///   - execution: kernels and threads.
  ///   - progress: called after each tensor with bytes read of all.
  /// - Returns: the model.
  /// - Throws: what the source or `progress` throws, or `LayerError`.
  package func model(
    seed: UInt64,
    on execution: TrainingExecution,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> TrainableModel {
    var parameters = try ParameterSet(specs, storage: options.storage(of:)) {
      options.trains($0.name)
    }
    if let lowRank = options.lowRank { try parameters.addLowRank(lowRank, beside: specs) }
    let total = parameters.byteCount
    var done = 0
    for (index, parameter) in parameters.all.enumerated() {
      if let start, start.contains(parameter.name) {
        try require(start, for: parameter)
        try parameter.load(from: start, with: execution.kernels.inference)
      } else if Self.isFactor(parameter.name) {
        guard start == nil else { throw lacking(parameter.name) }
        initializeFactor(parameter, index: index, seed: seed)
      } else if isAdapterNew, ModelSection(name: parameter.name) == .adapter {
        initialize(parameter, seed: seed)
      } else {
        try parameter.load(from: source, with: execution.kernels.inference)
        source.release(parameter.name)
      }
      done += parameter.byteCount
      try progress(done, total)
    }
    return try TrainableModel(
      description,
      parameters: parameters,
      options: options,
      on: execution
    )
  }

  /// Uniform in ±1/√inputs, weights and biases.
  ///
  /// - Source: PyTorch `nn.Linear.reset_parameters`.
  private func initialize(_ parameter: Parameter, seed: UInt64) {
    guard case .float32(let values) = parameter.values else { return }
    let parts = parameter.name.split(separator: ".")
    guard let adapter = description.adapter, parts.count == 3, let layer = Int(parts[1]) else {
      return
    }
    let bound = 1 / Double(adapter.widths[layer]).squareRoot()
    let isBias = parts[2] == "bias"
    for row in 0..<values.rows {
      var random = CounterRandom(seed: seed, .initialization, layer, isBias ? 1 : 0, row)
      values.withRow(row) { line in
        var line = line
        for index in 0..<line.count { line[index] = Float((random.unit() * 2 - 1) * bound) }
      }
    }
  }
}
