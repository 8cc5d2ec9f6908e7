// SPDX-License-Identifier: Apache-2.0
// Two-pass resampling in integers, each pass rounded to 8 bits, equal to Pillow's to the bit.

/// Resamples the kept part of a picture set on a canvas of one colour.
///
/// Rows go through the horizontal pass one at a time and wait in a ring that is as long as the
/// vertical kernel, so memory depends on the result's width and on the kernel, not on the picture.
/// Bars are never built: their colour is used with the sum of its weights.
///
/// Weights add up to 2²² and their magnitudes to less than twice that, so 32-bit sums of
/// weight · byte cannot overflow; the wrapping operators below only keep the loops free of checks.
struct Resampler {
  private let image: PixelImage
  private let columns: ResampleTaps
  private let rows: ResampleTaps

  /// The sums that the horizontal pass begins with, `[columns, 3]`: one half and the bars' share.
  private let columnBases: [Int32]

  /// A row of a bar after the horizontal pass.
  private let barRow: [UInt8]

  /// Rows after the horizontal pass; row `r` is in slot `r mod rows.maxCount`.
  private var ring: [UInt8]
  private var sums: [Int32]
  private var nextRow = 0

  private static let half = Int32(1) << Int32(ResampleTaps.fractionBits - 1)

  /// Resamples `image` as `geometry` lays it out.
  ///
  /// - Parameters:
  ///   - image: the picture.
  ///   - geometry: the layout, made for a picture of this size.
  ///   - filter: the kernel of both passes.
  ///   - fill: colour of the canvas around the picture.
  /// - Returns: the kept part, `[rows, columns, 3]`.
  static func resample(
    _ image: PixelImage,
    geometry: RecipeGeometry,
    filter: ResampleFilter,
    fill: RGBColor
  ) -> [UInt8] {
    let columns = ResampleTaps(
      filter: filter,
      input: geometry.canvas.width,
      output: geometry.resized.width,
      kept: geometry.columns,
      picture: geometry.paste.left..<geometry.paste.left + image.width
    )
    let rows = ResampleTaps(
      filter: filter,
      input: geometry.canvas.height,
      output: geometry.resized.height,
      kept: geometry.rows,
      picture: geometry.paste.top..<geometry.paste.top + image.height
    )
    var resampler = Resampler(image, columns: columns, rows: rows, fill: fill)
    var output = [UInt8](repeating: 0, count: rows.count * columns.count * 3)
    for row in 0..<rows.count { resampler.makeRow(row, into: &output) }
    return output
  }

  private init(_ image: PixelImage, columns: ResampleTaps, rows: ResampleTaps, fill: RGBColor) {
    self.image = image
    self.columns = columns
    self.rows = rows
    let colors = fill.channels.map(Int32.init)
    columnBases = columns.outsideWeights.flatMap { weight in
      colors.map { Resampler.half &+ weight &* $0 }
    }
    // A bar's row has the colour in every tap, the picture's included.
    barRow = (0..<columns.count).flatMap { column in
      let weight = columns[column].reduce(columns.outsideWeights[column], &+)
      return colors.map { Resampler.byte(Resampler.half &+ weight &* $0) }
    }
    ring = [UInt8](repeating: 0, count: rows.maxCount * columns.count * 3)
    sums = [Int32](repeating: 0, count: columns.count * 3)
  }

  /// Makes one row of the result from the picture rows in its window and the bars around them.
  private mutating func makeRow(_ row: Int, into output: inout [UInt8]) {
    let weights = rows[row]
    let window = rows.starts[row]..<rows.starts[row] + weights.count
    fillRing(to: window)
    for index in sums.indices {
      sums[index] = Resampler.half &+ rows.outsideWeights[row] &* Int32(barRow[index])
    }
    for (source, weight) in zip(window, weights) {
      Resampler.accumulate(
        ring,
        at: (source % rows.maxCount) * sums.count,
        weight: weight,
        into: &sums
      )
    }
    let offset = row * sums.count
    for index in sums.indices { output[offset + index] = Resampler.byte(sums[index]) }
  }

  /// Puts all rows of `window` through the horizontal pass that have not been yet.
  ///
  /// Windows only move down, so the row that a slot held lies above every later window.
  private mutating func fillRing(to window: Range<Int>) {
    nextRow = max(nextRow, window.lowerBound)
    while nextRow < window.upperBound {
      Resampler.resampleRow(
        image,
        row: nextRow,
        taps: columns,
        bases: columnBases,
        into: &ring,
        at: (nextRow % rows.maxCount) * sums.count
      )
      nextRow += 1
    }
  }

  /// The horizontal pass over one row.
  private static func resampleRow(
    _ image: PixelImage,
    row: Int,
    taps: ResampleTaps,
    bases: [Int32],
    into output: inout [UInt8],
    at offset: Int
  ) {
    let stride = image.width * 3
    let line = image.pixels.span.extracting(row * stride..<(row + 1) * stride)
    let weights = taps.weights.span
    var output = output.mutableSpan
    var base = 0
    for column in taps.starts.indices {
      let first = taps.offsets[column]
      let end = taps.offsets[column + 1]
      var source = taps.starts[column] * 3
      // Holds by construction of the taps; it is what lets the loop below go unchecked.
      precondition(
        source >= 0 && source + (end - first) * 3 <= stride && first >= 0 && end <= weights.count
      )
      var red = bases[base]
      var green = bases[base + 1]
      var blue = bases[base + 2]
      for tap in first..<end {
        let weight = unsafe weights[unchecked: tap]
        unsafe red &+= Int32(line[unchecked: source]) &* weight
        unsafe green &+= Int32(line[unchecked: source + 1]) &* weight
        unsafe blue &+= Int32(line[unchecked: source + 2]) &* weight
        source &+= 3
      }
      output[offset + base] = byte(red)
      output[offset + base + 1] = byte(green)
      output[offset + base + 2] = byte(blue)
      base += 3
    }
  }

  /// Adds one weighted row to the sums of the vertical pass.
  private static func accumulate(
    _ rows: [UInt8],
    at offset: Int,
    weight: Int32,
    into sums: inout [Int32]
  ) {
    let row = rows.span.extracting(offset..<offset + sums.count)
    var sums = sums.mutableSpan
    for index in 0..<sums.count {
      // Both spans have the same count, so one bound serves both.
      unsafe sums[unchecked: index] &+= Int32(row[unchecked: index]) &* weight
    }
  }

  /// The 8-bit value of a fixed-point sum that already holds one half.
  @inline(__always)
  private static func byte(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: max(0, min(255, sum >> Int32(ResampleTaps.fractionBits))))
  }
}
