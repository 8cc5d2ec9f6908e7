// SPDX-License-Identifier: Apache-2.0
// What towers start from: random values, or a checkpoint's.

internal import Glibc
package import SEACheckpoint
internal import SEADataset
internal import SEALayers
internal import SEAModel
internal import SEATensor

extension ContrastiveModel {
  /// Draws every value; a tensor's values depend on the seed and its place alone.
  ///
  /// Matrices are normal with deviation 1/√inputs, those that write to the residual stream with
  /// 1/√(inputs · 2 · blocks); tables 0.02, the class token and the probe 1/√hidden. Norms are 1,
  /// biases 0.
  ///
  /// - Source: transformers `CLIPPreTrainedModel._init_weights`, whose scales these are but for fc1.
  package func initialize(seed: UInt64) {
    for (index, parameter) in parameters.all.enumerated() {
      guard case .float32(let values) = parameter.values else { continue }
      let name = parameter.name
      if name.hasSuffix(".bias") { continue }
      if name.contains("norm") {
        values.fill(1)
        continue
      }
      let blocks = name.hasPrefix("vtext") ? tower.blocks : encoder.blocks
      let inputs = Double(parameter.columns)
      let isResidual = name.contains(".blk.") && (name.contains("attn.o") || name.contains("fc2"))
      let deviation =
        if name.contains("embed") || name.hasSuffix(".position") {
          0.02
        } else {
          1 / (inputs * (isResidual ? 2 * Double(max(blocks, 1)) : 1)).squareRoot()
        }
      for row in 0..<values.rows {
        var random = CounterRandom(seed: seed, .initialization, index, row)
        values.withRow(row) { line in
          var line = line
          for column in 0..<line.count { line[column] = Float(random.normal() * deviation) }
        }
      }
    }
  }

  /// Takes the values of a checkpoint of the same shape.
  ///
  /// - Throws: what the source throws.
  package func load(from source: SourceModel) throws {
    try parameters.load(from: source, with: execution.kernels.inference)
  }
}

extension CounterRandom {
  /// A number of the standard normal distribution.
  fileprivate mutating func normal() -> Double {
    let radius = (-2 * log(1 - unit())).squareRoot()
    return radius * cos(2 * Double.pi * unit())
  }
}
