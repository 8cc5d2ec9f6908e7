// SPDX-License-Identifier: Apache-2.0
// Asks about scenes: every kind of question that a scene allows, in varied words.

/// Makes questions about one scene.
package struct QuestionMaker {
  let scene: Scene
  fileprivate var random: WorldRandom

  /// - Parameters:
  ///   - scene: what is asked about.
  ///   - random: chooses what is asked.
  package init(_ scene: Scene, random: WorldRandom) {
    self.scene = scene
    self.random = random
  }

  /// How often each kind is asked.
  private static let weights: [Double] = QuestionKind.allCases.map { kind in
    switch kind {
    case .what, .place, .choice: 1.2
    case .color, .yesNo: 1.5
    case .read: 1.8
    case .count: 1
    case .unanswerable, .relation: 0.8
    case .size: 0.6
    case .light: 0.4
    }
  }

  /// Different questions about the scene.
  ///
  /// - Parameters:
  ///   - count: how many at most.
  ///   - focus: the index of the thing that questions about a thing are about; nil: any.
  ///   - repeatsKinds: whether a kind may come again.
  /// - Returns: fewer where the scene does not allow as many.
  package mutating func questions(
    _ count: Int,
    focus: Int? = nil,
    repeatsKinds: Bool = true
  ) -> [Question] {
    var result: [Question] = []
    var weights = Self.weights
    for _ in 0..<count * 6 where result.count < count {
      let index = random.pick(weights: weights)
      guard let question = question(QuestionKind.allCases[index], focus: focus) else { continue }
      guard !result.contains(where: { $0.text == question.text }) else { continue }
      result.append(question)
      weights[index] *= repeatsKinds ? 0.5 : 0
      guard weights.contains(where: { $0 > 0 }) else { break }
    }
    return result
  }

  /// A question of a kind, or nil where the scene does not allow it.
  package mutating func question(_ kind: QuestionKind, focus: Int? = nil) -> Question? {
    switch kind {
    case .what: what(target(focus))
    case .color: color(target(focus))
    case .count: count()
    case .place: place(target(focus))
    case .yesNo: yesNo(target(focus))
    case .read: read(focus)
    case .choice: choice(target(focus))
    case .unanswerable: unanswerable()
    case .size: size(target(focus))
    case .light: light()
    case .relation: relation()
    }
  }

  private mutating func target(_ focus: Int?) -> Int {
    focus ?? random.below(scene.things.count)
  }

  private mutating func either(_ first: String, _ second: String) -> String {
    random.chance(0.5) ? first : second
  }

  private mutating func absentKind() -> Kind? {
    random.pick(Kind.allCases.filter { scene.count($0) == 0 })
  }

  // MARK: - About one thing

  private mutating func what(_ index: Int) -> Question? {
    let thing = scene.things[index]
    let isAloneInHue = scene.things.count { $0.hue == thing.hue } == 1
    let text =
      isAloneInHue && random.chance(0.35)
      ? "What is the \(thing.hue.word) thing?"
      : either("What is in the \(thing.cell.words)?", "What do you see in the \(thing.cell.words)?")
    return Question(.what, text, thing.kind.word, thing: index)
  }

  private mutating func color(_ index: Int) -> Question? {
    let thing = scene.things[index]
    if scene.count(thing.kind) == 1, random.chance(0.7) {
      let text = either(
        "What color is the \(thing.kind.word)?",
        "Which color has the \(thing.kind.word)?"
      )
      return Question(.color, text, thing.hue.word, thing: index)
    }
    let text = "What color is the \(thing.kind.word) in the \(thing.cell.words)?"
    return Question(.color, text, thing.hue.word, thing: index)
  }

  private mutating func place(_ index: Int) -> Question? {
    let thing = scene.things[index]
    let name = scene.name(of: thing)
    return Question(
      .place,
      either("Where is the \(name)?", "In which part of the picture is the \(name)?"),
      thing.cell.words,
      thing: index
    )
  }

  private mutating func size(_ index: Int) -> Question? {
    let thing = scene.things[index]
    return Question(
      .size,
      "Is the \(scene.name(of: thing)) large or small?",
      thing.extent.word,
      thing: index
    )
  }

  private mutating func read(_ focus: Int?) -> Question? {
    let carriers = scene.things.indices.filter { scene.things[$0].number != nil }
    let wanted = focus.flatMap { carriers.contains($0) ? $0 : nil } ?? random.pick(carriers)
    guard let index = wanted, let number = scene.things[index].number else { return nil }
    let name = scene.name(of: scene.things[index])
    let text =
      carriers.count == 1
      ? either("What number can be read?", "What number is on the \(name)?")
      : either("What number is on the \(name)?", "Which number does the \(name) have?")
    return Question(.read, text, String(number), thing: index)
  }

  // MARK: - Yes or no

  private mutating func yesNo(_ index: Int) -> Question? {
    let thing = scene.things[index]
    let isTrue = random.chance(0.5)
    let name = scene.name(of: thing)
    let answer = isTrue ? "yes" : "no"
    switch random.below(4) {
    case 0:
      guard let kind = isTrue ? thing.kind : absentKind() else { return nil }
      let place = either("picture", "image")
      let text = "Is there \(Caption.withArticle(kind.word)) in the \(place)?"
      return Question(.yesNo, text, answer, thing: isTrue ? index : nil)
    case 1:
      let others = Hue.allCases.filter { hue in
        !scene.things.contains { $0.kind == thing.kind && $0.hue == hue }
      }
      guard let hue = isTrue ? thing.hue : random.pick(others) else { return nil }
      let text = "Is there \(Caption.withArticle("\(hue.word) \(thing.kind.word)")) in the picture?"
      return Question(.yesNo, text, answer, thing: index)
    case 2:
      let others = thing.kind.cells.filter { $0 != thing.cell }
      guard let cell = isTrue ? thing.cell : random.pick(others) else { return nil }
      return Question(.yesNo, "Is the \(name) in the \(cell.words)?", answer, thing: index)
    default:
      guard scene.count(thing.kind) == 1 else { return nil }
      let others = Hue.allCases.filter { $0 != thing.hue }
      guard let hue = isTrue ? thing.hue : random.pick(others) else { return nil }
      return Question(.yesNo, "Is the \(thing.kind.word) \(hue.word)?", answer, thing: index)
    }
  }

  // MARK: - About the whole

  private mutating func count() -> Question? {
    if random.chance(0.3) {
      return Question(.count, "How many things are there?", String(scene.things.count))
    }
    let several = Kind.allCases.filter { scene.count($0) > 1 }
    let kind: Kind? =
      if random.chance(0.15) {
        absentKind()
      } else if random.chance(0.6), let kind = random.pick(several) {
        kind
      } else {
        random.pick(scene.things)?.kind
      }
    guard let kind else { return nil }
    return Question(.count, "How many \(kind.plural) are there?", String(scene.count(kind)))
  }

  private mutating func light() -> Question {
    Question(
      .light,
      either("Is it day, night or fog?", "Is it day or night, or is there fog?"),
      scene.ground.word
    )
  }

  private mutating func relation() -> Question? {
    let index = random.below(scene.things.count)
    let thing = scene.things[index]
    let name = scene.name(of: thing)
    let relations: [(words: String, holds: (Cell) -> Bool)] = [
      ("to the left of", { $0.column < thing.cell.column }),
      ("to the right of", { $0.column > thing.cell.column }),
      ("above", { $0.column == thing.cell.column && $0.isTop && !thing.cell.isTop }),
      ("below", { $0.column == thing.cell.column && !$0.isTop && thing.cell.isTop }),
    ]
    for relation in random.shuffled(relations) {
      let others = scene.things.filter { relation.holds($0.cell) }
      guard others.count == 1, let other = others.first else { continue }
      return Question(
        .relation,
        "What is \(relation.words) the \(name)?",
        other.kind.word,
        thing: index
      )
    }
    return nil
  }

  private mutating func unanswerable() -> Question? {
    let blank = scene.things.filter { $0.kind.carriesNumber && $0.number == nil }
    if let thing = random.pick(blank), random.chance(0.6) {
      return Question(
        .unanswerable,
        "What number is on the \(scene.name(of: thing))?",
        Question.noAnswer
      )
    }
    guard let kind = absentKind() else { return nil }
    let texts = [
      "What color is the \(kind.word)?", "Where is the \(kind.word)?",
      kind.carriesNumber
        ? "What number is on the \(kind.word)?" : "Is the \(kind.word) large or small?",
    ]
    return Question(.unanswerable, texts[random.below(3)], Question.noAnswer)
  }

  // MARK: - Options

  private mutating func choice(_ index: Int) -> Question? {
    let thing = scene.things[index]
    let name = scene.name(of: thing)
    let (text, right, others): (String, String, [String]) =
      switch random.below(3) {
      case 0:
        (
          "What is in the \(thing.cell.words)?", thing.kind.word,
          Kind.allCases.map(\.word)
        )
      case 1:
        (
          "What color is the \(thing.kind.word) in the \(thing.cell.words)?", thing.hue.word,
          Hue.allCases.map(\.word)
        )
      default: ("Where is the \(name)?", thing.cell.words, thing.kind.cells.map(\.words))
      }
    let wrong = random.shuffled(others.filter { $0 != right }).prefix(3)
    let options = random.shuffled([right] + wrong)
    guard let letter = options.firstIndex(of: right) else { return nil }
    return Question(
      .choice,
      Self.withOptions(text, options) + Question.letterAnswer,
      Self.letters[letter],
      thing: index
    )
  }

  static let letters = ["A", "B", "C", "D"]

  /// A question with lettered options below.
  static func withOptions(_ text: String, _ options: [String]) -> String {
    text + zip(letters, options).map { "\n\($0). \($1)" }.joined()
  }
}

extension QuestionMaker {
  /// Heads or tails.
  mutating func coin() -> Bool { random.chance(0.5) }
}
