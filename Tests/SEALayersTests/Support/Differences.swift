// SPDX-License-Identifier: Apache-2.0
// Central differences of a layer against its backward pass.

import SEALayers
import SEATensor
import TestSupport
import Testing

/// A layer as a scalar function: Σ output · fixed random weights, summed in f64.
struct DifferenceCheck {
  /// What may be perturbed: inputs and parameters, by name.
  var variables: [(name: String, values: MatrixView<Float>)] = []
  /// The function's value.
  var value: () throws -> Double
  /// Computes the analytic gradients, in the order of `variables`.
  var gradients: () throws -> [[Float]]

  /// Compares up to `limit` entries of every variable.
  ///
  /// A difference over 2h is off by h²/6 of the third derivative and by the rounding of the function,
  /// about 1e-7 of its size over h.
  func run(h: Float = 1 / 64, relative: Double = 4e-3, limit: Int = 40) throws {
    let expected = try gradients()
    for (index, variable) in variables.enumerated() {
      let values = variable.values
      let count = values.rows * values.columns
      let step = max(count / limit, 1)
      let largest = expected[index].map { abs(Double($0)) }.max() ?? 0
      for entry in stride(from: 0, to: count, by: step) {
        let (row, column) = (entry / values.columns, entry % values.columns)
        let before = values[row, column]
        values[row, column] = before + h
        let up = try value()
        values[row, column] = before - h
        let down = try value()
        let width = Double(before + h) - Double(before - h)
        values[row, column] = before
        let slope = (up - down) / width
        let found = Double(expected[index][entry])
        #expect(
          abs(slope - found) <= relative * largest + 2e-4,
          "\(variable.name)[\(row), \(column)]: \(found), difference \(slope)"
        )
      }
    }
  }
}

/// Σ a · b in f64.
func product(_ a: MatrixView<Float>, _ b: MatrixView<Float>) -> Double {
  zip(a.array(), b.array()).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
}

/// Random values of a shape.
func matrix(
  _ rows: Int,
  _ columns: Int,
  _ random: inout SeededRandom,
  upTo bound: Float = 1
) throws -> MatrixView<Float> {
  try MatrixView(random.floats(rows * columns, upTo: bound), columns: columns)
}

extension Parameter {
  /// A trained f32 parameter of random values.
  static func random(
    _ name: String,
    _ rows: Int,
    _ columns: Int,
    _ random: inout SeededRandom,
    upTo bound: Float = 0.5,
    around center: Float = 0
  ) throws -> Parameter {
    let parameter = try Parameter(
      name,
      rows: rows,
      columns: columns,
      storage: .float32,
      isTrained: true
    )
    parameter.values = .float32(
      try MatrixView(
        random.floats(rows * columns, upTo: bound).map { $0 + center },
        columns: columns
      )
    )
    return parameter
  }

  /// The f32 values.
  var view: MatrixView<Float> {
    get throws {
      guard case .float32(let values) = values else {
        throw LayerError.parameter(name: name, reason: "not f32")
      }
      return values
    }
  }
}

extension ParameterSet {
  /// Small random values in every parameter, norms around 1.
  func randomize(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for parameter in all {
      let isNorm = parameter.name.contains("norm") && parameter.name.hasSuffix("weight")
      let values = try parameter.view
      values.copy(
        from: random.floats(parameter.count, upTo: 0.4).map { isNorm ? 1 + $0 : $0 }
      )
    }
  }

  /// Zeroes all gradients.
  func clear() { for parameter in all { parameter.zeroGradient() } }
}
