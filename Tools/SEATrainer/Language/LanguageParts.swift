// SPDX-License-Identifier: Apache-2.0
// A language model to be trained in full: new, or from a folder.

internal import Glibc
package import SEACheckpoint
internal import SEADataset
package import SEALayers
package import SEAModel
internal import SEATensor
package import SEAText

/// What a language model is made of before its first step.
package struct LanguageParts {
  package let description: ModelDescription
  package let options: TrainingOptions
  /// Weights to start from; nil: random ones.
  package let source: SourceModel?
  private let specs: [TensorSpec]

  /// The parts of a model.
  ///
  /// - Parameters:
  ///   - description: has a language model.
  ///   - source: weights to start from; nil: random ones.
  ///   - weights: storage of matrices.
  ///   - precision: how products are rounded.
  ///   - activations: what is kept for the backward pass.
  /// - Throws: `ModelError`.
  package init(
    _ description: ModelDescription,
    from source: SourceModel?,
    weights: ParameterStorage,
    precision: ProductPrecision,
    activations: ActivationMode
  ) throws {
    self.description = description
    self.source = source
    var options = TrainingOptions(trained: [.language])
    options.trainedStorage = weights
    options.precision = precision
    options.activations = activations
    self.options = options
    try description.validate()
    specs = try TensorPlan(description, policy: PrecisionPolicy(all: .float32)).all
  }

  /// Numbers that are trained.
  package var count: Int { specs.reduce(0) { $0 + $1.rows * $1.columns } }

  /// The memory of a run that sees `rows` tokens at a time.
  package func memory(rows: Int) -> StageMemory {
    guard let language = description.language else { return StageMemory([]) }
    let held = specs.reduce(0) { sum, spec in
      let storage = spec.isVector ? .float32 : options.trainedStorage
      let values = storage.byteCount(rows: spec.rows, columns: spec.columns) ?? 0
      return sum + values + spec.rows * spec.columns * 12
    }
    let wide = options.precision == .bfloat16 ? 2 : 4
    let narrow = 3 * language.hidden + 2 * language.queryWidth + 2 * language.kvWidth
    let block = rows * (narrow * 4 + 3 * language.ffn * wide)
    let room = rows * (8 * language.hidden + 3 * language.ffn) * 4
    let blocks =
      options.activations == .keep
      ? language.blocks * block : language.blocks * rows * language.hidden * 4 + block
    return StageMemory([
      ("language model: values, gradients, two moments", held),
      ("language model: activations", blocks + room),
      ("scores", 4 * min(rows * language.vocab, 16 << 20)),
    ])
  }

  /// The model with its first weights.
  ///
  /// Matrices are normal with deviation 0.02, those that add to the residual stream smaller by √(2 ·
  /// blocks), so that its variance does not grow with depth; norms are 1.
  ///
  /// - Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), 2.3.
  /// - Throws: what the source throws, or `LayerError`.
  package func model(seed: UInt64, on execution: TrainingExecution) throws -> TrainableModel {
    let parameters = try ParameterSet(description, options: options)
    let kernels = execution.kernels.inference
    if let source {
      try parameters.load(from: source, with: kernels)
    } else {
      for (index, parameter) in parameters.all.enumerated() {
        try initialize(parameter, index: index, seed: seed, kernels)
      }
    }
    return try TrainableModel(
      description,
      parameters: parameters,
      options: options,
      on: execution
    )
  }

  private func initialize(
    _ parameter: Parameter,
    index: Int,
    seed: UInt64,
    _ kernels: Kernels
  ) throws {
    if parameter.shape.count == 1 {
      if case .float32(let values) = parameter.values { values.fill(1) }
      return
    }
    let name = parameter.name
    let isResidual = name.hasSuffix(".attn.o.weight") || name.hasSuffix(".mlp.down.weight")
    let blocks = Double(max(description.language?.blocks ?? 1, 1))
    let deviation = isResidual ? 0.02 / (2 * blocks).squareRoot() : 0.02
    for row in 0..<parameter.rows {
      var random = CounterRandom(seed: seed, .initialization, index, 3, row)
      let values = (0..<parameter.columns).map { _ in Float(deviation * Self.normal(&random)) }
      switch parameter.values {
      case .float32(let target): target.rows(row..<row + 1).copy(from: values)
      case .bfloat16(let target):
        kernels.convert(
          try MatrixView(values, columns: parameter.columns),
          toBFloat16: target.rows(row..<row + 1)
        )
      case .int8: break
      }
    }
  }

  /// A number of mean 0 and deviation 1.
  ///
  /// - Source: Box and Muller (1958).
  private static func normal(_ random: inout CounterRandom) -> Double {
    let radius = (-2 * log(1 - random.unit())).squareRoot()
    return radius * cos(2 * Double.pi * random.unit())
  }

  /// Writes what was trained as a folder of its own.
  ///
  /// - Throws: `CheckpointError`, or what `step` throws.
  package func export(
    _ model: TrainableModel,
    to path: String,
    tokenizer: Tokenizer,
    tokenizerFolder: String,
    step: (ExportProgress) throws -> Void
  ) throws {
    let weights = TrainedWeights(NoWeights(model: description), model.trained)
    let export = try LanguageExport(
      weights,
      path: path,
      tokenizer: tokenizer,
      tokenizerFolder: tokenizerFolder,
      storedType: { weights.isHalf($0) == true ? .bfloat16 : .float32 }
    )
    try export.write(to: path, step: step)
  }
}

/// A model whose weights are elsewhere.
private struct NoWeights: WeightSource {
  let model: ModelDescription

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    throw ModelError.missingTensor(name: name)
  }

  func release(_ name: String) {}
}
