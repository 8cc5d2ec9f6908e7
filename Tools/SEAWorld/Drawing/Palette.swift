// SPDX-License-Identifier: Apache-2.0
// The colours of things and of grounds.

extension Hue {
  /// The colour itself.
  var tint: Tint {
    switch self {
    case .red: Tint(0.86, 0.13, 0.13)
    case .orange: Tint(0.99, 0.53, 0.05)
    case .yellow: Tint(0.99, 0.86, 0.13)
    case .green: Tint(0.16, 0.62, 0.24)
    case .blue: Tint(0.11, 0.27, 0.85)
    case .purple: Tint(0.53, 0.20, 0.70)
    case .pink: Tint(0.99, 0.55, 0.75)
    case .brown: Tint(0.48, 0.28, 0.13)
    case .white: Tint(0.98, 0.98, 0.97)
    case .black: Tint(0.10, 0.10, 0.12)
    }
  }

  /// The side turned to the light.
  var light: Tint { tint.toward(.white, self == .black ? 0.18 : 0.28) }

  /// The side turned away.
  var shade: Tint { tint.toward(.black, self == .white ? 0.12 : 0.2) }

  /// The line around it.
  func ink(_ ground: Ground) -> Tint {
    let dark = tint.toward(Tint(0.06, 0.07, 0.12), self == .white ? 0.62 : 0.66)
    guard ground == .night else { return dark }
    // By night a dark line would be lost.
    switch self {
    case .black, .blue, .purple, .brown: return tint.toward(.white, 0.5)
    default: return dark
    }
  }
}

/// The colours of a ground.
struct Scenery: Sendable {
  let skyTop: Tint
  let skyLow: Tint
  let seaFar: Tint
  let seaNear: Tint
  let sand: Tint
  let sandLow: Tint
  let foam: Tint
  let hill: Tint

  static func of(_ ground: Ground) -> Scenery {
    switch ground {
    case .day:
      Scenery(
        skyTop: Tint(0.49, 0.76, 0.96),
        skyLow: Tint(0.88, 0.95, 0.99),
        seaFar: Tint(0.40, 0.73, 0.83),
        seaNear: Tint(0.56, 0.85, 0.87),
        sand: Tint(0.97, 0.89, 0.70),
        sandLow: Tint(0.91, 0.80, 0.58),
        foam: Tint(0.94, 0.99, 1.0),
        hill: Tint(0.62, 0.80, 0.72)
      )
    case .night:
      Scenery(
        skyTop: Tint(0.05, 0.07, 0.20),
        skyLow: Tint(0.18, 0.20, 0.42),
        seaFar: Tint(0.09, 0.15, 0.31),
        seaNear: Tint(0.13, 0.23, 0.40),
        sand: Tint(0.36, 0.34, 0.42),
        sandLow: Tint(0.29, 0.27, 0.37),
        foam: Tint(0.52, 0.63, 0.80),
        hill: Tint(0.10, 0.13, 0.28)
      )
    case .fog:
      Scenery(
        skyTop: Tint(0.80, 0.82, 0.84),
        skyLow: Tint(0.88, 0.89, 0.90),
        seaFar: Tint(0.72, 0.77, 0.79),
        seaNear: Tint(0.66, 0.73, 0.76),
        sand: Tint(0.82, 0.79, 0.72),
        sandLow: Tint(0.77, 0.74, 0.67),
        foam: Tint(0.90, 0.92, 0.93),
        hill: Tint(0.78, 0.81, 0.82)
      )
    }
  }
}
