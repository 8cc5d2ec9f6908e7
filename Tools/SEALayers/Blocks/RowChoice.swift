// SPDX-License-Identifier: Apache-2.0
// Some rows of many: those that a loss looks at.

package import SEATensor

/// Rows in ascending order, for the last block of a stack: after attention no row needs another one.
package struct RowChoice: Sendable {
  package let rows: [Int]

  /// A choice of rows, ascending.
  package init(_ rows: [Int]) { self.rows = rows }

  package var count: Int { rows.count }

  /// Row `i` of `some` becomes row `rows[i]` of `all`.
  func gather(_ all: MatrixView<Float>, into some: MatrixView<Float>) {
    for (index, row) in rows.enumerated() {
      some.rows(index..<index + 1).copy(from: all.rows(row..<row + 1))
    }
  }

  /// Row `rows[i]` of `all` becomes row `i` of `some`; the others become zero.
  func scatter(_ some: MatrixView<Float>, into all: MatrixView<Float>) {
    all.fill(0)
    for (index, row) in rows.enumerated() {
      all.rows(row..<row + 1).copy(from: some.rows(index..<index + 1))
    }
  }
}

/// The gradient of the rows that were wanted of a stack's output.
package struct KeptGradient {
  package let rows: RowChoice
  /// `[rows, hidden]`.
  package let gradient: MatrixView<Float>

  /// Rows and their gradient.
  package init(rows: RowChoice, gradient: MatrixView<Float>) {
    self.rows = rows
    self.gradient = gradient
  }
}
