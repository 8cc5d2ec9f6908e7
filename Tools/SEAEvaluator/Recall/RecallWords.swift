// SPDX-License-Identifier: Apache-2.0
// The words that visual tokens are compared with, and their rows of the embedding table.

package import SEALabels
package import SEARuntime
internal import SEATensor
package import SEAText

/// Words, each as the tokens whose rows' mean is what it means to the language model.
package struct RecallWords: Sendable {
  /// Where the words come from.
  package enum Origin: Sendable, Equatable {
    /// A word list, by its SHA-256.
    case list(digest: String)
    /// Pieces of the model's vocabulary that are whole words.
    case vocabulary
  }

  /// The texts.
  package let pool: TextPool
  package let origin: Origin
  private var tokens: [Int32] = []
  /// Where each word's tokens end.
  private var ends: [Int] = []

  /// Number of words.
  package var count: Int { pool.count }

  /// Word `index`.
  package subscript(index: Int) -> String { pool[index] }

  /// The words of a list in the tokens of a model.
  ///
  /// - Throws: `RuntimeError.input` for a word without tokens, `.token` for an id beyond the table.
  package init(
    _ list: WordList,
    _ tokenizer: Tokenizer,
    form: WordForm = .space,
    vocab: Int
  ) throws(RuntimeError) {
    pool = list.pool
    origin = .list(digest: list.digest)
    for index in 0..<pool.count {
      let ids = tokenizer.encode(word: pool[index], form: form)
      guard !ids.isEmpty else {
        throw .input(what: "word \(index + 1)", found: "no tokens", expected: "at least one")
      }
      for id in ids where id < 0 || Int(id) >= vocab {
        throw .token(id: Int(id), vocab: vocab)
      }
      tokens += ids
      ends.append(tokens.count)
    }
  }

  /// The whole words among the pieces of a model's vocabulary.
  ///
  /// - Throws: `RuntimeError.input` when there are none.
  package init(wholeWordsOf tokenizer: Tokenizer, vocab: Int) throws(RuntimeError) {
    var pool = TextPool()
    for word in tokenizer.wholeWords(below: vocab)
    where pool.insert(Array(word.text.utf8)).isNew {
      tokens.append(word.id)
      ends.append(tokens.count)
    }
    guard pool.count > 0 else {
      throw .input(
        what: "the vocabulary",
        found: "no piece that is a whole word",
        expected: "some, or a word list"
      )
    }
    self.pool = pool
    origin = .vocabulary
  }

  /// Writes the directions of some words: the mean of their tokens' rows, scaled to length 1.
  ///
  /// - Parameters:
  ///   - words: in range.
  ///   - table: the language model's.
  ///   - rows: `[words, hidden]`; a word whose mean is zero or not finite gets a row of zeros.
  ///   - part: `[1, hidden]`, working memory.
  ///   - kernels: read the table.
  /// - Throws: what looking up rows throws.
  /// - Source: reference.md J.1, G.1.
  func fill(
    _ words: Range<Int>,
    from table: EmbeddingTable,
    into rows: MatrixView<Float>,
    part: MatrixView<Float>,
    with kernels: Kernels
  ) throws(RuntimeError) {
    for (row, word) in words.enumerated() {
      let target = rows.rows(row..<row + 1)
      _ = try sum(word, from: table, into: target, part: part, with: kernels)
      target.scaleToUnitLength(with: kernels)
    }
  }

  /// Writes the means of the words' rows as the table holds them, without a scale on its outputs.
  ///
  /// - Throws: what looking up rows throws.
  /// - Source: reference.md J.4.
  func fill(
    means words: Range<Int>,
    from table: EmbeddingTable,
    into rows: MatrixView<Float>,
    part: MatrixView<Float>,
    with kernels: Kernels
  ) throws(RuntimeError) {
    for (row, word) in words.enumerated() {
      let target = rows.rows(row..<row + 1)
      let count = try sum(word, from: table, into: target, part: part, with: kernels)
      kernels.scale(target, by: 1 / (Float(count) * table.scale))
    }
  }

  /// The sum of a word's rows; returns their number.
  private func sum(
    _ word: Int,
    from table: EmbeddingTable,
    into target: MatrixView<Float>,
    part: MatrixView<Float>,
    with kernels: Kernels
  ) throws(RuntimeError) -> Int {
    let range = (word == 0 ? 0 : ends[word - 1])..<ends[word]
    for (index, id) in tokens[range].enumerated() {
      try table.look(up: id, into: index == 0 ? target : part, with: kernels)
      if index > 0 { kernels.add(part, to: target) }
    }
    return range.count
  }
}

extension MatrixView<Float> {
  /// Scales each row to length 1; one of zeros, or with a value that is not finite, becomes zeros.
  func scaleToUnitLength(with kernels: Kernels) {
    for row in 0..<rows {
      let sum = withRow(row) { values in
        var sum = 0.0
        for index in 0..<values.count { sum += Double(values[index]) * Double(values[index]) }
        return sum
      }
      let line = rows == 1 ? self : self.rows(row..<row + 1)
      if sum.isFinite, sum > 0 {
        kernels.scale(line, by: Float(1 / sum.squareRoot()))
      } else {
        line.fill(0)
      }
    }
  }
}
