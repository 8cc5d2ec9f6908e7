// SPDX-License-Identifier: Apache-2.0
// The matrix of a linear layer, wherever it lies.

package import SEAModel
package import SEATensor

/// A weight matrix that is read from its source in pieces whenever it is used.
package struct StreamedMatrix: Sendable {
  /// Canonical tensor name.
  package let name: String
  /// Rows (outputs).
  package let rows: Int
  /// Columns (inputs).
  package let columns: Int
  /// Where the rows come from.
  package let source: any WeightSource

  /// The tensor `name` of `source`.
  package init(name: String, rows: Int, columns: Int, source: any WeightSource) {
    self.name = name
    self.rows = rows
    self.columns = columns
    self.source = source
  }

  /// Reads rows as f32.
  ///
  /// - Throws: `RuntimeError.weights`.
  func read(_ range: Range<Int>, into out: MatrixView<Float>) throws(RuntimeError) {
    do {
      try source.read(name, rows: range, into: out)
    } catch {
      throw .weights(tensor: name, reason: "\(error)")
    }
  }
}

/// A weight matrix `[outputs, inputs]`.
package enum LinearWeight: Sendable {
  /// int8 or int4 panels.
  case packed(PackedMatrix)
  /// f32 or bf16 rows.
  case plain(PlainMatrix)
  /// Rows that are read when they are used.
  case streamed(StreamedMatrix)

  /// Outputs.
  package var rows: Int {
    switch self {
    case .packed(let matrix): matrix.rows
    case .plain(let matrix): matrix.rows
    case .streamed(let matrix): matrix.rows
    }
  }

  /// Inputs.
  package var columns: Int {
    switch self {
    case .packed(let matrix): matrix.columns
    case .plain(let matrix): matrix.columns
    case .streamed(let matrix): matrix.columns
    }
  }

  /// What a layer needs its input to be before threads can share the work.
  var demand: InputDemand {
    switch self {
    case .packed(let matrix): .quantized(group: matrix.group)
    case .plain: .float
    case .streamed: .streaming
    }
  }

  /// Every value is the f32 value that was stored.
  var isExact: Bool {
    switch self {
    case .packed: false
    case .plain(let matrix): matrix.storage == .float32
    case .streamed: true
    }
  }

  /// The layer's weights are unpacked when several tokens multiply them.
  var isUnpacked: Bool {
    guard case .packed(let matrix) = self else { return false }
    return matrix.format == .int4
  }

  /// Units in which the outputs are shared between threads.
  var units: Int {
    switch self {
    case .packed(let matrix): matrix.panels
    case .plain, .streamed: (rows + Self.plainUnit - 1) / Self.plainUnit
    }
  }

  /// Output rows of a range of units.
  func rows(ofUnits units: Range<Int>) -> Range<Int> {
    let size: Int
    if case .packed = self { size = PackedMatrix.panelRows } else { size = Self.plainUnit }
    return min(units.lowerBound * size, rows)..<min(units.upperBound * size, rows)
  }

  private static let plainUnit = 16
}

/// The form of input that a weight matrix multiplies.
enum InputDemand: Equatable {
  case float
  case quantized(group: Int)
  case streaming
}

/// A linear layer: `y = x wᵀ + b`.
package struct Linear: Sendable {
  /// `[outputs, inputs]`.
  package let weight: LinearWeight
  /// `[outputs]`.
  package let bias: FloatVector?

  /// A layer of a weight and an optional bias.
  package init(weight: LinearWeight, bias: FloatVector? = nil) {
    self.weight = weight
    self.bias = bias
  }
}
