// SPDX-License-Identifier: Apache-2.0
// A picture before it is drawn: what is where, drawn from a seed.

/// Which half of the world a scene belongs to.
package enum Split: String, CaseIterable, Sendable {
  /// Seen in training: without the held-out combinations.
  case train
  /// For tests: a held-out combination in every scene.
  case heldout

  var key: UInt64 { self == .train ? 1 : 2 }
}

/// Things on a ground.
package struct Scene: Sendable, Equatable {
  /// Its number in the world.
  package let index: Int
  package let ground: Ground
  /// One to four, each in a cell of its own, no two alike in kind and colour.
  package let things: [Thing]
  /// Chooses what does not matter: waves, stars, hills.
  let decoration: UInt64

  /// Whether a number can be read anywhere.
  package var hasNumber: Bool { things.contains { $0.number != nil } }

  /// How many there are of a kind.
  package func count(_ kind: Kind) -> Int { things.count { $0.kind == kind } }

  /// Shortest words that mean only this thing: its kind, with the colour where the kind is not alone.
  package func name(of thing: Thing) -> String {
    count(thing.kind) == 1 ? thing.kind.word : "\(thing.hue.word) \(thing.kind.word)"
  }
}

/// Draws scenes.
package struct SceneMaker: Sendable {
  /// Share of scenes with a number.
  package static let numberShare = 0.46

  let seed: UInt64
  let split: Split

  /// Scenes of a seed; the two splits of a seed have nothing in common.
  package init(seed: UInt64, split: Split) {
    self.seed = seed
    self.split = split
  }

  /// The scene with this number; it depends on nothing but seed, split and number.
  package func scene(_ index: Int) -> Scene {
    var random = WorldRandom(seed, split.key, UInt64(index))
    var ground = Ground.allCases[random.pick(weights: [0.5, 0.25, 0.25])]
    let count = 1 + random.pick(weights: [0.2, 0.35, 0.3, 0.15])
    let hasNumber = random.chance(Self.numberShare)
    var things: [Thing] = []
    if split == .heldout, let combination = random.pick(Self.heldOut) {
      // A sun is as good by day as any other thing.
      if !combination.kind.appears(in: ground) { ground = .day }
      things.append(Self.thing(combination, &random))
    }
    if hasNumber, !things.contains(where: \.kind.carriesNumber) {
      let kind: Kind = random.chance(0.5) ? .boat : .buoy
      if let thing = thing(kind, ground, besides: things, &random) { things.append(thing) }
    }
    while things.count < count {
      // Several of a kind make counting worth asking for.
      let repeated = random.chance(0.3) ? random.pick(things)?.kind : nil
      let kind = repeated ?? Kind.allCases[random.pick(weights: Self.weights)]
      guard let thing = thing(kind, ground, besides: things, &random) else { continue }
      things.append(thing)
    }
    if hasNumber { Self.paintNumbers(&things, &random) }
    return Scene(index: index, ground: ground, things: things, decoration: random.next())
  }

  /// What carries numbers is there often enough for their sake.
  private static let weights = Kind.allCases.map { $0.carriesNumber ? 0.35 : 1 }

  /// In a fixed order, which the order of a set is not.
  private static let heldOut = Combination.all.filter(Combination.heldOut.contains)

  /// A thing that may stand beside the others, or nil when none was found soon.
  private func thing(
    _ kind: Kind,
    _ ground: Ground,
    besides others: [Thing],
    _ random: inout WorldRandom
  ) -> Thing? {
    guard kind.appears(in: ground) else { return nil }
    let free = kind.cells.filter { cell in !others.contains { $0.cell == cell } }
    for _ in 0..<8 {
      guard let cell = random.pick(free), let hue = random.pick(Hue.allCases) else { return nil }
      let combination = Combination(kind: kind, hue: hue, cell: cell)
      guard split == .heldout || !Combination.heldOut.contains(combination),
        !others.contains(where: { $0.kind == kind && $0.hue == hue })
      else { continue }
      return Self.thing(combination, &random)
    }
    return nil
  }

  private static func thing(_ combination: Combination, _ random: inout WorldRandom) -> Thing {
    Thing(
      kind: combination.kind,
      hue: combination.hue,
      extent: random.chance(0.6) ? .large : .small,
      cell: combination.cell,
      shift: Point(random.number(-0.012...0.012), random.number(-0.015...0.015)),
      isMirrored: random.chance(0.5)
    )
  }

  /// Paints a digit on one boat or buoy, and sometimes on the others, all different.
  private static func paintNumbers(_ things: inout [Thing], _ random: inout WorldRandom) {
    var digits = random.shuffled(Array(0...9))
    let carriers = things.indices.filter { things[$0].kind.carriesNumber }
    for (position, index) in random.shuffled(carriers).enumerated() {
      guard position == 0 || random.chance(0.4) else { continue }
      things[index].extent = .large
      things[index].number = digits.removeLast()
    }
  }
}
