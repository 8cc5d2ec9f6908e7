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

  /// Inputs that share a scale when the tensor is packed, padded to a multiple of 32.
  package var group: Int? {
    guard case .int8(let group) = storage else { return nil }
    return group ?? (columns + 31) / 32 * 32
  }

  /// Element type in the file.
  package var elementType: ElementType {
    switch storage {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .int8: .uint8
    }
  }

  /// Shape in the file: logical for plain tensors, bytes for packed ones.
  package var storedShape: [Int] {
    if group != nil { return [byteCount] }
    return isVector && rows == 1 ? [columns] : [rows, columns]
  }

  /// Bytes in the file before padding; 0 when the shape has no layout.
  package var byteCount: Int {
    if let group { return PackedMatrix.byteCount(rows: rows, columns: columns, group: group) ?? 0 }
    return rows * columns * elementType.size
  }
}
