// SPDX-License-Identifier: Apache-2.0
// What is set beside a picture: its caption or a phrase of it, as token ids.

internal import SEADataset
package import SEAModel
package import SEAText

/// Texts as a text tower takes them.
package struct TowerTexts: Sendable {
  private let tokenizer: Tokenizer
  private let tower: TextTowerDescription

  /// Texts of a tokenizer for a tower.
  package init(_ tokenizer: Tokenizer, for tower: TextTowerDescription) {
    self.tokenizer = tokenizer
    self.tower = tower
  }

  /// The ids of a text with the tower's start and end; longer ones are cut before their end.
  package func ids(of text: String) -> [Int32] {
    var ids = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: true)
    let end = Int32(tower.endID)
    if let start = tower.startID.map({ Int32($0) }), ids.first != start {
      ids.insert(start, at: 0)
    }
    if ids.last != end { ids.append(end) }
    return ids.count <= tower.context ? ids : ids.prefix(tower.context - 1) + [end]
  }
}

/// A caption and its phrases.
package struct CaptionTexts: Sendable, Equatable {
  /// All of it.
  package let whole: String
  /// What stands between stops, commas, semicolons and `and`s; at least one.
  package let phrases: [String]

  /// Splits a caption.
  package init(_ caption: String) {
    whole = caption
    var phrases: [String] = []
    for part in caption.split(whereSeparator: { ".,;:!?\n".contains($0) }) {
      var words: [Substring] = []
      func close() {
        // A single word such as "and" or a name's initial says little.
        if !words.isEmpty { phrases.append(words.joined(separator: " ")) }
        words = []
      }
      for word in part.split(whereSeparator: \.isWhitespace) {
        if word == "and" { close() } else { words.append(word) }
      }
      close()
    }
    self.phrases = phrases.isEmpty ? [caption] : phrases
  }

  /// The text for one use; `taken` are those of the batch so far, which another phrase or the whole
  /// caption avoids: equal texts are negatives of each other.
  func draw(_ use: CaptionUse, _ random: inout CounterRandom, taken: Set<String>) -> String {
    let takesWhole = use == .whole || (use == .mixed && random.below(2) == 0)
    guard !takesWhole else { return whole }
    let first = random.below(phrases.count)
    for offset in phrases.indices {
      let phrase = phrases[(first + offset) % phrases.count]
      if !taken.contains(phrase) { return phrase }
    }
    return whole
  }
}
