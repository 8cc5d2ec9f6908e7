// SPDX-License-Identifier: Apache-2.0
// The language model: embedding, blocks, loss.

package import SEAModel
import SEATensor

/// A decoder whose parameters may be trained, frozen, or frozen beside low-rank factors.
package final class LanguageModel {
  package let language: LanguageModelDescription
  package let stack: BlockStack
  package let embedding: Embedding
  package let loss: HeadLoss

  private let visualScale: Float
  private let isHeadTied: Bool
  private var rotary: Rotary?

  /// Binds the parameters `llm.*`.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ language: LanguageModelDescription,
    visualScale: Double,
    in parameters: ParameterSet,
    lowRank: LowRankOptions? = nil
  ) throws(LayerError) {
    self.language = language
    self.visualScale = Float(visualScale)
    isHeadTied = language.isHeadTied
    let table = try parameters.require(
      "llm.embed.weight",
      rows: language.vocab,
      columns: language.hidden
    )
    embedding = Embedding(table: table, scale: Float(language.embeddingScale))
    var blocks: [TransformerBlock] = []
    for index in 0..<language.blocks {
      blocks.append(
        try TransformerBlock(index, of: language, in: parameters, lowRank: lowRank)
      )
    }
    stack = BlockStack(blocks, hidden: language.hidden, name: "llm")
    loss = HeadLoss(
      norm: try Norm(
        "llm.norm",
        in: parameters,
        width: language.hidden,
        epsilon: language.epsilon,
        hasBias: false
      ),
      head: isHeadTied
        ? table
        : try parameters.require(
          "llm.head.weight",
          rows: language.vocab,
          columns: language.hidden
        )
    )
  }

  /// What a run computes beside the losses.
  enum Gradients {
    /// Nothing.
    case none
    /// Those of the parameters and of the visual tokens, which are added to the given rows.
    case all(visual: MatrixView<Float>?)
  }

  /// Losses of a batch, and gradients.
  ///
  /// - Parameters:
  ///   - batch: what stands where.
  ///   - visual: the adapter's outputs; nil: there are no pictures.
  ///   - weight: multiplies the gradient of every counted token's loss.
  ///   - gradients: what is wanted.
  ///   - mode: what is kept between forward and backward.
  ///   - context: execution, workspace and sink.
  /// - Returns: the loss of each scored row, in order.
  /// - Throws: `LayerError`, or what the sink throws.
  func run(
    _ batch: SplicedBatch,
    visual: MatrixView<Float>?,
    weight: Float,
    gradients: Gradients,
    mode: ActivationMode,
    _ context: LayerContext
  ) throws -> [Float] {
    let rotary = try rotary(positions: batch.sequences.map(\.count).max() ?? 0)
    let kernels = context.execution.kernels
    let x = try stack.input(rows: batch.rows, context)
    try embedding.forward(batch.ids, at: batch.places, of: x, context)
    if let visual {
      for run in batch.visual {
        let rows = x.rows(run.rows)
        rows.copy(from: visual.rows(run.tokens))
        if visualScale != 1 { kernels.inference.scale(rows, by: visualScale) }
      }
    }
    var isFinal = true
    if case .all = gradients { isFinal = false }
    let kept = kept(batch)
    let output = try stack.forward(
      rows: batch.rows,
      sequences: batch.sequences,
      rotary: rotary,
      mode: mode,
      isFinal: isFinal,
      kept: kept,
      context
    )
    let scored = kept.map { Array(0..<$0.count) } ?? batch.scored
    guard case .all(let visualGradient) = gradients else {
      return try loss.run(
        output,
        scored: scored,
        targets: batch.targets,
        weight: weight,
        gradient: nil,
        context
      )
    }
    let d = try context.workspace.floats("llm.gradient", batch.rows, language.hidden)
    let dlast = try kept.map { kept throws(LayerError) in
      try context.workspace.floats("llm.gradient.kept", kept.count, language.hidden)
    }
    let losses = try loss.run(
      output,
      scored: scored,
      targets: batch.targets,
      weight: weight,
      gradient: dlast ?? d,
      context
    )
    if !isHeadTied { try context.complete(loss.head) }
    try stack.backward(
      d,
      kept: kept.flatMap { rows in dlast.map { KeptGradient(rows: rows, gradient: $0) } },
      sequences: batch.sequences,
      rotary: rotary,
      mode: mode,
      context
    )
    try embedding.backward(batch.ids, at: batch.places, of: d, context)
    try context.complete(embedding.table)
    if let visualGradient {
      for run in batch.visual {
        kernels.add(d.rows(run.rows), times: visualScale, to: visualGradient.rows(run.tokens))
      }
    }
    return losses
  }

  /// The rows that the loss looks at, where leaving the others out of the last block pays.
  ///
  /// Of a conversation about a picture that is every tenth row: a quarter of the work of four blocks.
  private func kept(_ batch: SplicedBatch) -> RowChoice? {
    guard !stack.blocks.isEmpty, !batch.scored.isEmpty, batch.scored.count * 4 <= batch.rows * 3
    else { return nil }
    return RowChoice(batch.scored)
  }

  private func rotary(positions: Int) throws(LayerError) -> Rotary {
    if let rotary, rotary.positions >= positions { return rotary }
    let made = try Rotary(
      headDim: language.headDim,
      theta: language.ropeTheta,
      positions: (positions + 255) / 256 * 256
    )
    rotary = made
    return made
  }
}
