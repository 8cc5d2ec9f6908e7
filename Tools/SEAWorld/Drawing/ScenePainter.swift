// SPDX-License-Identifier: Apache-2.0
// A scene as a picture: the ground, then every thing in its cell.

/// Paints scenes.
package enum ScenePainter {
  /// What a picture shows and where.
  package struct Picture: Sendable {
    /// Width and height in pixels.
    package let side: Int
    /// `[side, side, 3]`, red first.
    package let pixels: [UInt8]
    /// `[side, side]`: the number of the thing that covers most of a pixel, from 1; 0 is the ground.
    package let owners: [UInt8]
    /// `[side, side]`: the digit whose ink covers most of a pixel, plus 1; 0 is no ink.
    package let marks: [UInt8]
  }

  /// Heights as shares of the side.
  static let horizon = 0.34
  static let shore = 0.88

  /// Paints a scene.
  ///
  /// - Parameters:
  ///   - scene: what to paint.
  ///   - side: width and height in pixels.
  /// - Returns: pixels and their owners.
  package static func paint(_ scene: Scene, side: Int) -> Picture {
    var canvas = Canvas(side: side)
    var random = WorldRandom(scene.decoration)
    paintGround(scene.ground, on: &canvas, &random)
    let scale = Double(side)
    // Far things first.
    let order = scene.things.indices.sorted {
      (scene.things[$0].cell.rawValue, $0) < (scene.things[$1].cell.rawValue, $1)
    }
    for index in order {
      let thing = scene.things[index]
      canvas.owner = UInt8(index + 1)
      let brush = Brush(
        origin: place(of: thing) * scale,
        half: half(of: thing) * scale,
        thing: thing,
        ground: scene.ground
      )
      brush.paint(thing.kind, on: &canvas)
    }
    canvas.owner = nil
    if scene.ground == .fog { canvas.veil(Tint(0.87, 0.88, 0.89), opacity: 0.16) }
    return Picture(
      side: side,
      pixels: canvas.bytes,
      owners: canvas.owners,
      marks: canvas.marks
    )
  }

  /// Half the width of a thing, as a share of the side.
  private static func half(of thing: Thing) -> Double {
    thing.extent == .large ? 0.16 : 0.1
  }

  /// The middle of a thing, as shares of the side.
  private static func place(of thing: Thing) -> Point {
    let x = (Double(thing.cell.column) * 2 + 1) / 6
    let y: Double =
      switch (thing.kind.home, thing.cell.isTop) {
      case (.sky, _): 0.175
      case (.shore, _): 0.83
      // What swims stands on its lower edge: small things are not higher than large ones.
      case (.sea, true): 0.475 - half(of: thing)
      case (.sea, false): 0.87 - half(of: thing)
      }
    return Point(x, y) + thing.shift
  }

  // MARK: - Ground

  private static func paintGround(
    _ ground: Ground,
    on canvas: inout Canvas,
    _ random: inout WorldRandom
  ) {
    let scenery = Scenery.of(ground)
    let side = Double(canvas.side)
    let horizonLine = horizon * side
    func band(_ from: Double, _ to: Double) -> Path {
      Path([(0, from), (side, from), (side, to), (0, to)])
    }
    canvas.fill(
      band(0, horizonLine),
      .vertical(scenery.skyTop, scenery.skyLow, from: 0, to: horizonLine)
    )
    if ground == .night { paintStars(on: &canvas, &random) }
    paintHills(scenery, on: &canvas, &random)
    canvas.fill(
      band(horizonLine, side),
      .vertical(scenery.seaFar, scenery.seaNear, from: horizonLine, to: shore * side)
    )
    paintWaves(scenery, on: &canvas, &random)
    paintShore(scenery, on: &canvas, &random)
  }

  private static func paintStars(on canvas: inout Canvas, _ random: inout WorldRandom) {
    let side = Double(canvas.side)
    for _ in 0..<22 {
      let x = random.unit() * side
      let y = random.unit() * (horizon - 0.03) * side
      let radius = side * random.number(0.0025...0.0055)
      canvas.fill(
        .circle(x, y, radius),
        .flat(Tint(1, 0.97, 0.85)),
        opacity: Float(random.number(0.4...0.95))
      )
    }
  }

  private static func paintHills(
    _ scenery: Scenery,
    on canvas: inout Canvas,
    _ random: inout WorldRandom
  ) {
    let side = Double(canvas.side)
    for _ in 0..<3 {
      let x = random.unit() * side
      let width = random.number(0.14...0.3) * side
      let height = random.number(0.02...0.055) * side
      canvas.fill(
        .ellipse(x, horizon * side, width, height),
        .flat(scenery.hill.toward(scenery.skyLow, Float(random.unit() * 0.5)))
      )
    }
  }

  private static func paintWaves(
    _ scenery: Scenery,
    on canvas: inout Canvas,
    _ random: inout WorldRandom
  ) {
    let side = Double(canvas.side)
    for row in 0..<7 {
      let y = horizon + 0.045 + Double(row) * 0.072
      for _ in 0..<3 {
        let x = random.unit() * side
        let length = side * random.number(0.02...0.045) * (0.7 + Double(row) * 0.12)
        let base = (y + random.number(-0.02...0.02)) * side
        let wave = Path.bend(
          [(x - length, base), (x - length / 2, base - length * 0.22), (x, base)],
          side * 0.008
        )
        let second = Path.bend(
          [(x, base), (x + length / 2, base - length * 0.22), (x + length, base)],
          side * 0.008
        )
        canvas.fill(wave + second, .flat(scenery.foam), opacity: 0.42)
      }
    }
  }

  private static func paintShore(
    _ scenery: Scenery,
    on canvas: inout Canvas,
    _ random: inout WorldRandom
  ) {
    let side = Double(canvas.side)
    var edge: [(Double, Double)] = []
    for step in 0...6 {
      edge.append((Double(step) / 6, shore + random.number(-0.012...0.012)))
    }
    func land(_ lift: Double) -> Path {
      let points =
        [(-0.3, 1.4), (-0.1, shore - lift)] + edge.map { ($0.0, $0.1 - lift) }
        + [(1.1, shore - lift), (1.3, 1.4)]
      return Path.smooth(points).placed(at: Point(0, 0), scale: Point(side, side))
    }
    canvas.fill(land(0.018), .flat(scenery.foam), opacity: 0.75)
    canvas.fill(
      land(0),
      .vertical(scenery.sand, scenery.sandLow, from: shore * side, to: side)
    )
    for _ in 0..<14 {
      let grain = Path.circle(
        random.unit() * side,
        random.number(0.91...0.99) * side,
        side * random.number(0.003...0.006)
      )
      canvas.fill(grain, .flat(scenery.sandLow.toward(.black, 0.18)), opacity: 0.6)
    }
  }
}
