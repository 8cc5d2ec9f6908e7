// SPDX-License-Identifier: Apache-2.0
// The learned temperature of the alignment loss.

internal import Glibc
internal import SEATensor

/// What is trained in the temperature's place.
package enum TemperatureParameter: String, Sendable, CaseIterable {
  /// p = ln(1/τ), at most ln 100.
  case logScale = "log-scale"
  /// τ itself.
  case tau
}

/// Where the temperature starts.
package enum TemperatureStart: Sendable, Equatable {
  /// τ = 0.07.
  case clip
  /// p = 0, which is τ = 1: the reading of the paper's "zero temperature".
  case paper
  /// Any τ above 0.
  case tau(Double)

  /// The temperature.
  package var tau: Double {
    switch self {
    case .clip: 0.07
    case .paper: 1
    case .tau(let tau): tau
    }
  }
}

/// τ as a trained number.
package struct Temperature {
  /// Canonical name of the trained number.
  package static let name = "align.temperature"
  /// The largest p: similarities are multiplied by 100 at most.
  package static let maxLogScale = log(100.0)
  /// The smallest τ.
  package static let minTau = 0.01

  package let parameter: TemperatureParameter
  /// One value.
  package let tensor: OwnTensor

  /// A temperature at its start.
  ///
  /// - Throws: `TrainerError.file` when memory cannot be had.
  package init(
    _ parameter: TemperatureParameter,
    start: TemperatureStart
  ) throws(TrainerError) {
    self.parameter = parameter
    let value = parameter == .tau ? start.tau : -log(start.tau)
    tensor = try OwnTensor(Self.name, values: [Float(value)], columns: 1)
  }

  /// τ as it is now.
  package var tau: Double {
    let value = Double(tensor.values[0, 0])
    return parameter == .tau ? value : exp(-value)
  }

  /// Adds dL/dτ to the gradient of what is trained: dL/dp = −τ · dL/dτ.
  package func add(slope: Double) {
    guard let gradient = tensor.gradient else { return }
    gradient[0, 0] += Float(parameter == .tau ? slope : -tau * slope)
  }

  /// Brings the value back into its range after a step.
  package func clamp() {
    switch parameter {
    case .logScale: tensor.values[0, 0] = min(tensor.values[0, 0], Float(Self.maxLogScale))
    case .tau: tensor.values[0, 0] = max(tensor.values[0, 0], Float(Self.minTau))
    }
  }
}
