// SPDX-License-Identifier: Apache-2.0
// One line of the tensor plan.

package import SEATensor

/// A tensor that a model consists of.
package struct TensorSpec: Sendable, Equatable {
  /// Canonical name, as `llm.blk.3.attn.q.weight`.
  package let name: String
  /// Rows (outputs) of a matrix; 1 for a vector.
  package let rows: Int
  /// Columns (inputs) of a matrix; length of a vector.
  package let columns: Int
  package let role: TensorRole
  package let storage: WeightStorage

  /// True for norms, biases and tables that are stored as plain f32 after everything else.
  package var isVector: Bool { role == .vector }

  /// The layout of a packed tensor, nil for a plain one; a group of a whole row is padded to a multiple
  /// of 32.
  package var format: PackedFormat? {
    switch storage {
    case .float32, .bfloat16: nil
    case .int8(let group): .int8(group: group ?? (columns + 31) / 32 * 32)
    case .int4: .int4
    }
  }

  /// Element type in the file.
  package var elementType: ElementType {
    switch storage {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .int8, .int4: .uint8
    }
  }

  /// Shape in the file: logical for plain tensors, bytes for packed ones.
  package var storedShape: [Int] {
    if format != nil { return [byteCount] }
    return isVector && rows == 1 ? [columns] : [rows, columns]
  }

  /// Bytes in the file before padding; 0 when the shape has no layout.
  package var byteCount: Int {
    if let format { return format.byteCount(rows: rows, columns: columns) ?? 0 }
    return rows * columns * elementType.size
  }
}
