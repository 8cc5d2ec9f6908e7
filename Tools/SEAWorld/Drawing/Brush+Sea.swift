// SPDX-License-Identifier: Apache-2.0
// How the things of the sea look.

extension Brush {
  /// Paints the thing.
  func paint(_ kind: Kind, on canvas: inout Canvas) {
    switch kind {
    case .boat: boat(&canvas)
    case .lighthouse: lighthouse(&canvas)
    case .buoy: buoy(&canvas)
    case .fish: fish(&canvas)
    case .whale: whale(&canvas)
    case .island: island(&canvas)
    case .gull: gull(&canvas)
    case .sun: sun(&canvas)
    case .cloud: cloud(&canvas)
    case .balloon: balloon(&canvas)
    case .crab: crab(&canvas)
    case .shell: shell(&canvas)
    case .anchor: anchor(&canvas)
    case .starfish: starfish(&canvas)
    }
  }

  private func boat(_ canvas: inout Canvas) {
    fill(.line([(0, -1), (0, 0.4)], 0.1), Tint(0.42, 0.27, 0.14), on: &canvas)
    let sail = Path.smooth([
      (-0.72, -0.86), (0, -0.94), (0.72, -0.86), (0.8, -0.3), (0.7, 0.26), (0, 0.2), (-0.7, 0.26),
      (-0.62, -0.3),
    ])
    part(sail, cream, ink: dark.toward(.white, 0.25), on: &canvas)
    if thing.number == nil {
      fill(
        .bend([(-0.6, -0.5), (0.06, -0.57), (0.74, -0.5)], 0.17),
        hue == .white ? hue.shade : hue.tint,
        on: &canvas
      )
      fill(
        .bend([(-0.6, -0.12), (0.06, -0.18), (0.72, -0.12)], 0.17),
        hue == .white ? hue.shade : hue.tint,
        on: &canvas
      )
    }
    number(0.04, -0.33, height: 0.86, width: 0.62, on: &canvas)
    body(
      .smooth([
        (-0.96, 0.36), (-0.5, 0.42), (0.5, 0.42), (1.02, 0.3), (0.86, 0.66), (0.62, 0.9),
        (-0.6, 0.9), (-0.84, 0.66),
      ]),
      on: &canvas
    )
    fill(.bend([(-0.82, 0.58), (0, 0.62), (0.88, 0.55)], 0.07), cream, on: &canvas, opacity: 0.85)
    ripple(0.92, 0.95, on: &canvas)
  }

  private func lighthouse(_ canvas: inout Canvas) {
    let rock = ground == .night ? Tint(0.30, 0.31, 0.38) : Tint(0.55, 0.55, 0.56)
    part(
      .smooth([(-0.8, 0.95), (-0.62, 0.66), (-0.1, 0.55), (0.5, 0.62), (0.8, 0.95)]),
      rock,
      ink: rock.toward(.black, 0.45),
      on: &canvas
    )
    if ground == .night {
      fill(
        Path([(0.1, -0.72), (1.5, -1.0), (1.5, -0.4)]),
        Tint(1, 0.93, 0.6),
        on: &canvas,
        opacity: 0.3
      )
    }
    body(Path([(-0.26, -0.55), (0.26, -0.55), (0.42, 0.72), (-0.42, 0.72)]), on: &canvas)
    let band = hue == .white ? Tint(0.72, 0.75, 0.80) : cream
    fill(Path([(-0.3, -0.25), (0.3, -0.25), (0.34, 0.05), (-0.34, 0.05)]), band, on: &canvas)
    fill(Path([(-0.38, 0.34), (0.38, 0.34), (0.41, 0.6), (-0.41, 0.6)]), band, on: &canvas)
    part(
      Path([(-0.2, -0.86), (0.2, -0.86), (0.2, -0.58), (-0.2, -0.58)]),
      Tint(1, 0.9, 0.45),
      on: &canvas
    )
    fill(.line([(-0.36, -0.56), (0.36, -0.56)], 0.1), ink, on: &canvas)
    body(Path([(-0.3, -0.86), (0, -1.06), (0.3, -0.86)]), on: &canvas)
    ripple(0.96, 0.85, on: &canvas)
  }

  private func buoy(_ canvas: inout Canvas) {
    fill(.line([(0, -0.98), (0, -0.5)], 0.14), dark.toward(.white, 0.3), on: &canvas)
    part(.circle(0, -0.92, 0.12), Tint(1, 0.9, 0.45), ink: dark.toward(.white, 0.2), on: &canvas)
    body(
      .smooth([
        (-0.34, -0.66), (0.34, -0.66), (0.72, -0.2), (0.84, 0.4), (0.6, 0.92), (-0.6, 0.92),
        (-0.84, 0.4), (-0.72, -0.2),
      ]),
      on: &canvas
    )
    if thing.number == nil {
      let band = hue == .white ? Tint(0.72, 0.75, 0.80) : cream
      fill(.line([(-0.7, 0.12), (0.7, 0.12)], 0.2), band, on: &canvas)
    } else {
      fill(.ellipse(0, 0.14, 0.56, 0.62), cream, on: &canvas)
      number(0, 0.14, height: 0.86, width: 0.62, on: &canvas)
    }
    ripple(0.9, 0.85, on: &canvas)
  }

  private func fish(_ canvas: inout Canvas) {
    body(
      .smooth([(-0.5, 0.05), (-0.98, -0.42), (-0.86, 0.1), (-0.98, 0.58), (-0.5, 0.2)]),
      on: &canvas
    )
    body(.smooth([(-0.2, -0.35), (0.05, -0.72), (0.4, -0.4), (0.2, -0.2)]), on: &canvas)
    body(
      .smooth([
        (0.95, 0.12), (0.6, -0.32), (0.1, -0.44), (-0.4, -0.18), (-0.66, 0.1), (-0.4, 0.4),
        (0.1, 0.64), (0.6, 0.54),
      ]),
      on: &canvas
    )
    fill(.bend([(0.34, -0.2), (0.2, 0.1), (0.34, 0.42)], 0.07), ink, on: &canvas)
    fill(
      .bend([(-0.1, -0.1), (-0.2, 0.1), (-0.1, 0.3)], 0.06)
        + .bend([(-0.34, -0.06), (-0.42, 0.1), (-0.34, 0.26)], 0.06),
      ink,
      on: &canvas,
      opacity: 0.6
    )
    eye(0.6, -0.04, 0.09, on: &canvas)
  }

  private func whale(_ canvas: inout Canvas) {
    let spray = Scenery.of(ground).foam
    fill(
      .bend([(0.42, -0.4), (0.36, -0.75), (0.1, -0.84)], 0.09)
        + .bend([(0.42, -0.4), (0.5, -0.78), (0.78, -0.82)], 0.09),
      spray,
      on: &canvas
    )
    body(
      .smooth([(-0.72, 0.1), (-0.98, -0.36), (-0.7, -0.28), (-0.5, -0.46), (-0.56, 0.08)]),
      on: &canvas
    )
    body(
      .smooth([
        (-0.7, 0), (-0.5, 0.2), (-0.15, -0.06), (0.3, -0.38), (0.78, -0.24), (0.98, 0.2),
        (0.9, 0.62), (0.4, 0.86), (-0.2, 0.84), (-0.62, 0.5), (-0.8, 0.16),
      ]),
      on: &canvas
    )
    fill(
      .smooth([(0.95, 0.42), (0.86, 0.66), (0.4, 0.82), (-0.1, 0.8), (0.3, 0.62)]),
      hue == .white ? hue.shade : hue.tint.toward(.white, 0.62),
      on: &canvas
    )
    eye(0.6, 0.16, 0.08, on: &canvas)
    ripple(0.86, 0.9, on: &canvas)
  }

  private func island(_ canvas: inout Canvas) {
    let trunk = ground == .night ? Tint(0.33, 0.24, 0.20) : Tint(0.52, 0.34, 0.18)
    let leaf = ground == .night ? Tint(0.16, 0.40, 0.28) : Tint(0.22, 0.62, 0.30)
    fill(.bend([(-0.12, 0.4), (0, -0.1), (0.2, -0.56)], 0.15), trunk, on: &canvas)
    for end in [(-0.42, -0.42), (-0.2, -0.86), (0.34, -0.98), (0.78, -0.68), (0.74, -0.28)] {
      let middle = (0.2 + (end.0 - 0.2) * 0.55, -0.6 + (end.1 + 0.6) * 0.55 - 0.12)
      fill(.bend([(0.2, -0.58), middle, end], 0.17), leaf, on: &canvas)
    }
    body(
      .smooth([
        (-0.96, 0.92), (-0.7, 0.52), (-0.25, 0.28), (0.3, 0.36), (0.74, 0.56), (0.96, 0.92),
        (0, 0.98),
      ]),
      on: &canvas
    )
    fill(.ellipse(-0.3, 0.56, 0.2, 0.08), hue.light, on: &canvas, opacity: 0.8)
    ripple(0.96, 0.98, on: &canvas)
  }
}
