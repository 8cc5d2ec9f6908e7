// SPDX-License-Identifier: Apache-2.0
// What everybody knows about a harbour.

/// A fact, told and asked for.
struct Fact: Sendable {
  /// Facts of a topic have answers of a kind, which serve each other as wrong options.
  let topic: String
  let statement: String
  let question: String
  let answer: String

  init(_ topic: String, _ statement: String, _ question: String, _ answer: String) {
    self.topic = topic
    self.statement = statement
    self.question = question
    self.answer = answer
  }
}

/// The facts.
enum Facts {
  static let all: [Fact] = sorts + places + opposites + parts + numbers

  private static let sorts: [Fact] = [
    ("gull", "bird"), ("whale", "animal"), ("crab", "animal"), ("boat", "ship"),
    ("lighthouse", "tower"), ("sun", "star"), ("island", "land"), ("fish", "animal"),
    ("red", "color"), ("blue", "color"), ("seven", "number"), ("two", "number"), ("oak", "tree"),
    ("palm", "tree"), ("apple", "fruit"), ("pear", "fruit"), ("hammer", "tool"), ("saw", "tool"),
    ("robin", "bird"), ("owl", "bird"), ("green", "color"), ("plum", "fruit"), ("pine", "tree"),
  ].map { name, sort in
    let subject = ["color", "number"].contains(sort) ? name : Caption.withArticle(name)
    return Fact(
      "sorts",
      Caption.capitalized("\(subject) is \(Caption.withArticle(sort))."),
      "What is \(subject)?",
      sort
    )
  }

  private static let places: [Fact] = [
    ("the sun", "shines", "sky"), ("a cloud", "floats", "sky"), ("a gull", "flies", "sky"),
    ("a balloon", "rises", "sky"), ("a whale", "swims", "sea"), ("a fish", "swims", "sea"),
    ("a boat", "sails", "sea"), ("a buoy", "floats", "sea"), ("a crab", "walks", "shore"),
    ("a shell", "lies", "shore"), ("a starfish", "rests", "shore"), ("an anchor", "rusts", "shore"),
    ("a cow", "grazes", "field"), ("a deer", "hides", "forest"), ("a fox", "hunts", "forest"),
    ("a horse", "runs", "field"),
  ].map { who, does, place in
    let way = ["sky", "sea", "field", "forest"].contains(place) ? "in" : "on"
    return Fact(
      "places",
      Caption.capitalized("\(who) \(does) \(way) the \(place)."),
      "Where do you find \(who)?",
      place
    )
  }

  private static let opposites: [Fact] = [
    ("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top"), ("day", "night"),
    ("night", "day"), ("small", "large"), ("large", "small"), ("yes", "no"), ("no", "yes"),
    ("above", "below"), ("below", "above"), ("black", "white"), ("white", "black"), ("hot", "cold"),
    ("cold", "hot"), ("open", "closed"), ("old", "new"), ("full", "empty"), ("wet", "dry"),
  ].map { word, opposite in
    Fact(
      "opposites",
      "The opposite of \(word) is \(opposite).",
      "What is the opposite of \(word)?",
      opposite
    )
  }

  private static let parts: [Fact] = [
    ("boat", "sail"), ("lighthouse", "lamp"), ("crab", "claws"), ("fish", "fins"),
    ("gull", "wings"),
    ("whale", "blowhole"), ("balloon", "basket"), ("starfish", "arms"), ("island", "palm"),
    ("sun", "rays"), ("tree", "leaves"), ("house", "roof"), ("clock", "hands"), ("book", "pages"),
  ].map { whole, part in
    Fact(
      "parts",
      "The \(whole) has \(part.hasSuffix("s") ? part : Caption.withArticle(part)).",
      "What does the \(whole) have?",
      part
    )
  }

  private static let numbers: [Fact] = (0...12).map { number in
    Fact(
      "numbers",
      "The number \(TextMaker.word(number)) is written \(number).",
      "How is the number \(TextMaker.word(number)) written?",
      String(number)
    )
  }
}
