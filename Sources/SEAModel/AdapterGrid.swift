// SPDX-License-Identifier: Apache-2.0
// Which cells of an adapter's grid become visual tokens.

package import SEAImage

/// The cells of a square grid that show the picture and not its padding.
package struct GridCells: Sendable, Equatable {
  /// Cells along one side of the whole grid.
  package let side: Int
  /// Lines that are kept.
  package let rows: Range<Int>
  /// Columns that are kept.
  package let columns: Range<Int>

  /// The whole grid.
  package init(side: Int) {
    self.side = side
    rows = 0..<side
    columns = 0..<side
  }

  /// The cells that a picture covers which was padded to a square, centred.
  ///
  /// As many cells are cut on either side, rounded down; at least one line and column stays.
  ///
  /// - Parameters:
  ///   - side: cells along one side of the grid.
  ///   - picture: the picture before padding, in pixels.
  /// - Source: Cambrian `unpad_image`, which divides in double precision and truncates.
  package init(side: Int, of picture: ImageSize) {
    let (width, height) = (Double(picture.width), Double(picture.height))
    let isWide = width > height
    let covered = Int((isWide ? height : width) * (Double(side) / (isWide ? width : height)))
    let cut = min(max(side - covered, 0) / 2, (side - 1) / 2)
    self.side = side
    rows = isWide ? cut..<side - cut : 0..<side
    columns = isWide ? 0..<side : cut..<side - cut
  }
}

extension AdapterDescription {
  /// True when the features are a square grid to this adapter and not a list.
  package var needsGrid: Bool { grid != nil || hasNewline || cutsPadding }

  /// The cells that become visual tokens.
  ///
  /// - Parameters:
  ///   - features: rows that the encoder gives, a square number.
  ///   - picture: the picture before padding; nil: it fills the square.
  /// - Returns: the cells.
  package func cells(features: Int, of picture: ImageSize? = nil) -> GridCells {
    let side = grid ?? Int(Double(features).squareRoot())
    guard cutsPadding, let picture, picture.width > 0, picture.height > 0 else {
      return GridCells(side: side)
    }
    return GridCells(side: side, of: picture)
  }

  /// Visual tokens of a picture.
  ///
  /// - Parameters:
  ///   - features: rows that the encoder gives.
  ///   - picture: the picture before padding; nil: it fills the square, which gives most tokens.
  /// - Returns: the number of tokens, learned rows included.
  package func tokens(features: Int, of picture: ImageSize? = nil) -> Int {
    guard needsGrid else { return features }
    let cells = cells(features: features, of: picture)
    return cells.rows.count * (cells.columns.count + (hasNewline ? 1 : 0))
  }
}
