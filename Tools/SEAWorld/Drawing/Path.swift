// SPDX-License-Identifier: Apache-2.0
// Outlines made of straight pieces: polygons, ellipses, curves, strokes.

/// A point or a vector; y grows downwards.
package struct Point: Sendable, Equatable {
  var x: Double
  var y: Double

  init(_ x: Double, _ y: Double) {
    self.x = x
    self.y = y
  }

  static func + (left: Point, right: Point) -> Point { Point(left.x + right.x, left.y + right.y) }
  static func - (left: Point, right: Point) -> Point { Point(left.x - right.x, left.y - right.y) }
  static func * (left: Point, right: Double) -> Point { Point(left.x * right, left.y * right) }

  /// At `share` of the way to another point.
  func toward(_ other: Point, _ share: Double) -> Point { self + (other - self) * share }

  var length: Double { (x * x + y * y).squareRoot() }
}

/// Sine and cosine from basic arithmetic, so that every machine draws the same.
enum Circle {
  /// The point of the unit circle at `turns` of a whole turn, clockwise from the right.
  static func point(_ turns: Double) -> Point {
    let part = turns - turns.rounded(.down)
    let quarter = (part * 4).rounded(.down)
    let angle = (part * 4 - quarter) * (Double.pi / 2)
    let (sine, cosine) = (series(angle, from: 1), series(angle, from: 0))
    return switch quarter {
    case 0: Point(cosine, sine)
    case 1: Point(-sine, cosine)
    case 2: Point(-cosine, -sine)
    default: Point(sine, -cosine)
    }
  }

  /// Taylor's series of the sine (from 1) or cosine (from 0); good to 10⁻¹² for a quarter turn.
  private static func series(_ angle: Double, from first: Int) -> Double {
    var term = first == 1 ? angle : 1
    var sum = term
    for step in stride(from: first + 1, to: first + 18, by: 2) {
      term *= -angle * angle / Double(step * (step + 1))
      sum += term
    }
    return sum
  }
}

/// Closed contours; where they overlap in the same sense they are one.
struct Path {
  private(set) var contours: [[Point]] = []

  init() {}

  /// One polygon.
  init(_ points: [(Double, Double)]) {
    contours = [points.map { Point($0.0, $0.1) }]
  }

  /// An ellipse.
  static func ellipse(_ x: Double, _ y: Double, _ width: Double, _ height: Double) -> Path {
    var path = Path()
    path.contours = [
      circlePoints.map { Point(x + width * $0.x, y + height * $0.y) }
    ]
    return path
  }

  /// A circle.
  static func circle(_ x: Double, _ y: Double, _ radius: Double) -> Path {
    ellipse(x, y, radius, radius)
  }

  /// A closed smooth curve through the points (Catmull and Rom).
  static func smooth(_ points: [(Double, Double)]) -> Path {
    let knots = points.map { Point($0.0, $0.1) }
    var path = Path()
    path.contours = [curve(knots, isClosed: true)]
    return path
  }

  /// A line of constant width through the points, round at ends and joints.
  static func line(_ points: [(Double, Double)], _ width: Double) -> Path {
    stroke(points.map { Point($0.0, $0.1) }, width: width, isClosed: false)
  }

  /// A line of constant width that bends smoothly through the points.
  static func bend(_ points: [(Double, Double)], _ width: Double) -> Path {
    stroke(
      curve(points.map { Point($0.0, $0.1) }, isClosed: false),
      width: width,
      isClosed: false
    )
  }

  /// The contours themselves as lines of constant width.
  func outline(_ width: Double) -> Path {
    var path = Path()
    for contour in contours {
      path.contours += Path.stroke(contour, width: width, isClosed: true).contours
    }
    return path
  }

  /// Both paths as one.
  static func + (left: Path, right: Path) -> Path {
    var path = left
    path.contours += right.contours
    return path
  }

  /// Moved and scaled.
  func placed(at origin: Point, scale: Point) -> Path {
    var path = Path()
    path.contours = contours.map { contour in
      contour.map { Point(origin.x + $0.x * scale.x, origin.y + $0.y * scale.y) }
    }
    return path
  }

  // MARK: - Pieces

  private static let circlePoints = (0..<28).map { Circle.point(Double($0) / 28) }
  private static let jointPoints = (0..<10).map { Circle.point(Double($0) / 10) }

  private static func curve(_ knots: [Point], isClosed: Bool) -> [Point] {
    guard knots.count > 2 else { return knots }
    let count = knots.count
    func knot(_ index: Int) -> Point {
      isClosed ? knots[(index + count) % count] : knots[min(max(index, 0), count - 1)]
    }
    var points: [Point] = []
    for index in 0..<(isClosed ? count : count - 1) {
      let (a, b, c, d) = (knot(index - 1), knot(index), knot(index + 1), knot(index + 2))
      for step in 0..<6 {
        let t = Double(step) / 6
        let linear = (c - a) * t
        let square = (a * 2 - b * 5 + c * 4 - d) * (t * t)
        let cube = (b * 3 - a - c * 3 + d) * (t * t * t)
        points.append((b * 2 + linear + square + cube) * 0.5)
      }
    }
    if !isClosed { points.append(knots[count - 1]) }
    return points
  }

  /// A bar along every piece and a disc at every joint, all turning the same way.
  private static func stroke(_ points: [Point], width: Double, isClosed: Bool) -> Path {
    var path = Path()
    let half = width / 2
    for point in points {
      path.contours.append(jointPoints.map { point + $0 * half })
    }
    for index in 0..<(isClosed ? points.count : points.count - 1) {
      let (start, end) = (points[index], points[(index + 1) % points.count])
      let along = end - start
      guard along.length > 1e-9 else { continue }
      let side = Point(-along.y, along.x) * (half / along.length)
      path.contours.append([start - side, end - side, end + side, start + side])
    }
    return path
  }
}
