// SPDX-License-Identifier: Apache-2.0
// Which words of the list a caption names.

/// Finds the words of a list in texts.
struct CaptionWords {
  private let words: WordList

  /// Words that are in every caption and say nothing of a picture.
  private static let common: Set<String> = [
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "being",
    "both", "but", "by", "can", "could", "did", "do", "does", "each", "for", "from", "had", "has",
    "have", "he", "her", "here", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "many", "me", "more", "most", "my", "no", "not", "of", "off", "on", "one", "or", "other", "our",
    "out", "over", "she", "so", "some", "such", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "to", "too", "under", "up", "very", "was", "we",
    "were", "what", "when", "where", "which", "who", "will", "with", "would", "you", "your",
  ]

  /// Words of `words`.
  init(_ words: WordList) { self.words = words }

  /// The distinct words of the list that stand in a text, alone or as a pair with a space, in the
  /// order of the list.
  func find(in text: String) -> [Int] {
    var tokens: [String] = []
    var token = ""
    func isPart(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "-"
        || scalar == "'"
    }
    for scalar in text.lowercased().unicodeScalars {
      if isPart(scalar) {
        token.unicodeScalars.append(scalar)
      } else if !token.isEmpty {
        tokens.append(token)
        token = ""
      }
    }
    if !token.isEmpty { tokens.append(token) }
    var found: Set<Int> = []
    for (index, token) in tokens.enumerated() {
      if !Self.common.contains(token), let word = words.pool.find(token.utf8) {
        found.insert(word)
      }
      guard index > 0 else { continue }
      if let pair = words.pool.find("\(tokens[index - 1]) \(token)".utf8) { found.insert(pair) }
    }
    return found.sorted()
  }
}
