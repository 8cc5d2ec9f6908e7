// SPDX-License-Identifier: Apache-2.0
// Text without pictures: arithmetic, facts and reading, to teach a small language model and to test it.

/// A piece of text; some are questions with answers.
package struct TextItem: Sendable, Equatable {
  package let kind: String
  /// What stands before the answer; empty for a statement.
  package let question: String
  package let answer: String
  /// Options, where the answer is a letter.
  package var choices: [String] = []

  /// Everything as one text.
  package var text: String { question.isEmpty ? answer : question + " " + answer }
}

/// Makes text items of one split.
package struct TextMaker: Sendable {
  let seed: UInt64
  let split: Split

  /// Texts of a seed; sums and questions of the held-out split are never in the other.
  package init(seed: UInt64, split: Split) {
    self.seed = seed
    self.split = split
  }

  /// The text with this number.
  package func item(_ index: Int) -> TextItem {
    var random = WorldRandom(seed, split.key, 0x7465_7874, UInt64(index))
    while true {
      let item =
        switch random.pick(weights: [0.55, 0.2, 0.05, 0.2]) {
        case 0: reading(index, &random)
        case 1: arithmetic(&random)
        case 2: order(&random)
        default: fact(&random)
        }
      if let item { return item }
    }
  }

  /// Whether a question is kept from training; the same for every seed.
  private static func isHeldOut(_ keys: UInt64...) -> Bool {
    var random = WorldRandom(keys.reduce(0x68_656c_64) { $0 &* 1_000_003 &+ $1 })
    return random.chance(0.15)
  }

  // MARK: - Kinds

  /// A described scene and a question that its description answers.
  private func reading(_ index: Int, _ random: inout WorldRandom) -> TextItem? {
    let scene = SceneMaker(seed: seed ^ 0x7265_6164, split: split).scene(index)
    let caption = Caption.text(scene, &random)
    if split == .train, random.chance(0.3) {
      return TextItem(kind: "reading", question: "", answer: caption)
    }
    var maker = QuestionMaker(scene, random: WorldRandom(random.next()))
    let kinds: [QuestionKind] = [.what, .color, .place, .yesNo, .read, .count]
    guard let question = maker.question(kinds[random.below(kinds.count)]) else { return nil }
    return TextItem(
      kind: "reading",
      question: caption + " " + question.text,
      answer: question.answer
    )
  }

  /// A sum or difference of numbers up to twenty.
  private func arithmetic(_ random: inout WorldRandom) -> TextItem? {
    let (first, second) = (random.below(11), random.below(10))
    let isSum = random.chance(0.5)
    guard isSum || first >= second else { return nil }
    let isHeldOut = Self.isHeldOut(1, UInt64(first), UInt64(second), isSum ? 1 : 0)
    guard isHeldOut == (split == .heldout) else { return nil }
    let result = isSum ? first + second : first - second
    let form = random.below(3)
    let question =
      switch form {
      case 0: "\(first) \(isSum ? "+" : "-") \(second) ="
      case 1: "What is \(first) \(isSum ? "plus" : "minus") \(second)?"
      default: "What is \(Self.word(first)) \(isSum ? "plus" : "minus") \(Self.word(second))?"
      }
    let answer = form == 2 ? Self.word(result) : String(result)
    let others = [result + 1, max(result - 1, result == 0 ? 3 : 0), result + 2]
      .map { form == 2 ? Self.word($0) : String($0) }
    return offered("arithmetic", question, answer, others, &random)
  }

  /// Which number is larger, or next.
  private func order(_ random: inout WorldRandom) -> TextItem? {
    let (first, second) = (random.below(20), random.below(20))
    guard first != second else { return nil }
    guard Self.isHeldOut(2, UInt64(first), UInt64(second)) == (split == .heldout) else {
      return nil
    }
    if random.chance(0.5) {
      return TextItem(
        kind: "order",
        question: "Which is larger, \(first) or \(second)?",
        answer: String(max(first, second))
      )
    }
    return TextItem(
      kind: "order",
      question: "Which is smaller, \(first) or \(second)?",
      answer: String(min(first, second))
    )
  }

  /// Common knowledge of a harbour: told in training, asked for in the test.
  private func fact(_ random: inout WorldRandom) -> TextItem? {
    let index = random.below(Facts.all.count)
    let fact = Facts.all[index]
    let form = random.below(3)
    // Every fact is told in training; of its two questions one may be kept for the test.
    guard form > 0 else {
      guard split == .train else { return nil }
      return TextItem(kind: "facts", question: "", answer: fact.statement)
    }
    let isHeldOut = Self.isHeldOut(3, UInt64(index), UInt64(form))
    guard isHeldOut == (split == .heldout) else { return nil }
    let question = form == 1 ? fact.question : "Question: \(fact.question) Answer:"
    let others = random.shuffled(
      Array(Set(Facts.all.filter { $0.topic == fact.topic }.map(\.answer))).sorted()
        .filter { $0 != fact.answer }
    )
    return offered("facts", question, fact.answer, Array(others.prefix(3)), &random)
  }

  /// The question as it is, or, now and then, with four options.
  private func offered(
    _ kind: String,
    _ question: String,
    _ answer: String,
    _ others: [String],
    _ random: inout WorldRandom
  ) -> TextItem {
    guard random.chance(0.25), others.count == 3, Set(others + [answer]).count == 4 else {
      return TextItem(kind: kind, question: question, answer: answer)
    }
    let options = random.shuffled([answer] + others)
    let letter = options.firstIndex(of: answer) ?? 0
    var item = TextItem(
      kind: kind,
      question: QuestionMaker.withOptions(question, options) + "\nAnswer:",
      answer: QuestionMaker.letters[letter]
    )
    item.choices = options
    return item
  }

  /// A number from 0 to 20 in words.
  static func word(_ number: Int) -> String {
    numbers.indices.contains(number) ? numbers[number] : String(number)
  }

  static let numbers = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty", "twenty-one",
  ]
}
