// SPDX-License-Identifier: Apache-2.0
// A grid of patches, its windows, and the way from one grid to another.

/// Rows and columns of patches; patch `row · columns + column`.
package struct LabelGrid: Sendable, Equatable {
  package let rows: Int
  package let columns: Int

  /// Longest side of a grid.
  package static let maximumSide = 1024

  /// A grid.
  ///
  /// - Precondition: both sides are in 1...`maximumSide`.
  package init(rows: Int, columns: Int) {
    let sides = 1...Self.maximumSide
    precondition(sides.contains(rows) && sides.contains(columns), "grid \(rows)×\(columns)")
    self.rows = rows
    self.columns = columns
  }

  /// Number of patches.
  package var patches: Int { rows * columns }

  /// The patch of this grid that covers the middle of patch `index` of another grid over the same
  /// picture: labels of one encoder can train another.
  ///
  /// - Source: reference.md J.8, G.2 (nearest cell).
  package func nearest(to index: Int, of other: LabelGrid) -> Int {
    precondition(index >= 0 && index < other.patches, "patch \(index) of \(other.patches)")
    let row = (2 * (index / other.columns) + 1) * rows / (2 * other.rows)
    let column = (2 * (index % other.columns) + 1) * columns / (2 * other.columns)
    return row * columns + column
  }

  /// Windows of `side`² patches, row by row; those at the lower and right edges may be smaller.
  package func windows(side: Int) -> LabelGrid {
    LabelGrid(rows: (rows + side - 1) / side, columns: (columns + side - 1) / side)
  }

  /// The patches of a window, row by row, each with its offset in a whole window.
  package func patches(ofWindow index: Int, side: Int) -> [(offset: Int, patch: Int)] {
    let windows = windows(side: side)
    precondition(index >= 0 && index < windows.patches, "window \(index) of \(windows.patches)")
    let (top, left) = (index / windows.columns * side, index % windows.columns * side)
    var result: [(offset: Int, patch: Int)] = []
    for row in top..<min(top + side, rows) {
      for column in left..<min(left + side, columns) {
        result.append(((row - top) * side + column - left, row * columns + column))
      }
    }
    return result
  }

  /// The patch at an offset of a window, or nil outside the grid.
  package func patch(ofWindow index: Int, side: Int, offset: Int) -> Int? {
    let windows = windows(side: side)
    guard offset >= 0, offset < side * side, index >= 0, index < windows.patches else { return nil }
    let row = index / windows.columns * side + offset / side
    let column = index % windows.columns * side + offset % side
    return row < rows && column < columns ? row * columns + column : nil
  }
}
