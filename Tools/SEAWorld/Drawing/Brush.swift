// SPDX-License-Identifier: Apache-2.0
// Paints one thing in its own coordinates: a square from -1 to 1 around its middle.

/// Where and in which colours a thing is painted.
struct Brush {
  /// The middle of the thing, in pixels.
  let origin: Point
  /// Half its width, in pixels.
  let half: Double
  let thing: Thing
  let ground: Ground

  var hue: Hue { thing.hue }
  var ink: Tint { hue.ink(ground) }
  /// White that fits the light.
  var cream: Tint { ground == .night ? Tint(0.90, 0.90, 0.86) : Tint(0.99, 0.98, 0.94) }
  let dark = Tint(0.10, 0.11, 0.20)

  /// Width of the line around things, in their own units: about a pixel at 112.
  private var lineWidth: Double { thing.extent == .large ? 0.075 : 0.11 }

  /// Fills a path in the thing's own coordinates.
  func fill(_ path: Path, _ tint: Tint, on canvas: inout Canvas, opacity: Float = 1) {
    canvas.fill(placed(path), .flat(tint), opacity: opacity)
  }

  /// Fills a path from light above to shade below, in the thing's colour, with a line around it.
  func body(_ path: Path, on canvas: inout Canvas) {
    outlined(
      path,
      .vertical(hue.light, hue.shade, from: origin.y - half, to: origin.y + half),
      ink,
      &canvas
    )
  }

  /// Fills a path in a colour of its own with a line around it.
  func part(_ path: Path, _ tint: Tint, ink: Tint? = nil, on canvas: inout Canvas) {
    outlined(path, .flat(tint), ink ?? self.ink, &canvas)
  }

  private func outlined(_ path: Path, _ paint: Paint, _ ink: Tint, _ canvas: inout Canvas) {
    let placed = placed(path)
    // The line lies under the filling: half of it shows, and parts that touch grow together.
    canvas.fill(placed.outline(2 * lineWidth * half), .flat(ink))
    canvas.fill(placed, paint)
  }

  private func placed(_ path: Path) -> Path {
    let mirror: Double = thing.isMirrored ? -1 : 1
    return path.placed(at: origin, scale: Point(half * mirror, half))
  }

  /// The thing's number, never mirrored.
  func number(_ x: Double, _ y: Double, height: Double, width: Double, on canvas: inout Canvas) {
    guard let number = thing.number else { return }
    let mirror: Double = thing.isMirrored ? -1 : 1
    let scale = height / 3 * half
    let path = Digit.path(number, width: width)
      .placed(
        at: Point(origin.x + mirror * x * half, origin.y + y * half),
        scale: Point(scale, scale)
      )
    canvas.mark = UInt8(number + 1)
    canvas.fill(path, .flat(dark))
    canvas.mark = 0
  }

  /// An eye with a glint.
  func eye(_ x: Double, _ y: Double, _ radius: Double, on canvas: inout Canvas) {
    fill(.circle(x, y, radius * 1.6), .white, on: &canvas)
    fill(.circle(x, y, radius), dark, on: &canvas)
  }

  /// Water around a waterline.
  func ripple(_ y: Double, _ width: Double, on canvas: inout Canvas) {
    let scenery = Scenery.of(ground)
    let water = scenery.seaFar.toward(scenery.seaNear, 0.5)
    var canvasOwner: UInt8?
    swap(&canvasOwner, &canvas.owner)
    fill(.ellipse(0, y + 0.1, width, 0.13), water, on: &canvas)
    let left: [(Double, Double)] = [(-width, y), (-width / 2, y - 0.08), (0, y)]
    let right: [(Double, Double)] = [(0, y), (width / 2, y - 0.08), (width, y)]
    fill(.bend(left, 0.07) + .bend(right, 0.07), scenery.foam, on: &canvas, opacity: 0.9)
    swap(&canvasOwner, &canvas.owner)
  }
}
