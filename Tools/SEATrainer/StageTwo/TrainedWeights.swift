// SPDX-License-Identifier: Apache-2.0
// A model's weights as they are after training: what was trained from memory, the rest from its files.

package import SEALayers
package import SEAModel
package import SEATensor

/// Trained parameters over the weights that training started from.
///
/// It sees memory, not a copy: what is read is what the optimiser has written by then.
package struct TrainedWeights: WeightSource {
  private let base: any WeightSource
  private let values: [String: TrainedValues]

  /// The parameters in place of the base's tensors of their names.
  package init(_ base: any WeightSource, _ trained: [Parameter]) {
    self.base = base
    values = Dictionary(trained.map { ($0.name, $0.trainedValues) }) { first, _ in first }
  }

  package var model: ModelDescription { base.model }

  /// The type that holds a tensor's values, for tensors that were trained.
  package func isHalf(_ name: String) -> Bool? {
    switch values[name] {
    case .float32: false
    case .bfloat16: true
    case nil: nil
    }
  }

  package func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    switch values[name] {
    case nil: try base.read(name, rows: rows, into: out)
    case .float32(let values): out.copy(from: values.rows(rows))
    case .bfloat16(let values):
      for row in 0..<rows.count {
        let bits = values.rows(rows.lowerBound + row..<rows.lowerBound + row + 1).array()
        out.rows(row..<row + 1).copy(from: bits.map { Float(bitPattern: UInt32($0) << 16) })
      }
    }
  }

  package func release(_ name: String) {
    if values[name] == nil { base.release(name) }
  }
}
