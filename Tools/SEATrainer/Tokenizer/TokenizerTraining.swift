// SPDX-License-Identifier: Apache-2.0
// A tokenizer from text: words are counted, pieces are learned, files are made.

internal import SEADataset
package import SEAText

/// Learns a tokenizer by a recipe.
package struct TokenizerTraining: Sendable {
  /// What is going on.
  package enum Progress: Sendable {
    /// Bytes of all files that are read.
    case reading(done: Int, total: Int)
    /// Pieces that there are; a Unigram model has too many at first.
    case learning(pieces: Int, goal: Int)
  }

  /// A learned tokenizer.
  package struct Result: Sendable {
    package let files: TokenizerFile
    package let tokenizer: Tokenizer
    /// Ids in all.
    package let vocab: Int
    /// Distinct words of the text.
    package let words: Int
    /// Bytes of text that were read.
    package let bytes: Int
    /// Bytes of text for each token of it, on the first megabytes of the text.
    package let bytesPerToken: Double
  }

  private let recipe: TokenizerRecipe
  private let files: [TextFile]
  private let template: Template?
  private let cutter: WordCutter
  private let segmentation: TextSegmentation?

  /// Bytes of text that are tokenised to tell how well it goes.
  private static let measuredBytes = 8 << 20

  /// Prepares.
  ///
  /// - Parameters:
  ///   - recipe: what is wanted.
  ///   - files: the text.
  ///   - template: how conversations are written; nil: only what is said counts.
  /// - Throws: `TrainerError.usage` when there are fewer ids than fixed tokens, `TextError`.
  package init(_ recipe: TokenizerRecipe, files: [TextFile], template: Template?) throws {
    guard recipe.vocab > recipe.fixedCount else {
      throw TrainerError.usage(
        "--vocab \(recipe.vocab): the \(recipe.tokens.count) control tokens and the bytes alone "
          + "need \(recipe.fixedCount)"
      )
    }
    let bytes = (0..<256).map { TokenizerRecipe.byteToken($0) }
    if recipe.kind != .clip, let token = recipe.special.first(where: { bytes.contains($0) }) {
      throw TrainerError.usage("--special '\(token)' is the token of a byte")
    }
    guard Set(recipe.special).count == recipe.special.count else {
      throw TrainerError.usage("--special names a token twice")
    }
    self.recipe = recipe
    self.files = files
    self.template = recipe.kind == .clip ? nil : template
    cutter = WordCutter(
      addsBlank: recipe.family.addsBlank,
      splitsDigits: recipe.splitsDigits
    )
    if recipe.kind == .clip {
      let (normalizer, pre) = TokenizerFile.components(recipe)
      segmentation = try TextSegmentation(normalizer: normalizer, preTokenizer: pre)
    } else {
      segmentation = nil
    }
  }

  /// Reads the text and learns.
  ///
  /// - Throws: `TrainerError.badInput`, `.usage` when the text has more characters than there are ids,
  ///   or what `progress` throws.
  package func run(_ progress: (Progress) throws -> Void = { _ in }) throws -> Result {
    var words = WordCounter()
    var sample: [[UInt8]] = []
    var sampled = 0
    var bytes = 0
    let total = files.reduce(0) { $0 + $1.byteCount }
    var before = 0
    for file in files {
      var shown = 0
      try file.forEachDocument { document, done in
        for text in texts(of: document) {
          count(text, into: &words)
          bytes += text.count
          guard sampled < Self.measuredBytes else { continue }
          sample.append(text)
          sampled += text.count
        }
        guard done - shown >= 1 << 20 else { return }
        shown = done
        try progress(.reading(done: before + done, total: total))
      }
      before += file.byteCount
    }
    guard words.count > 0 else {
      throw TrainerError.badInput(path: files.first?.path ?? "", problem: "no word in it")
    }
    let learned = try learn(words, progress)
    let made = TokenizerFile(recipe, learned)
    let tokenizer = try made.tokenizer()
    let tokens = sample.reduce(0) { sum, text in
      sum + tokenizer.encode(bytes: text, recognizesSpecial: false, addsTemplate: false).count
    }
    return Result(
      files: made,
      tokenizer: tokenizer,
      vocab: tokenizer.count,
      words: words.count,
      bytes: bytes,
      bytesPerToken: Double(sampled) / Double(max(tokens, 1))
    )
  }

  // MARK: - Text

  /// The stretches of a document between control tokens.
  private func texts(of document: TextDocument) -> [[UInt8]] {
    switch document {
    case .text(let bytes, _, _): return [bytes]
    case .conversation(let sample):
      let prompt = sample.prompt(for: template ?? Template(name: "none"))
      guard let template else {
        return prompt.turns.flatMap { turn in
          turn.user.compactMap { part in
            if case .text(let text) = part { Array(text.utf8) } else { nil }
          } + [Array((turn.answer ?? "").utf8)]
        }
      }
      return cut(Self.render(prompt, template))
    }
  }

  private static func render(_ prompt: Prompt, _ template: Template) -> String {
    var text = template.opening
    if let system = prompt.system ?? template.system {
      text += template.systemPrefix + system + template.systemSuffix
    }
    for (index, turn) in prompt.turns.enumerated() {
      text += template.userPrefix
      for case .text(let part) in turn.user { text += part }
      text += template.userSuffix + template.answerPrefix + template.answerGap
      text += (turn.answer ?? "") + template.answerSuffix
      if index + 1 < prompt.turns.count { text += template.turnSeparator }
    }
    return text
  }

  /// The text between control tokens.
  private func cut(_ text: String) -> [[UInt8]] {
    let tokens = recipe.tokens.map { Array($0.utf8) }
    let bytes = Array(text.utf8)
    var parts: [[UInt8]] = []
    var (start, place) = (0, 0)
    while place < bytes.count {
      let token = tokens.first { bytes[place...].starts(with: $0) }
      guard let token else {
        place += 1
        continue
      }
      if start < place { parts.append(Array(bytes[start..<place])) }
      place += token.count
      start = place
    }
    if start < bytes.count { parts.append(Array(bytes[start...])) }
    return parts
  }

  private func count(_ text: [UInt8], into words: inout WordCounter) {
    guard let segmentation else {
      cutter.count(text, into: &words)
      return
    }
    segmentation.forEachWord(of: text) { words.add($0, $1) }
  }

  // MARK: - Learning

  private func learn(
    _ words: WordCounter,
    _ progress: (Progress) throws -> Void
  ) throws -> TokenizerFile.Model {
    switch recipe.kind {
    case .clip: return try learnClip(words, progress)
    case .bytePair: return try learnPairs(words, try alphabet(words), progress)
    case .unigram: return try learnUnigram(words, try alphabet(words), progress)
    }
  }

  private func alphabet(_ words: WordCounter) throws -> Alphabet {
    let room = recipe.vocab - recipe.fixedCount
    let alphabet = Alphabet(
      words,
      coverage: recipe.coverage,
      limit: room,
      hasDigits: recipe.splitsDigits
    )
    guard alphabet.scalars.count <= room else {
      throw TrainerError.usage(
        "--vocab \(recipe.vocab): \(recipe.fixedCount) fixed tokens and ten digits need more"
      )
    }
    return alphabet
  }

  /// Texts that stand for something else.
  private var reserved: [String] {
    recipe.tokens + (0..<256).map { TokenizerRecipe.byteToken($0) }
  }

  private func learnPairs(
    _ words: WordCounter,
    _ alphabet: Alphabet,
    _ progress: (Progress) throws -> Void
  ) throws -> TokenizerFile.Model {
    let goal = recipe.vocab - recipe.fixedCount
    var trainer = BytePairTrainer(
      pieces: alphabet.scalars.map { Alphabet.text($0) },
      longest: recipe.longest,
      forbidden: Set(reserved.map { Array($0.utf8) })
    )
    var places: [UInt32: Int32] = [:]
    for (index, scalar) in alphabet.scalars.enumerated() { places[scalar] = Int32(index) }
    for index in 0..<words.count {
      let word = Array(words.word(index))
      alphabet.forEachPart(of: word) { part in
        var symbols: [Int32] = []
        var place = part.lowerBound
        while place < part.upperBound {
          let scalar = TextScalar.read(word.span, at: place)
          symbols.append(places[scalar.value] ?? 0)
          place += scalar.length
        }
        trainer.add(symbols, count: words.counts[index])
      }
    }
    try trainer.train(to: goal) { try progress(.learning(pieces: $0, goal: goal)) }
    let texts = trainer.pieces.map { String(decoding: $0, as: UTF8.self) }
    // Characters come last, as in the vocabularies of these families; ids follow the merges.
    let characters = alphabet.scalars.count
    return .bytePair(
      vocab: reserved + texts[characters...] + texts[..<characters],
      merges: trainer.merges.map { (texts[Int($0.left)], texts[Int($0.right)]) }
    )
  }

  private func learnUnigram(
    _ words: WordCounter,
    _ alphabet: Alphabet,
    _ progress: (Progress) throws -> Void
  ) throws -> TokenizerFile.Model {
    let goal = recipe.vocab - recipe.fixedCount
    var parts = WordCounter()
    for index in 0..<words.count {
      let word = Array(words.word(index))
      alphabet.forEachPart(of: word) { parts.add(word.span, $0, times: words.counts[index]) }
    }
    let trainer = UnigramTrainer(
      words: (0..<parts.count).map { Array(parts.word($0)) },
      counts: parts.counts,
      characters: alphabet.scalars.map { Alphabet.text($0) },
      longest: recipe.longest,
      forbidden: Set(reserved.map { Array($0.utf8) })
    )
    let pieces = try trainer.train(to: goal) { try progress(.learning(pieces: $0, goal: goal)) }
    return .unigram(
      reserved.map { ($0, 0) }
        + pieces.map { (String(decoding: $0.text, as: UTF8.self), Double(Float($0.score))) }
    )
  }

  private func learnClip(
    _ words: WordCounter,
    _ progress: (Progress) throws -> Void
  ) throws -> TokenizerFile.Model {
    // CLIP lists bytes by their characters: those that stand for themselves first.
    let bytes = (0..<256).map { UInt8($0) }.map { byte -> (byte: UInt8, text: [UInt8]) in
      var text: [UInt8] = []
      ByteAlphabet.append(byte, to: &text)
      return (byte, text)
    }.sorted { $0.text.lexicographicallyPrecedes($1.text) }
    let suffix = Array("</w>".utf8)
    var places: [[UInt8]: Int32] = [:]
    for (index, entry) in bytes.enumerated() { places[entry.text] = Int32(index) }
    let tokens = recipe.tokens
    let goal = recipe.vocab - tokens.count
    var trainer = BytePairTrainer(
      pieces: bytes.map(\.text) + bytes.map { $0.text + suffix },
      longest: 64,
      forbidden: Set(tokens.map { Array($0.utf8) })
    )
    for index in 0..<words.count {
      let word = Array(words.word(index))
      var symbols: [Int32] = []
      for byte in word {
        var text: [UInt8] = []
        ByteAlphabet.append(byte, to: &text)
        symbols.append(places[text] ?? 0)
      }
      if let last = symbols.popLast() { symbols.append(last + 256) }
      trainer.add(symbols, count: words.counts[index])
    }
    try trainer.train(to: goal) { try progress(.learning(pieces: $0, goal: goal)) }
    let texts = trainer.pieces.map { String(decoding: $0, as: UTF8.self) }
    return .bytePair(
      vocab: texts + tokens,
      merges: trainer.merges.map { (texts[Int($0.left)], texts[Int($0.right)]) }
    )
  }
}
