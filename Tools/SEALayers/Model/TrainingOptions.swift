// SPDX-License-Identifier: Apache-2.0
// What is trained, how values are stored, and how exactly products are computed.

package import SEAModel

/// A section of a multimodal model, as canonical names begin.
package enum ModelSection: String, Sendable, CaseIterable {
  case encoder = "vision"
  case textTower = "vtext"
  case adapter
  case language = "llm"

  /// The section of a canonical name; nil for other names.
  package init?(name: String) {
    guard let prefix = name.split(separator: ".", maxSplits: 1).first else { return nil }
    self.init(rawValue: String(prefix))
  }
}

/// How operands of matrix products are rounded; sums are always f32.
package enum ProductPrecision: String, Sendable, CaseIterable {
  /// Not at all.
  case float32 = "f32"
  /// To bf16: half the time where the processor multiplies bf16.
  case bfloat16 = "bf16"
}

/// What is kept from the forward pass for the backward pass.
package enum ActivationMode: String, Sendable, CaseIterable {
  /// Everything that backward needs, the widest rows as bf16 where products are bf16.
  case keep
  /// The input of each block; the rest is computed again.
  case recompute
}

/// A low-rank fine-tuning of the language model's linear layers.
package struct LowRankOptions: Sendable, Equatable {
  package var rank: Int
  package var alpha: Double
  /// Share of a layer's inputs that the factors do not see in training.
  package var dropout: Double
  /// Layers with factors, by the last part of their names.
  package var layers: Set<String>

  /// Factors beside every linear layer of a block unless `layers` says otherwise.
  package init(
    rank: Int,
    alpha: Double,
    dropout: Double = 0,
    layers: Set<String> = ["q", "k", "v", "o", "gate", "up", "down"]
  ) {
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.layers = layers
  }

  /// Multiplies the factors' product.
  package var scale: Float { Float(alpha / Double(rank)) }
}

/// How a model is trained.
package struct TrainingOptions: Sendable {
  /// Sections whose parameters get gradients.
  package var trained: Set<ModelSection>
  /// Factors beside the language model's layers, which then are frozen.
  package var lowRank: LowRankOptions?
  /// Storage of trained matrices.
  package var trainedStorage: ParameterStorage = .float32
  /// Storage of frozen matrices; int8 is for the language model, other sections then keep bf16.
  package var frozenStorage: ParameterStorage = .float32
  package var precision = ProductPrecision.float32
  package var activations = ActivationMode.keep

  /// Training of some sections in f32.
  package init(trained: Set<ModelSection>) {
    self.trained = trained
  }

  /// Whether a parameter of this name gets a gradient.
  package func trains(_ name: String) -> Bool {
    guard let section = ModelSection(name: name) else { return false }
    if section == .language, lowRank != nil { return false }
    return trained.contains(section)
  }

  /// How a matrix of the plan is stored.
  package func storage(of spec: TensorSpec) -> ParameterStorage {
    guard !trains(spec.name) else { return trainedStorage }
    guard case .int8 = frozenStorage else { return frozenStorage }
    return spec.role == .languageLinear ? frozenStorage : .bfloat16
  }
}
