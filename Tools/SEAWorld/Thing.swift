// SPDX-License-Identifier: Apache-2.0
// What can stand in a harbour: kinds, colours, sizes, places, and one thing with all of them.

/// What a thing is.
package enum Kind: String, CaseIterable, Sendable {
  case boat, lighthouse, buoy, fish, whale, island
  case gull, sun, cloud, balloon
  case crab, shell, anchor, starfish

  /// The word for one.
  package var word: String { rawValue }

  /// The word for several.
  package var plural: String {
    switch self {
    case .fish: "fish"
    case .starfish: "starfish"
    default: word + "s"
    }
  }

  /// Where a kind belongs.
  enum Home { case sky, sea, shore }

  var home: Home {
    switch self {
    case .boat, .lighthouse, .buoy, .fish, .whale, .island: .sea
    case .gull, .sun, .cloud, .balloon: .sky
    case .crab, .shell, .anchor, .starfish: .shore
    }
  }

  /// The cells it can be in: the sky is on top, the shore below, the sea everywhere.
  package var cells: [Cell] {
    switch home {
    case .sky: Cell.allCases.filter(\.isTop)
    case .sea: Cell.allCases
    case .shore: Cell.allCases.filter { !$0.isTop }
    }
  }

  /// Whether a number can be painted on a large one.
  package var carriesNumber: Bool { self == .boat || self == .buoy }

  /// Whether it can be seen by `ground`: there is no sun at night.
  package func appears(in ground: Ground) -> Bool {
    self != .sun || ground != .night
  }
}

/// The colour of a thing.
package enum Hue: String, CaseIterable, Sendable {
  case red, orange, yellow, green, blue, purple, pink, brown, white, black

  /// The word for it.
  package var word: String { rawValue }
}

/// How large a thing is.
package enum Extent: String, CaseIterable, Sendable {
  case small, large

  /// The word for it.
  package var word: String { rawValue }
}

/// A sixth of the picture: two rows of three.
package enum Cell: Int, CaseIterable, Sendable {
  case topLeft, topMiddle, topRight, bottomLeft, bottomMiddle, bottomRight

  /// 0 for the left, 1 for the middle, 2 for the right.
  package var column: Int { rawValue % 3 }

  /// Whether it is in the upper row.
  package var isTop: Bool { rawValue < 3 }

  /// The words for it.
  package var words: String {
    (isTop ? "top " : "bottom ") + ["left", "middle", "right"][column]
  }
}

/// Light and weather.
package enum Ground: String, CaseIterable, Sendable {
  case day, night, fog

  /// The word for it.
  package var word: String { rawValue }
}

/// One thing in a scene.
package struct Thing: Sendable, Equatable {
  package var kind: Kind
  package var hue: Hue
  package var extent: Extent
  package var cell: Cell
  /// The digit painted on it.
  package var number: Int?
  /// Offset from the middle of the cell, as shares of the picture's side.
  var shift = Point(0, 0)
  /// Looks to the left.
  var isMirrored = false

  /// What is held out of training: a kind in a colour in a place.
  package var combination: Combination {
    Combination(kind: kind, hue: hue, cell: cell)
  }
}

/// A kind in a colour in a place.
package struct Combination: Sendable, Hashable {
  package let kind: Kind
  package let hue: Hue
  package let cell: Cell

  /// All that can be seen.
  package static let all: [Combination] = Kind.allCases.flatMap { kind in
    Hue.allCases.flatMap { hue in
      kind.cells.map { Combination(kind: kind, hue: hue, cell: $0) }
    }
  }

  /// Those that training never sees: about 15 %, the same for every seed.
  ///
  /// Every kind is seen in every colour, in some place, and in every place, in some colour; what is new
  /// in a held-out picture is how they come together.
  package static let heldOut: Set<Combination> = {
    var result: Set<Combination> = []
    for (row, kind) in Kind.allCases.enumerated() {
      for (column, hue) in Hue.allCases.enumerated() {
        // One cell in six, or one in three for two colours of five: spread so that no cell of a kind
        // loses more than a few colours.
        if kind.cells.count == 3, (2 * row + column) % 5 > 1 { continue }
        let cell = kind.cells[(3 * row + column + column / kind.cells.count) % kind.cells.count]
        result.insert(Combination(kind: kind, hue: hue, cell: cell))
      }
    }
    return result
  }()

  /// As people write it: `red boat, top left`.
  package var words: String { "\(hue.word) \(kind.word), \(cell.words)" }
}
