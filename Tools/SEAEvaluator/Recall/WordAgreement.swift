// SPDX-License-Identifier: Apache-2.0
// How many visual tokens still mean the same word when a part is stored in fewer bits.

package import SEAQuantizer
package import SEARuntime
internal import SEATensor

/// Compares the nearest words of visual tokens.
package struct WordAgreement {
  private let words: RecallWords
  private let execution: Execution

  /// A comparison by some words.
  package init(_ words: RecallWords, on execution: Execution) {
    self.words = words
    self.execution = execution
  }

  /// For each part the tokens whose nearest word is that of the source's token.
  ///
  /// A part other than the language model is compared in the source's table; the language model's own
  /// share is that of its table.
  ///
  /// - Throws: what reading either table throws.
  package func sameWords(_ tokens: QualityTokens) throws -> [QualityPart: Int] {
    func nearest(_ rows: MatrixView<Float>, _ table: EmbeddingTable) throws -> [Int?] {
      let found = try WordRecall(words, in: table, count: 1, on: execution).find(rows)
      return (0..<rows.rows).map { found.first($0) }
    }
    let source = try nearest(tokens.source, tokens.sourceTable)
    var same: [QualityPart: Int] = [:]
    for part in QualityPart.allCases {
      guard let rows = tokens.changed[part] else { continue }
      let isFile = part == .language || part == .all
      let words = try nearest(rows, isFile ? tokens.fileTable : tokens.sourceTable)
      same[part] = zip(source, words).count { $0 == $1 }
    }
    return same
  }
}
