// SPDX-License-Identifier: Apache-2.0
// The ten digits as strokes.

/// Digits in a box from (-1, -1.5) to (1, 1.5).
enum Digit {
  /// The strokes of a digit as one path.
  ///
  /// - Precondition: `value` is 0 ... 9.
  static func path(_ value: Int, width: Double) -> Path {
    precondition((0...9).contains(value), "\(value) is not a digit")
    return strokes[value].reduce(Path()) { path, stroke in
      path + (stroke.isRound ? Path.bend(stroke.points, width) : Path.line(stroke.points, width))
    }
  }

  private struct Stroke: Sendable {
    let isRound: Bool
    let points: [(Double, Double)]

    static func round(_ points: [(Double, Double)]) -> Stroke {
      Stroke(isRound: true, points: points)
    }

    static func straight(_ points: [(Double, Double)]) -> Stroke {
      Stroke(isRound: false, points: points)
    }
  }

  private static let strokes: [[Stroke]] = [
    [
      .round([
        (0, -1.4), (0.75, -0.9), (0.9, 0), (0.75, 0.9), (0, 1.4), (-0.75, 0.9), (-0.9, 0),
        (-0.75, -0.9), (0, -1.4),
      ])
    ],
    [.straight([(-0.6, -0.8), (0.1, -1.4), (0.1, 1.4)]), .straight([(-0.55, 1.4), (0.75, 1.4)])],
    [
      .round([(-0.85, -0.8), (-0.4, -1.35), (0.35, -1.35), (0.8, -0.75), (0.5, 0), (-0.85, 1.4)]),
      .straight([(-0.85, 1.4), (0.9, 1.4)]),
    ],
    [
      .round([(-0.8, -1.1), (0, -1.4), (0.7, -0.95), (0.5, -0.3), (-0.2, -0.1)]),
      .round([(-0.2, -0.1), (0.6, 0.1), (0.85, 0.75), (0.1, 1.4), (-0.85, 1.1)]),
    ],
    [.straight([(0.4, 1.4), (0.4, -1.4), (-0.9, 0.6), (0.95, 0.6)])],
    [
      .straight([(0.75, -1.4), (-0.65, -1.4), (-0.75, -0.2)]),
      .round([(-0.75, -0.2), (0.1, -0.45), (0.8, 0.1), (0.75, 0.9), (0, 1.4), (-0.85, 1.1)]),
    ],
    [
      .round([(0.65, -1.3), (-0.1, -1.2), (-0.75, -0.3), (-0.8, 0.6)]),
      .round([
        (-0.8, 0.6), (-0.35, -0.2), (0.5, -0.15), (0.85, 0.6), (0.35, 1.35), (-0.4, 1.35),
        (-0.8, 0.6),
      ]),
    ],
    [.straight([(-0.85, -1.4), (0.85, -1.4), (-0.25, 1.4)])],
    [
      .round([
        (0, -0.1), (-0.65, -0.7), (0, -1.4), (0.65, -0.7), (0, -0.1), (-0.85, 0.7), (0, 1.4),
        (0.85, 0.7), (0, -0.1),
      ])
    ],
    [
      .round([
        (0.8, -0.6), (0.35, 0.2), (-0.5, 0.15), (-0.85, -0.6), (-0.35, -1.35), (0.4, -1.35),
        (0.8, -0.6),
      ]),
      .round([(0.8, -0.6), (0.75, 0.3), (0.1, 1.2), (-0.65, 1.3)]),
    ],
  ]
}
