// SPDX-License-Identifier: Apache-2.0
// The picture under a map: what the model saw, at the size it is drawn.

internal import SEADrawing
package import SEAImage

/// The part of a picture that a map's cells cover, enlarged.
package struct RecallPanel: Sendable {
  /// Columns.
  package let width: Int
  /// Rows.
  package let height: Int
  /// `[height, width, 3]`.
  package let pixels: [UInt8]

  /// Points averaged along each side of a pixel, at most.
  private static let finest = 8

  /// Draws the picture for cells of `cell` pixels.
  ///
  /// - Parameters:
  ///   - image: the whole picture.
  ///   - map: its cells and where they are.
  ///   - bar: colour of the bars that a recipe adds.
  ///   - cell: pixels along a cell's side.
  package init(_ image: PixelImage, under map: RecallMap, bar: RGBColor?, cell: Int) {
    width = map.columns * cell
    height = map.rows * cell
    let evenly = (
      x: Double(image.width) / Double(map.columns), y: Double(image.height) / Double(map.rows)
    )
    func point(row: Double, column: Double) -> (x: Double, y: Double) {
      map.places?.point(row: row, column: column) ?? (column * evenly.x, row * evenly.y)
    }
    // Both axes are stretched alike by every recipe that keeps proportions; the finer one decides.
    let (zero, one) = (point(row: 0, column: 0), point(row: 1, column: 1))
    let ratio = max(one.x - zero.x, one.y - zero.y) / Double(cell)
    let steps = min(max(Int(ratio.rounded(.up)), 1), Self.finest)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * 3)
    for y in 0..<height {
      for x in 0..<width {
        var sum: (Double, Double, Double) = (0, 0, 0)
        for down in 0..<steps {
          for across in 0..<steps {
            let place = point(
              row: (Double(y) + (Double(down) + 0.5) / Double(steps)) / Double(cell),
              column: (Double(x) + (Double(across) + 0.5) / Double(steps)) / Double(cell)
            )
            let color = Self.color(image, place, map.places, bar)
            sum = (sum.0 + color.0, sum.1 + color.1, sum.2 + color.2)
          }
        }
        let count = Double(steps * steps)
        for value in [sum.0, sum.1, sum.2] {
          pixels.append(UInt8(min(max(value / count + 0.5, 0), 255)))
        }
      }
    }
    self.pixels = pixels
  }

  /// The colour at a point: between four pixels, or of what surrounds the picture.
  private static func color(
    _ image: PixelImage,
    _ place: (x: Double, y: Double),
    _ places: TokenCells?,
    _ bar: RGBColor?
  ) -> (Double, Double, Double) {
    let (width, height) = (Double(image.width), Double(image.height))
    guard place.x >= 0, place.y >= 0, place.x < width, place.y < height else {
      guard let bar, places?.isBar(x: place.x, y: place.y) ?? false else { return (0, 0, 0) }
      return (Double(bar.red), Double(bar.green), Double(bar.blue))
    }
    let (x, y) = (min(max(place.x - 0.5, 0), width - 1), min(max(place.y - 0.5, 0), height - 1))
    let (left, top) = (Int(x), Int(y))
    let (right, bottom) = (min(left + 1, image.width - 1), min(top + 1, image.height - 1))
    let (across, down) = (x - Double(left), y - Double(top))
    func channel(_ index: Int) -> Double {
      func pixel(_ x: Int, _ y: Int) -> Double {
        Double(image.pixels[(y * image.width + x) * 3 + index])
      }
      let upper = pixel(left, top) + (pixel(right, top) - pixel(left, top)) * across
      let lower = pixel(left, bottom) + (pixel(right, bottom) - pixel(left, bottom)) * across
      return upper + (lower - upper) * down
    }
    return (channel(0), channel(1), channel(2))
  }

  /// The picture as a PNG file; nil when the library refuses.
  package var png: [UInt8]? {
    PNGEncoder.encode(pixels, width: width, height: height, note: "seen by a model")
  }
}
