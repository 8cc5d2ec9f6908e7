// SPDX-License-Identifier: Apache-2.0
// Where a recipe puts a picture's pixels: sizes and offsets, no arithmetic on colours.

/// Where a part begins in a whole, in pixels.
package struct ImageOffset: Sendable, Equatable {
  /// Row of the first pixel.
  package let top: Int

  /// Column of the first pixel.
  package let left: Int

  /// An offset of the given row and column.
  package init(top: Int, left: Int) {
    self.top = top
    self.left = left
  }
}

/// The sizes that a picture goes through, and the part of it that is kept.
package struct RecipeGeometry: Sendable, Equatable {
  /// The picture with its bars, or the picture's own size.
  package let canvas: ImageSize

  /// Row and column of the picture's first pixel on the canvas.
  package let paste: ImageOffset

  /// The canvas after resampling.
  package let resized: ImageSize

  /// The rows of the resampled canvas that are kept.
  package let rows: Range<Int>

  /// The columns of the resampled canvas that are kept.
  package let columns: Range<Int>

  /// The result.
  package let output: ImageSize

  /// Row and column of the result where the kept part begins; the rest is black.
  package let inset: ImageOffset

  private static let maxWaitingPixels = 1 << 26

  /// Lays out a picture of the given size.
  ///
  /// - Throws: `ImageError.invalidRecipe` when the recipe is invalid or the result would be too big.
  package init(recipe: ImageRecipe, picture: ImageSize) throws(ImageError) {
    try recipe.validate()
    canvas =
      recipe.padFill == nil
      ? picture
      : ImageSize(
        height: max(picture.height, picture.width),
        width: max(picture.height, picture.width)
      )
    paste = ImageOffset(
      top: (canvas.height - picture.height) / 2,
      left: (canvas.width - picture.width) / 2
    )
    resized = try RecipeGeometry.resized(canvas, to: recipe.resize)
    output = recipe.crop ?? resized
    let (pixels, overflows) = output.height.multipliedReportingOverflow(by: output.width)
    guard !overflows, pixels <= ImageRecipe.maxOutputPixels else {
      throw .invalidRecipe(
        field: "resize",
        reason: "gives \(output.width) x \(output.height) pixels, at most "
          + "\(ImageRecipe.maxOutputPixels) pixels are made"
      )
    }
    let vertical = RecipeGeometry.centre(resized.height, in: output.height)
    let horizontal = RecipeGeometry.centre(resized.width, in: output.width)
    rows = vertical.kept
    columns = horizontal.kept
    inset = ImageOffset(top: vertical.inset, left: horizontal.inset)
    // Rows of a very high picture wait for a very low result; only odd recipes meet this.
    let waiting = canvas.height / resized.height * 4
    guard waiting * columns.count <= RecipeGeometry.maxWaitingPixels else {
      throw .invalidRecipe(
        field: "resize",
        reason: "reduces \(canvas.height) rows to \(resized.height), too much for one step"
      )
    }
  }

  private static func resized(
    _ size: ImageSize,
    to resize: ImageResize?
  ) throws(ImageError) -> ImageSize {
    switch resize {
    case nil: return size
    case .exact(let exact): return exact
    case .shortestEdge(let side):
      let short = min(size.height, size.width)
      let (product, overflows) = side.multipliedReportingOverflow(by: max(size.height, size.width))
      guard !overflows else {
        throw .invalidRecipe(field: "resize", reason: "\(side) pixels overflow the longer side")
      }
      let long = product / short
      return size.width <= size.height
        ? ImageSize(height: long, width: side) : ImageSize(height: side, width: long)
    }
  }

  /// The centre `target` of `count` pixels, or all of them set into the centre of `target`.
  ///
  /// An odd remainder goes below and to the right when cropping, above and to the left when setting.
  ///
  /// - Source: transformers `image_transforms.center_crop`.
  private static func centre(_ count: Int, in target: Int) -> (kept: Range<Int>, inset: Int) {
    guard count < target else {
      let start = (count - target) / 2
      return (start..<start + target, 0)
    }
    return (0..<count, (target - count + 1) / 2)
  }
}
