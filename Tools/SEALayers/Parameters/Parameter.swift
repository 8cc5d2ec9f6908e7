// SPDX-License-Identifier: Apache-2.0
// One tensor of a model: its values, and the gradient of a loss where it is trained.

package import SEATensor

/// How the values of a parameter are stored.
package enum ParameterStorage: Sendable, Equatable {
  case float32
  case bfloat16
  /// int8 codes with a scale per output row and `group` inputs (a multiple of 32); never trained.
  case int8(group: Int)

  /// Bytes of a tensor of this shape, or nil when the shape has no layout.
  package func byteCount(rows: Int, columns: Int) -> Int? {
    switch self {
    case .float32: rows * columns * 4
    case .bfloat16: rows * columns * 2
    case .int8(let group): PackedMatrix.byteCount(rows: rows, columns: columns, group: group)
    }
  }
}

/// The values of a parameter; plain ones may be written by whoever optimises.
package enum ParameterValues: Sendable {
  /// `[rows, columns]`.
  case float32(MatrixView<Float>)
  /// `[rows, columns]`, bf16 bits.
  case bfloat16(MatrixView<UInt16>)
  /// Frozen.
  case int8(PackedMatrix)
}

/// A tensor of a model under its canonical name.
///
/// Values are shared memory: a layer that holds the parameter sees what an optimiser writes. Gradients
/// accumulate: every backward pass adds to `gradient`, which is created, zeroed, when the first one
/// needs it; `zeroGradient` and `dropGradient` start over.
package final class Parameter {
  /// Canonical name, as `llm.blk.3.attn.q.weight`; low-rank factors end in `.lora_a`, `.lora_b`.
  package let name: String
  /// Rows (outputs) of a matrix; 1 for a vector.
  package let rows: Int
  /// Columns (inputs) of a matrix; length of a vector.
  package let columns: Int
  /// Gradients are wanted.
  package let isTrained: Bool
  /// Shape in checkpoints: a vector has one dimension.
  package let shape: [Int]

  /// Where the values are; whoever replaces the memory must keep shape and storage.
  package var values: ParameterValues

  /// dL/d values, f32 `[rows, columns]`; nil until a backward pass needs it.
  package private(set) var gradient: MatrixView<Float>?

  /// A parameter of zeros.
  ///
  /// - Parameters:
  ///   - name: canonical name.
  ///   - rows: outputs of a matrix; 1 for a vector.
  ///   - columns: inputs of a matrix; length of a vector.
  ///   - storage: f32 or bf16; int8 parameters are made from their packed values.
  ///   - isTrained: gradients are wanted.
  ///   - isVector: the shape has one dimension.
  /// - Throws: `LayerError.file` when memory cannot be had, `.parameter` for int8.
  package init(
    _ name: String,
    rows: Int,
    columns: Int,
    storage: ParameterStorage,
    isTrained: Bool,
    isVector: Bool = false
  ) throws(LayerError) {
    switch storage {
    case .float32: values = .float32(try allocate(rows: rows, columns: columns))
    case .bfloat16: values = .bfloat16(try allocate(rows: rows, columns: columns))
    case .int8: throw .parameter(name: name, reason: "int8 values are made by packing")
    }
    self.name = name
    self.rows = rows
    self.columns = columns
    self.isTrained = isTrained
    shape = isVector && rows == 1 ? [columns] : [rows, columns]
  }

  /// A frozen int8 matrix.
  package init(_ name: String, packed: PackedMatrix) {
    values = .int8(packed)
    self.name = name
    rows = packed.rows
    columns = packed.columns
    isTrained = false
    shape = [rows, columns]
  }

  /// Number of values.
  package var count: Int { rows * columns }

  /// How the values are stored.
  package var storage: ParameterStorage {
    switch values {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .int8(let packed): .int8(group: packed.group)
    }
  }

  /// Bytes of the values.
  package var byteCount: Int { storage.byteCount(rows: rows, columns: columns) ?? 0 }

  /// The gradient, created when there is none yet.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func requireGradient() throws(LayerError) -> MatrixView<Float> {
    if let gradient { return gradient }
    let created: MatrixView<Float> = try allocate(rows: rows, columns: columns)
    gradient = created
    return created
  }

  /// Uses `memory` (`[rows, columns]`) for the gradient; its content is what further passes add to.
  package func adoptGradient(_ memory: MatrixView<Float>) {
    precondition(memory.rows == rows && memory.columns == columns, "gradient of another shape")
    gradient = memory
  }

  /// Sets the gradient, if there is one, to zero.
  package func zeroGradient() { gradient?.fill(0) }

  /// Gives the gradient's memory back.
  package func dropGradient() { gradient = nil }

  /// f32 values of a parameter that a layer needs in f32 (norms, biases, positions).
  ///
  /// - Throws: `LayerError.parameter` for another storage.
  func floats() throws(LayerError) -> MatrixView<Float> {
    guard case .float32(let values) = values else {
      throw .parameter(name: name, reason: "vectors are stored as f32")
    }
    return values
  }
}
