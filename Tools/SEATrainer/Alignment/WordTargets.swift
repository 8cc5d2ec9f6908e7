// SPDX-License-Identifier: Apache-2.0
// The point of the embedding space that a word's patches are drawn to.

package import SEAModel
package import SEATensor
package import SEAText

/// Words as tokens, and tokens as points.
package struct WordTargets: Sendable {
  private let tokenizer: Tokenizer
  private let source: any WeightSource
  private let hidden: Int
  private let vocab: Int
  private let form: WordForm

  private static let table = "llm.embed.weight"

  /// Targets in the language model's embedding table.
  ///
  /// - Throws: `TrainerError.usage` when the model has no language model.
  package init(
    _ tokenizer: Tokenizer,
    source: any WeightSource,
    form: WordForm
  ) throws(TrainerError) {
    guard let language = source.model.language else {
      throw .usage("labels need a language model: its embedding table is what words mean")
    }
    self.tokenizer = tokenizer
    self.source = source
    hidden = language.hidden
    vocab = language.vocab
    self.form = form
  }

  /// The ids of a word, nothing added before or after.
  package func ids(of word: String) -> [Int32] {
    tokenizer.encode(word: word, form: form)
  }

  /// The mean of the embedding rows of some tokens, as they are stored, without any scale.
  ///
  /// - Parameters:
  ///   - ids: at least one.
  ///   - row: `[1, hidden]`.
  /// - Throws: `TrainerError.usage` for an id beyond the table, or what the source throws.
  /// - Source: reference.md G.1, G.9 rows 13 and 14.
  package func mean(of ids: [Int32], into row: MatrixView<Float>) throws {
    guard !ids.isEmpty else { throw TrainerError.usage("a label has no token") }
    let part = try MatrixView<Float>(rows: 1, columns: hidden)
    var sum = [Float](repeating: 0, count: hidden)
    for id in ids {
      guard id >= 0, Int(id) < vocab else {
        throw TrainerError.usage("label token \(id) is not in the vocabulary of \(vocab)")
      }
      try source.read(Self.table, rows: Int(id)..<Int(id) + 1, into: part)
      part.withRow(0) { values in
        for index in 0..<values.count { sum[index] += values[index] }
      }
    }
    let factor = 1 / Float(ids.count)
    row.withRow(0) { values in
      var values = values
      for index in 0..<values.count { values[index] = sum[index] * factor }
    }
  }
}
