// SPDX-License-Identifier: Apache-2.0
// A picture being painted: exact coverage of polygons, blended in floating point.

/// A colour; 0 is black, 1 is full.
struct Tint: Sendable {
  var red: Float
  var green: Float
  var blue: Float

  init(_ red: Float, _ green: Float, _ blue: Float) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// At `share` of the way to another colour.
  func toward(_ other: Tint, _ share: Float) -> Tint {
    Tint(
      red + (other.red - red) * share,
      green + (other.green - green) * share,
      blue + (other.blue - blue) * share
    )
  }

  static let white = Tint(1, 1, 1)
  static let black = Tint(0, 0, 0)
}

/// What a shape is filled with.
enum Paint {
  case flat(Tint)
  /// From one height to another.
  case vertical(Tint, Tint, from: Double, to: Double)
}

/// A square picture of floats with the owner of every pixel.
struct Canvas {
  /// Width and height in pixels.
  let side: Int
  /// `[side, side, 3]`.
  private(set) var pixels: [Float]
  /// `[side, side]`: which thing a pixel shows most of; 0 is the ground.
  private(set) var owners: [UInt8]
  /// What the next shapes belong to; nil leaves owners as they are.
  var owner: UInt8?
  /// `[side, side]`: the digit that a pixel is ink of, plus 1; 0 is no ink.
  private(set) var marks: [UInt8]
  /// The digit that the next shapes are ink of, plus 1.
  var mark: UInt8 = 0

  /// Signed area that edges add to each pixel; a running sum along a row gives the coverage.
  private var area: [Float]
  private let stride: Int

  init(side: Int) {
    self.side = side
    stride = side + 2
    pixels = [Float](repeating: 0, count: side * side * 3)
    owners = [UInt8](repeating: 0, count: side * side)
    marks = [UInt8](repeating: 0, count: side * side)
    area = [Float](repeating: 0, count: (side + 2) * side)
  }

  /// Blends `paint` over the pixels of a path, by the share of each that the path covers.
  ///
  /// - Parameters:
  ///   - path: in pixels.
  ///   - paint: its colours; heights in pixels.
  ///   - opacity: 0 ... 1.
  mutating func fill(_ path: Path, _ paint: Paint, opacity: Float = 1) {
    var (top, bottom, left, right) = (Double(side), 0.0, Double(side), 0.0)
    for contour in path.contours {
      for point in contour {
        (top, bottom) = (min(top, point.y), max(bottom, point.y))
        (left, right) = (min(left, point.x), max(right, point.x))
      }
    }
    let rows = max(Int(top.rounded(.down)), 0)..<min(Int(bottom.rounded(.up)), side)
    let columns = max(Int(left.rounded(.down)), 0)..<min(Int(right.rounded(.up)) + 1, side)
    guard !rows.isEmpty, !columns.isEmpty else { return }
    for contour in path.contours {
      for index in contour.indices {
        let next = index + 1 == contour.count ? 0 : index + 1
        addEdge(contour[index], contour[next])
      }
    }
    for row in rows {
      blend(row: row, columns: columns, tint: Self.tint(paint, row), opacity: opacity)
    }
  }

  /// Blends one colour over everything.
  mutating func veil(_ tint: Tint, opacity: Float) {
    for index in stride2(pixels.count) {
      pixels[index] += (tint.red - pixels[index]) * opacity
      pixels[index + 1] += (tint.green - pixels[index + 1]) * opacity
      pixels[index + 2] += (tint.blue - pixels[index + 2]) * opacity
    }
  }

  /// The picture in 8 bits, `[side, side, 3]`.
  var bytes: [UInt8] {
    pixels.map { UInt8(min(max($0 * 255 + 0.5, 0), 255)) }
  }

  private func stride2(_ count: Int) -> StrideTo<Int> { Swift.stride(from: 0, to: count, by: 3) }

  private static func tint(_ paint: Paint, _ row: Int) -> Tint {
    switch paint {
    case .flat(let tint): return tint
    case .vertical(let upper, let lower, let from, let to):
      let share = (Double(row) + 0.5 - from) / max(to - from, 1e-9)
      return upper.toward(lower, Float(min(max(share, 0), 1)))
    }
  }

  private mutating func blend(row: Int, columns: Range<Int>, tint: Tint, opacity: Float) {
    var sum: Float = 0
    let base = row * stride
    for column in columns {
      sum += area[base + column]
      area[base + column] = 0
      let coverage = min(abs(sum), 1)
      guard coverage > 1.0 / 1024 else { continue }
      let share = coverage * opacity
      let index = (row * side + column) * 3
      pixels[index] += (tint.red - pixels[index]) * share
      pixels[index + 1] += (tint.green - pixels[index + 1]) * share
      pixels[index + 2] += (tint.blue - pixels[index + 2]) * share
      if let owner, share >= 0.5 {
        owners[row * side + column] = owner
        marks[row * side + column] = mark
      }
    }
    // Edges at and past the right border leave their sums in the two spare columns.
    area[base + side] = 0
    area[base + side + 1] = 0
    if columns.upperBound < side { area[base + columns.upperBound] = 0 }
  }

  /// Adds the signed area to the right of an edge, row by row.
  ///
  /// Within a row the edge covers a trapezoid: each pixel receives what its own part adds to the
  /// coverage of all pixels after it.
  private mutating func addEdge(_ start: Point, _ end: Point) {
    guard start.y != end.y else { return }
    let sign: Double = start.y < end.y ? 1 : -1
    let (upper, lower) = start.y < end.y ? (start, end) : (end, start)
    let slope = (lower.x - upper.x) / (lower.y - upper.y)
    let first = max(upper.y, 0)
    let last = min(lower.y, Double(side))
    guard first < last else { return }
    var x = upper.x + (first - upper.y) * slope
    var y = first
    while y < last {
      let row = Int(y)
      let next = min(Double(row + 1), last)
      let nextX = x + slope * (next - y)
      addRow(row, min(x, nextX), max(x, nextX), height: sign * (next - y))
      x = nextX
      y = next
    }
  }

  /// One row's part of an edge between two columns' positions; what lies outside counts at the border.
  private mutating func addRow(_ row: Int, _ low: Double, _ high: Double, height: Double) {
    let limit = Double(side)
    let left = min(max(low, 0), limit)
    let right = min(max(high, 0), limit)
    let base = row * stride
    let firstColumn = Int(left)
    let lastColumn = Int(right)
    if firstColumn == lastColumn {
      let inside = 1 - ((left + right) / 2 - Double(firstColumn))
      area[base + firstColumn] += Float(height * inside)
      area[base + firstColumn + 1] += Float(height * (1 - inside))
      return
    }
    // The edge crosses several pixels: its height is shared by how much of its width is in each.
    let density = height / (right - left)
    var position = left
    for column in firstColumn...lastColumn {
      let next = min(Double(column + 1), right)
      let part = density * (next - position)
      let inside = 1 - ((position + next) / 2 - Double(column))
      area[base + column] += Float(part * inside)
      area[base + column + 1] += Float(part * (1 - inside))
      position = next
    }
  }
}
