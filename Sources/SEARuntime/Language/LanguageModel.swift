// SPDX-License-Identifier: Apache-2.0
// The language model: embedding, blocks, head.

package import SEAModel
package import SEATensor

/// A decoder with its weights bound; it holds no state of any sequence.
package final class LanguageModel: Sendable {
  /// What the model is.
  package let language: LanguageModelDescription
  /// Multiplies visual tokens.
  package let visualScale: Float
  /// Blocks in order.
  package let blocks: [DecoderBlock]

  /// Rows of tokens.
  package let table: EmbeddingTable
  let rotary: RotaryTable
  let outerPages: [PageSpan]
  private let norm: Normalization
  private let head: Linear

  /// Binds the weights of a language model.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ language: LanguageModelDescription,
    visualScale: Double,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    self.language = language
    self.visualScale = Float(visualScale)
    let shape = (rows: language.vocab, columns: language.hidden)
    let embedding = try weights.matrix(
      "llm.embed.weight",
      rows: shape.rows,
      columns: shape.columns
    )
    table = EmbeddingTable(weight: embedding, scale: Float(language.embeddingScale))
    var blocks: [DecoderBlock] = []
    for index in 0..<language.blocks {
      blocks.append(try DecoderBlock(index, of: language, weights: weights))
    }
    self.blocks = blocks
    norm = try weights.rmsNorm("llm.norm", width: language.hidden, epsilon: language.epsilon)
    head = Linear(
      weight: language.isHeadTied
        ? embedding
        : try weights.matrix("llm.head.weight", rows: shape.rows, columns: shape.columns)
    )
    outerPages = ["llm.embed.", "llm.head."].compactMap { weights.pages(under: $0) }
    rotary = RotaryTable(headDim: language.headDim, theta: language.ropeTheta)
  }

  /// Writes scores of the next token after each of `rows` into `logits`.
  ///
  /// - Parameters:
  ///   - rows: `[tokens, hidden]`, outputs of the last block.
  ///   - logits: `[tokens, vocab]`.
  ///   - scratch: working memory with room for the rows.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  package func score(
    _ rows: MatrixView<Float>,
    into logits: MatrixView<Float>,
    scratch: BlockScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    try execution.apply(rows, norm: norm, in: scratch.room, LinearTask(head, into: logits))
  }
}
