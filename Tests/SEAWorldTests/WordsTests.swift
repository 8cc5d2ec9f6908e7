// SPDX-License-Identifier: Apache-2.0
// What is said and asked about a scene agrees with the scene.

import SEAFormat
import SEAWorld
import TestSupport
import Testing

@Suite struct WordsTests {
  private func scenes(_ count: Int, split: Split = .train) -> [Scene] {
    let maker = SceneMaker(seed: 4, split: split)
    return (0..<count).map { maker.scene($0) }
  }

  @Test func captionsNameEveryThing() {
    for scene in scenes(500) {
      var random = WorldRandom(UInt64(scene.index))
      let caption = Caption.text(scene, &random).lowercased()
      for thing in scene.things {
        let number = thing.number.map { " with the number \($0)" } ?? ""
        let phrase = "\(thing.hue.word) \(thing.kind.word)\(number) in the \(thing.cell.words)"
        #expect(caption.contains(phrase), "\(caption)")
      }
      #expect(caption.contains(scene.ground.word))
      // Nothing else is named.
      let kinds = Kind.allCases.filter { scene.count($0) == 0 && $0 != .fish }
      #expect(!kinds.contains { caption.contains(" \($0.word)") }, "\(caption)")
    }
  }

  @Test(arguments: Split.allCases)
  func answersAgreeWithTheScene(_ split: Split) throws {
    for scene in scenes(800, split: split) {
      var maker = QuestionMaker(scene, random: WorldRandom(7, UInt64(scene.index)))
      for question in maker.questions(12) {
        #expect(holds(question, in: scene), "\(question) in \(scene)")
      }
    }
  }

  /// Answers a question from the scene alone, by its words.
  private func holds(_ question: Question, in scene: Scene) -> Bool {
    let text = question.text
    let answer = question.answer
    /// Things whose words the question has: by colour and kind, by kind, or by place.
    let named = scene.things.filter { thing in
      let full = "\(thing.hue.word) \(thing.kind.word)"
      return text.contains(full)
        || (scene.count(thing.kind) == 1 && words(text).contains(thing.kind.word))
    }
    let placed = scene.things.filter { text.contains($0.cell.words) }
    switch question.kind {
    case .what:
      let hued = scene.things.filter { text.contains("the \($0.hue.word) thing") }
      return (hued.isEmpty ? placed : hued).map(\.kind.word) == [answer]
    case .color:
      return (placed.isEmpty ? named : placed).map(\.hue.word) == [answer]
    case .place: return named.map(\.cell.words) == [answer]
    case .size: return named.map(\.extent.word) == [answer]
    case .light: return scene.ground.word == answer
    case .count:
      if text.contains("things") { return String(scene.things.count) == answer }
      let kind = Kind.allCases.first { words(text).contains($0.plural) }
      return kind.map { String(scene.count($0)) } == answer
    case .read:
      let numbers = scene.things.compactMap(\.number)
      if text == "What number can be read?" { return numbers.map(String.init) == [answer] }
      return named.compactMap(\.number).map(String.init) == [answer]
    case .unanswerable:
      return answer == Question.noAnswer
        && (named.isEmpty || (text.contains("number") && named.allSatisfy { $0.number == nil }))
    case .yesNo: return isTrue(text, in: scene) == (answer == "yes")
    case .choice:
      let lines = text.split(separator: "\n").map(String.init)
      guard let option = lines.first(where: { $0.hasPrefix(answer + ". ") })?.dropFirst(3) else {
        return false
      }
      let about = scene.things.filter { thing in
        lines[0].contains(thing.cell.words) || lines[0].contains("the \(scene.name(of: thing))?")
      }
      return about.count == 1
        && [about[0].kind.word, about[0].hue.word, about[0].cell.words].contains(String(option))
    case .relation: return relates(text, answer, in: scene)
    }
  }

  private func words(_ text: String) -> [String] {
    text.split(whereSeparator: { " ?\n.".contains($0) }).map(String.init)
  }

  private func isTrue(_ text: String, in scene: Scene) -> Bool {
    let words = words(text)
    let hue = Hue.allCases.first { words.contains($0.word) }
    let cell = Cell.allCases.first { text.contains($0.words) }
    guard let kind = Kind.allCases.first(where: { words.contains($0.word) }) else { return false }
    return scene.things.contains { thing in
      thing.kind == kind && (hue == nil || thing.hue == hue) && (cell == nil || thing.cell == cell)
    }
  }

  private func relates(_ text: String, _ answer: String, in scene: Scene) -> Bool {
    guard let thing = scene.things.first(where: { text.hasSuffix("the \(scene.name(of: $0))?") })
    else {
      return false
    }
    let others = scene.things.filter { other in
      if text.contains("left of") { return other.cell.column < thing.cell.column }
      if text.contains("right of") { return other.cell.column > thing.cell.column }
      guard other.cell.column == thing.cell.column, other.cell != thing.cell else { return false }
      return text.contains("above") ? other.cell.isTop : !other.cell.isTop
    }
    return others.map(\.kind.word) == [answer]
  }

  @Test func everyKindOfQuestionIsAsked() {
    let records = Records(WorldOptions(count: 400, seed: 8))
    let kinds = Set((0..<400).flatMap { records.questions(records.scene($0)).map(\.kind) })
    #expect(kinds == Set(QuestionKind.allCases))
  }

  @Test func yesAndNoAreBalanced() {
    let records = Records(WorldOptions(count: 3000, seed: 8))
    let answers = (0..<3000).flatMap { records.questions(records.scene($0)) }
      .filter { $0.kind == .yesNo }.map(\.answer)
    let share = Double(answers.count { $0 == "yes" }) / Double(answers.count)
    #expect((0.45...0.55).contains(share))
  }

  @Test func recordsHaveLLaVAsForm() throws {
    let records = Records(WorldOptions(count: 50, seed: 8))
    for index in 0..<50 {
      let scene = records.scene(index)
      for record in [records.caption(scene), records.conversation(scene)] {
        let turns = try #require(record["conversations"]?.array)
        #expect(record["image"]?.string == records.image(index))
        #expect(!turns.isEmpty && turns.count.isMultiple(of: 2))
        for (position, turn) in turns.enumerated() {
          let value = try #require(turn["value"]?.string)
          #expect(turn["from"]?.string == (position.isMultiple(of: 2) ? "human" : "gpt"))
          #expect(value.hasPrefix("<image>\n") == (position == 0))
        }
      }
      #expect(records.caption(scene)["conversations"]?.array?.count == 2)
    }
  }

  @Test func testTextsAreNotTrainingTexts() {
    let train = TextMaker(seed: 1, split: .train)
    let test = TextMaker(seed: 1, split: .heldout)
    let kinds = ["arithmetic", "facts", "order"]
    func questions(_ maker: TextMaker) -> Set<String> {
      Set(
        (0..<6000).map { maker.item($0) }.filter { kinds.contains($0.kind) && $0.choices.isEmpty }
          .map(\.question).filter { !$0.isEmpty }
      )
    }
    let (seen, asked) = (questions(train), questions(test))
    #expect(seen.count > 300 && asked.count > 50)
    #expect(seen.isDisjoint(with: asked))
  }

  @Test func sumsAreRight() throws {
    let maker = TextMaker(seed: 1, split: .train)
    var count = 0
    for item in (0..<4000).map({ maker.item($0) }) where item.question.hasSuffix("=") {
      let parts = item.question.split(separator: " ").compactMap { Int($0) }
      try #require(parts.count == 2)
      let result = item.question.contains("+") ? parts[0] + parts[1] : parts[0] - parts[1]
      #expect(item.answer == String(result))
      count += 1
    }
    #expect(count > 100)
  }

  @Test func wordListHoldsTheWorldAmongMany() {
    #expect(Set(WordList.all).count == WordList.all.count)
    #expect(Set(WordList.all).isSuperset(of: WordList.world))
    #expect(Set(WordList.distractors).isDisjoint(with: WordList.world))
    #expect(WordList.all.count > 1000)
  }

  @Test func baselinesAreWhatGuessingScores() {
    let questions = [
      Question.sample(.color, "red"), .sample(.color, "red"), .sample(.color, "blue"),
      .sample(.yesNo, "no"),
    ]
    let baselines = Baselines(questions, seed: 1)
    #expect(baselines.majorityByKind == 0.75 && baselines.majority == 0.5)
    #expect(baselines.rows.map(\.answer) == ["red", "no"])
  }
}

extension Question {
  /// A question whose words no scene has.
  fileprivate static func sample(_ kind: QuestionKind, _ answer: String) -> Question {
    Question(kind, "?", answer)
  }
}
