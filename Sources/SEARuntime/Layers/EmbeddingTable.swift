// SPDX-License-Identifier: Apache-2.0
// Rows of the embedding table.

package import SEATensor

/// The table that turns token ids into rows.
package struct EmbeddingTable: Sendable {
  /// `[vocab, hidden]`.
  package let weight: LinearWeight
  /// Multiplies every row that is looked up.
  package let scale: Float

  /// A table of the given rows.
  package init(weight: LinearWeight, scale: Float) {
    self.weight = weight
    self.scale = scale
  }

  /// Writes the scaled row of a token into `row` (`[1, hidden]`).
  ///
  /// - Throws: `RuntimeError.token` when the id is not in the table, `.weights` when a streamed row
  ///   cannot be read.
  package func look(
    up id: Int32,
    into row: MatrixView<Float>,
    with kernels: Kernels
  ) throws(RuntimeError) {
    let index = Int(id)
    guard index >= 0, index < weight.rows else { throw .token(id: index, vocab: weight.rows) }
    switch weight {
    case .packed(let matrix): matrix.unpack(row: index, into: row)
    case .plain(let matrix): kernels.unpack(matrix, row: index, into: row)
    case .streamed(let matrix): try matrix.read(index..<index + 1, into: row)
    }
    if scale != 1 { kernels.scale(row, by: scale) }
  }
}
