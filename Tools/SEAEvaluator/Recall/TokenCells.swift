// SPDX-License-Identifier: Apache-2.0
// Where in a picture each visual token looks.

package import SEAImage
package import SEAModel

/// The part of a picture that a model sees, and its cells.
///
/// A picture is padded, resized and cropped before an encoder gets it, pixels beyond the last whole
/// patch are never read, an adapter may lay another grid over the patches and cut padding from it, and
/// some tokens are no patch at all (a class token, the end of a line). All of that is settled here.
package struct TokenCells: Sendable {
  /// Lines of cells that have tokens.
  package let rows: Int
  /// Cells of a line.
  package let columns: Int
  /// `[rows · columns]`: the visual token of each cell; nil where a cell has none.
  package let tokens: [Int?]

  private let view: PictureView
  /// The first line and column in the whole grid, and its side.
  private let origin: (row: Int, column: Int)
  private let side: Int
  /// The part of the encoder's input that patches cover.
  private let covered: Double

  /// The cells of a picture of the given size.
  ///
  /// - Throws: `ImageError` when the recipe refuses such a picture.
  package init(
    encoder: EncoderDescription,
    adapter: AdapterDescription,
    recipe: ImageRecipe,
    picture: ImageSize
  ) throws(ImageError) {
    view = try PictureView(recipe, picture: picture)
    covered = Double(encoder.gridSide * encoder.patchSide) / Double(encoder.imageSide)
    if adapter.needsGrid {
      let cells = adapter.cells(features: encoder.features, of: picture)
      let line = cells.columns.count + (adapter.hasNewline ? 1 : 0)
      (rows, columns, side) = (cells.rows.count, cells.columns.count, cells.side)
      origin = (cells.rows.lowerBound, cells.columns.lowerBound)
      tokens = (0..<rows * columns).map { [columns] in $0 / columns * line + $0 % columns }
    } else {
      (rows, columns, side) = (encoder.gridSide, encoder.gridSide, encoder.gridSide)
      origin = (0, 0)
      // Rows before the first patch, less the row that was left out.
      let first = (encoder.hasClassToken ? 1 : 0) - (encoder.selection.dropsFirst ? 1 : 0)
      tokens = (0..<encoder.patches).map { $0 + first >= 0 ? $0 + first : nil }
    }
  }

  /// A point of the cells, in cells from the upper left corner, as a point of the picture in pixels;
  /// nil where no picture is.
  package func point(row: Double, column: Double) -> (x: Double, y: Double) {
    view.point(
      x: (Double(origin.column) + column) / Double(side) * covered,
      y: (Double(origin.row) + row) / Double(side) * covered
    )
  }

  /// The middle of a cell in the picture, in pixels.
  package func middle(_ cell: Int) -> (x: Double, y: Double) {
    point(row: Double(cell / columns) + 0.5, column: Double(cell % columns) + 0.5)
  }

  /// Pixels of the picture along a cell's side.
  package var cellExtent: Double {
    point(row: 0, column: 1).x - point(row: 0, column: 0).x
  }

  /// Whether a point that is not on the picture lies in bars around it; elsewhere it is black.
  package func isBar(x: Double, y: Double) -> Bool { view.isBar(x: x, y: y) }
}

/// The way from a recipe's result back to the picture and forth.
package struct PictureView: Sendable {
  private let geometry: RecipeGeometry
  private let picture: ImageSize

  /// What a recipe makes of a picture of the given size.
  ///
  /// - Throws: `ImageError` when it refuses.
  package init(_ recipe: ImageRecipe, picture: ImageSize) throws(ImageError) {
    geometry = try RecipeGeometry(recipe: recipe, picture: picture)
    self.picture = picture
  }

  /// Columns and rows of the result.
  package var output: ImageSize { geometry.output }

  private var stretch: (x: Double, y: Double) {
    (
      Double(geometry.canvas.width) / Double(geometry.resized.width),
      Double(geometry.canvas.height) / Double(geometry.resized.height)
    )
  }

  /// A point of the result, as shares of its sides, in pixels of the picture.
  package func point(x: Double, y: Double) -> (x: Double, y: Double) {
    let left = Double(geometry.columns.lowerBound - geometry.inset.left)
    let top = Double(geometry.rows.lowerBound - geometry.inset.top)
    return (
      (x * Double(geometry.output.width) + left) * stretch.x - Double(geometry.paste.left),
      (y * Double(geometry.output.height) + top) * stretch.y - Double(geometry.paste.top)
    )
  }

  /// A point of the picture, in pixels, in pixels of the result; it may lie beside it.
  package func inverse(x: Double, y: Double) -> (x: Double, y: Double) {
    let left = Double(geometry.columns.lowerBound - geometry.inset.left)
    let top = Double(geometry.rows.lowerBound - geometry.inset.top)
    return (
      (x + Double(geometry.paste.left)) / stretch.x - left,
      (y + Double(geometry.paste.top)) / stretch.y - top
    )
  }

  /// Whether a point beside the picture is part of the bars that make it square.
  func isBar(x: Double, y: Double) -> Bool {
    let (left, top) = (x + Double(geometry.paste.left), y + Double(geometry.paste.top))
    return left >= 0 && top >= 0 && left < Double(geometry.canvas.width)
      && top < Double(geometry.canvas.height)
  }
}
