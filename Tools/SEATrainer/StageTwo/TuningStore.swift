// SPDX-License-Identifier: Apache-2.0
// The groups of stage 2: language model, adapter and encoder, each at a rate of its own.

package import SEALayers

/// Peak learning rates of the parts, and the decay of what decays.
package struct TuningRates: Sendable, Equatable {
  /// Of the language model or its factors.
  package var language: Double
  package var adapter: Double
  package var encoder: Double
  package var weightDecay: Double

  /// Memberwise.
  package init(language: Double, adapter: Double, encoder: Double, weightDecay: Double) {
    self.language = language
    self.adapter = adapter
    self.encoder = encoder
    self.weightDecay = weightDecay
  }
}

extension TrainableModel {
  /// Everything that is tuned, with its moments.
  ///
  /// Norms and biases are in groups without decay.
  /// - Parameters:
  ///   - rates: of the groups.
  ///   - moments: how moments are stored.
  ///   - keepsGradients: false where gradients come and go within a pass.
  /// - Returns: the store.
  /// - Throws: `TrainerError.file` when memory cannot be had.
  /// - Source: LLaVA `llava_trainer.py`, `create_optimizer`; reference.md H.1.
  package func tuningStore(
    _ rates: TuningRates,
    moments: MomentType = .float32,
    keepsGradients: Bool = true
  ) throws(TrainerError) -> ParameterStore {
    let parts = [
      ("language model", rates.language), ("adapter", rates.adapter),
      ("vision encoder", rates.encoder),
    ]
    let groups = parts.flatMap { name, rate in
      [
        ParameterGroup(name: name, learningRate: rate, weightDecay: rates.weightDecay),
        ParameterGroup(name: "\(name), norms and biases", learningRate: rate, weightDecay: 0),
      ]
    }
    return try ParameterStore(
      groups: groups,
      moments: moments,
      keepsGradients: keepsGradients,
      trained.map { ($0, Self.group(of: $0.name)) }
    )
  }

  private static func group(of name: String) -> Int {
    let part =
      switch ModelSection(name: name) {
      case .adapter: 1
      case .encoder: 2
      default: 0
      }
    let layer = name.split(separator: ".").dropLast().last ?? ""
    return 2 * part + (name.hasSuffix(".bias") || layer.contains("norm") ? 1 : 0)
  }
}
