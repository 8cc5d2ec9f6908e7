// SPDX-License-Identifier: Apache-2.0
// Losses, gradients and weights of the first steps as a safetensors file, for comparison.

internal import SEAFormat
internal import SEATensor

/// Collects what `--probe` writes.
///
/// For step K from 0: `stepK.loss`, `.L_g`, `.L_a`, `.grad_norm`, `.tau` (before the step), and by
/// canonical name `stepK.grad.…` before clipping and `stepK.weight.…` after the step.
package final class StepProbe {
  private var tensors: [(name: String, shape: [Int], values: [Float])] = []
  private let store: ParameterStore

  /// A probe of the tensors of a run.
  package init(_ store: ParameterStore) { self.store = store }

  /// Takes losses and gradients.
  package func takeGradients(step: Int, losses: StepLosses, norm: Double) {
    func add(_ name: String, _ value: Double?) {
      guard let value else { return }
      tensors.append(("step\(step).\(name)", [], [Float(value)]))
    }
    add("loss", losses.total)
    add("L_g", losses.generation)
    add("L_a", losses.alignment)
    add("grad_norm", norm)
    add("tau", losses.temperature)
    for parameter in store.parameters {
      guard let gradient = parameter.tensor.gradient else { continue }
      let name = "step\(step).grad.\(parameter.tensor.name)"
      tensors.append((name, parameter.tensor.shape, gradient.array()))
    }
  }

  /// Takes the weights.
  ///
  /// - Parameters:
  ///   - step: the step, counted from 0.
  ///   - tau: the temperature after it.
  package func takeWeights(step: Int, tau: Double?) {
    for parameter in store.parameters {
      let name = "step\(step).weight.\(parameter.tensor.name)"
      tensors.append((name, parameter.tensor.shape, parameter.tensor.trainedValues.floats))
    }
    if let tau { tensors.append(("step\(step).tau_after", [], [Float(tau)])) }
  }

  /// Writes the file.
  ///
  /// - Throws: `TrainerError.format`.
  package func write(to path: String) throws(TrainerError) {
    do throws(FormatError) {
      var writer = try SafetensorsWriter(
        path: path,
        tensors: tensors.map { SafetensorsTensor($0.name, .float32, $0.shape) }
      )
      for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
      try writer.finish()
    } catch {
      throw .format(error)
    }
  }
}
