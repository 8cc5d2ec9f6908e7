// SPDX-License-Identifier: Apache-2.0
// How the things of the sky and the shore look.

extension Brush {
  func gull(_ canvas: inout Canvas) {
    let beak = Tint(0.98, 0.66, 0.12)
    fill(Path([(0.74, 0.02), (1.02, 0.14), (0.72, 0.22)]), beak, on: &canvas)
    body(
      .smooth([(0.1, 0.1), (-0.06, -0.36), (-0.5, -0.86), (-0.52, -0.3), (-0.34, 0.16)]),
      on: &canvas
    )
    body(
      .smooth([
        (-0.94, 0.16), (-0.5, 0.04), (0.1, -0.02), (0.46, -0.16), (0.72, -0.06), (0.8, 0.14),
        (0.6, 0.34), (0.1, 0.48), (-0.4, 0.38),
      ]),
      on: &canvas
    )
    body(
      .smooth([(0.24, 0.12), (0.3, -0.36), (0.1, -0.92), (-0.16, -0.4), (-0.14, 0.14)]),
      on: &canvas
    )
    eye(0.58, 0.06, 0.07, on: &canvas)
  }

  func sun(_ canvas: inout Canvas) {
    for ray in 0..<10 {
      let turn = Double(ray) / 10
      let (tip, left, right) = (
        Circle.point(turn) * 0.98, Circle.point(turn - 0.034) * 0.64,
        Circle.point(turn + 0.034) * 0.64
      )
      body(Path([(tip.x, tip.y), (left.x, left.y), (right.x, right.y)]), on: &canvas)
    }
    body(.circle(0, 0, 0.54), on: &canvas)
    fill(.ellipse(-0.16, -0.2, 0.16, 0.11), hue.light.toward(.white, 0.4), on: &canvas)
  }

  func cloud(_ canvas: inout Canvas) {
    let puffs =
      Path.circle(-0.52, 0.14, 0.36) + .circle(-0.12, -0.16, 0.44) + .circle(0.36, -0.02, 0.38)
      + .circle(0.66, 0.2, 0.28) + .ellipse(0.04, 0.26, 0.8, 0.25)
    body(puffs, on: &canvas)
    fill(.ellipse(-0.2, -0.28, 0.22, 0.12), hue.light.toward(.white, 0.35), on: &canvas)
  }

  func balloon(_ canvas: inout Canvas) {
    fill(
      .line([(-0.34, 0.2), (-0.16, 0.72)], 0.06) + .line([(0.34, 0.2), (0.16, 0.72)], 0.06),
      dark.toward(.white, 0.25),
      on: &canvas
    )
    part(
      Path([(-0.22, 0.68), (0.22, 0.68), (0.17, 0.98), (-0.17, 0.98)]),
      Tint(0.74, 0.53, 0.30),
      ink: Tint(0.36, 0.23, 0.12),
      on: &canvas
    )
    body(
      .smooth([
        (0, -1), (0.5, -0.84), (0.72, -0.36), (0.54, 0.12), (0.2, 0.44), (-0.2, 0.44),
        (-0.54, 0.12), (-0.72, -0.36), (-0.5, -0.84),
      ]),
      on: &canvas
    )
    let stripe = hue == .white ? Tint(0.72, 0.75, 0.80) : cream
    fill(
      .smooth([(0, -0.97), (0.2, -0.4), (0.07, 0.42), (-0.07, 0.42), (-0.2, -0.4)]),
      stripe,
      on: &canvas
    )
  }

  func crab(_ canvas: inout Canvas) {
    for side in [-1.0, 1.0] {
      for leg in 0..<3 {
        let y = 0.2 + Double(leg) * 0.2
        fill(
          .bend([(side * 0.4, y), (side * 0.74, y - 0.04), (side * 0.86, y + 0.22)], 0.11),
          ink,
          on: &canvas
        )
      }
      fill(.line([(side * 0.46, 0), (side * 0.7, -0.3)], 0.15), ink, on: &canvas)
      body(
        .smooth([
          (side * 0.6, -0.3), (side * 0.56, -0.66), (side * 0.74, -0.8), (side * 0.74, -0.5),
          (side * 0.98, -0.72), (side * 0.96, -0.38), (side * 0.8, -0.2),
        ]),
        on: &canvas
      )
      fill(.line([(side * 0.2, -0.2), (side * 0.22, -0.42)], 0.08), ink, on: &canvas)
    }
    body(
      .smooth([
        (-0.56, 0), (-0.3, -0.2), (0.3, -0.2), (0.56, 0), (0.54, 0.36), (0.28, 0.58),
        (-0.28, 0.58), (-0.54, 0.36),
      ]),
      on: &canvas
    )
    eye(-0.22, -0.44, 0.08, on: &canvas)
    eye(0.22, -0.44, 0.08, on: &canvas)
    fill(.bend([(-0.2, 0.26), (0, 0.34), (0.2, 0.26)], 0.07), ink, on: &canvas)
  }

  func shell(_ canvas: inout Canvas) {
    body(Path([(-0.34, 0.5), (0.34, 0.5), (0.3, 0.78), (-0.3, 0.78)]), on: &canvas)
    body(
      .smooth([
        (0, 0.66), (-0.5, 0.42), (-0.9, -0.1), (-0.74, -0.5), (-0.44, -0.54), (-0.24, -0.78),
        (0.06, -0.74), (0.3, -0.78), (0.48, -0.54), (0.76, -0.5), (0.9, -0.1), (0.5, 0.42),
      ]),
      on: &canvas
    )
    for end in [(-0.66, -0.3), (-0.34, -0.5), (0, -0.58), (0.34, -0.5), (0.66, -0.3)] {
      fill(.line([(end.0 * 0.15, 0.56), end], 0.07), ink, on: &canvas, opacity: 0.7)
    }
  }

  func anchor(_ canvas: inout Canvas) {
    let ring = Path.circle(0, -0.74, 0.17).outline(0.14)
    let shape =
      ring + Path.line([(0, -0.56), (0, 0.74)], 0.22) + .line([(-0.42, -0.34), (0.42, -0.34)], 0.2)
      + .bend([(-0.74, 0.22), (-0.5, 0.66), (0, 0.82), (0.5, 0.66), (0.74, 0.22)], 0.24)
      + Path([(-0.98, 0.34), (-0.74, 0.02), (-0.5, 0.34)])
      + Path([(0.5, 0.34), (0.74, 0.02), (0.98, 0.34)])
    body(shape, on: &canvas)
  }

  func starfish(_ canvas: inout Canvas) {
    var points: [(Double, Double)] = []
    for arm in 0..<5 {
      let turn = Double(arm) / 5 - 0.25
      for (offset, radius) in [(-0.022, 0.86), (0.022, 0.86), (0.1, 0.36)] {
        let point = Circle.point(turn + offset) * radius
        points.append((point.x, point.y + 0.06))
      }
    }
    body(.smooth(points), on: &canvas)
    for arm in 0..<5 {
      let turn = Double(arm) / 5 - 0.25
      for radius in [0.26, 0.5] {
        let point = Circle.point(turn) * radius
        fill(.circle(point.x, point.y + 0.06, 0.07), ink, on: &canvas, opacity: 0.75)
      }
    }
  }
}
