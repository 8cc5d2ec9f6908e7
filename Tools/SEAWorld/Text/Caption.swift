// SPDX-License-Identifier: Apache-2.0
// Scenes in words.

/// Sentences about scenes.
package enum Caption {
  /// A sentence or two that name every thing with its colour and place, and its number if it has one.
  ///
  /// - Parameters:
  ///   - scene: what is described.
  ///   - random: chooses the wording.
  /// - Returns: the text.
  package static func text(_ scene: Scene, _ random: inout WorldRandom) -> String {
    let tellsSize = random.chance(0.5)
    let phrases = random.shuffled(scene.things).map { phrase($0, tellsSize: tellsSize) }
    let list = join(phrases)
    let light = light(scene.ground)
    return switch random.below(4) {
    case 0: capitalized("\(list), \(light).")
    case 1: capitalized("\(light), there is \(list).")
    case 2: "A harbour \(light) with \(list)."
    default: capitalized("\(list). It is \(word(scene.ground)).")
    }
  }

  /// A request for a description, as LLaVA's first stage has them; chosen at random.
  package static func request(_ random: inout WorldRandom) -> String {
    requests[random.below(requests.count)]
  }

  /// A thing with everything that can be said of it: `a small red boat with the number 7 in the top left`.
  static func phrase(_ thing: Thing, tellsSize: Bool) -> String {
    let name = (tellsSize ? "\(thing.extent.word) " : "") + "\(thing.hue.word) \(thing.kind.word)"
    let number = thing.number.map { " with the number \($0)" } ?? ""
    return "\(withArticle(name))\(number) in the \(thing.cell.words)"
  }

  /// `a boat`, `an island`.
  static func withArticle(_ name: String) -> String {
    ("aeiou".contains(name.prefix(1)) ? "an " : "a ") + name
  }

  /// The light, as an adverbial.
  static func light(_ ground: Ground) -> String {
    switch ground {
    case .day: "by day"
    case .night: "at night"
    case .fog: "in the fog"
    }
  }

  private static func word(_ ground: Ground) -> String {
    ground == .fog ? "foggy" : ground.word
  }

  /// `a, b and c`.
  static func join(_ parts: [String]) -> String {
    guard let last = parts.last, parts.count > 1 else { return parts.first ?? "" }
    return parts.dropLast().joined(separator: ", ") + " and " + last
  }

  /// With a capital first letter.
  static func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  private static let requests = [
    "Describe the picture.", "What does this picture show?", "Give a short description.",
    "Tell me what you see.", "Describe the scene briefly.", "What can be seen here?",
  ]
}
