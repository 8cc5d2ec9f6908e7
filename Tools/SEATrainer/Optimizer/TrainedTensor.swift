// SPDX-License-Identifier: Apache-2.0
// What an optimiser sees of a parameter: values it may write and a gradient.

package import SEATensor

/// The values of a trained tensor.
package enum TrainedValues: Sendable {
  /// `[rows, columns]`.
  case float32(MatrixView<Float>)
  /// `[rows, columns]`, bf16 bits.
  case bfloat16(MatrixView<UInt16>)

  /// A copy, row by row.
  package var floats: [Float] {
    switch self {
    case .float32(let values): values.array()
    case .bfloat16(let values): values.array().map { Float(bitPattern: UInt32($0) << 16) }
    }
  }
}

/// A tensor that is trained.
package protocol TrainedTensor: AnyObject {
  /// Canonical name.
  var name: String { get }
  var rows: Int { get }
  var columns: Int { get }
  /// Shape in files; a vector has one dimension.
  var shape: [Int] { get }
  /// Memory that the forward pass reads.
  var trainedValues: TrainedValues { get }
  /// dL/d values, `[rows, columns]`; nil: it has not been made.
  var gradient: MatrixView<Float>? { get }
  /// Makes a gradient of zeros where there is none.
  ///
  /// A gradient must not come into being with the first pass that needs it: whether a tensor without
  /// one is passed over or moved by its moments alone would then depend on when a run was resumed.
  func makeGradient() throws(TrainerError)
  /// Sets the gradient to zero.
  func zeroGradient()
  /// Gives the gradient's memory back, where it can be made again.
  func dropGradient()
}

extension TrainedTensor {
  /// Keeps the memory, as small tensors may.
  package func dropGradient() { zeroGradient() }
}

/// A tensor of a trainer's own, as the temperature.
package final class OwnTensor: TrainedTensor {
  package let name: String
  package let rows: Int
  package let columns: Int
  /// `[rows, columns]`.
  package let values: MatrixView<Float>
  package let gradient: MatrixView<Float>?

  /// A tensor with these values and a gradient of zeros.
  ///
  /// - Throws: `TrainerError.file` when memory cannot be had.
  package init(_ name: String, values: [Float], columns: Int) throws(TrainerError) {
    do throws(FileError) {
      let matrix = try MatrixView<Float>(values, columns: columns)
      self.values = matrix
      gradient = try MatrixView(rows: matrix.rows, columns: columns)
      rows = matrix.rows
    } catch {
      throw .file(error)
    }
    self.name = name
    self.columns = columns
  }

  package var shape: [Int] { rows == 1 ? [columns] : [rows, columns] }
  package var trainedValues: TrainedValues { .float32(values) }

  package func makeGradient() {}

  package func zeroGradient() { gradient?.fill(0) }
}
