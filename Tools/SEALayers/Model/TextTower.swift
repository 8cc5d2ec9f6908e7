// SPDX-License-Identifier: Apache-2.0
// The text tower: token ids in, points of the joint space out.

package import SEAModel
package import SEATensor

/// A text tower whose parameters may be trained.
///
/// Source: reference.md B.1.6, B.2.5.
package struct TextTower {
  package let tower: TextTowerDescription

  private let embedding: Embedding
  private let positions: Parameter
  /// Every block.
  package let stack: BlockStack
  private let norm: Norm
  private let projection: Linear?

  /// Binds the parameters `vtext.*`.
  ///
  /// - Throws: `LayerError.parameter`.
  package init(
    _ tower: TextTowerDescription,
    in parameters: ParameterSet
  ) throws(LayerError) {
    let hidden = tower.hidden
    self.tower = tower
    embedding = Embedding(
      table: try parameters.require("vtext.embed.weight", rows: tower.vocab, columns: hidden)
    )
    positions = try parameters.require("vtext.position", rows: tower.context, columns: hidden)
    var blocks: [TransformerBlock] = []
    for index in 0..<tower.blocks {
      blocks.append(
        try TransformerBlock(
          tower: "vtext.blk.\(index)",
          in: parameters,
          hidden: hidden,
          ffn: tower.ffn,
          shape: AttentionShape(
            heads: tower.heads,
            kvHeads: tower.heads,
            headDim: tower.headDim,
            isCausal: tower.isCausal
          ),
          activation: tower.activation,
          epsilon: tower.epsilon
        )
      )
    }
    stack = BlockStack(blocks, hidden: hidden, name: "vtext")
    norm = try Norm(
      "vtext.norm",
      in: parameters,
      width: hidden,
      epsilon: tower.epsilon,
      hasBias: true
    )
    if let part = tower.projection {
      projection = try Linear(
        "vtext.proj",
        in: parameters,
        rows: part.width,
        columns: hidden,
        hasBias: part.hasBias
      )
    } else {
      projection = nil
    }
  }

  /// Texts as rows of the tower, and the row that stands for each.
  package struct Batch {
    let ids: [Int32]
    let sequences: [Range<Int>]
    let pooled: [Int]
    /// Rows of all texts.
    package var rows: Int { ids.count }
    /// Rows of the tokens.
    var places: [Int] { Array(ids.indices) }
  }

  /// Cuts or pads texts as the tower pools them.
  ///
  /// - Parameter texts: token ids, with the tower's start and end but without padding.
  /// - Returns: what `forward` and `backward` take.
  /// - Throws: `LayerError.input` for an empty text or one longer than the context.
  package func batch(_ texts: [[Int32]]) throws(LayerError) -> Batch {
    var (ids, sequences, pooled): ([Int32], [Range<Int>], [Int]) = ([], [], [])
    for text in texts {
      guard !text.isEmpty, text.count <= tower.context else {
        throw .input(
          what: "a text",
          found: "\(text.count) tokens",
          expected: "1 to \(tower.context)"
        )
      }
      let start = ids.count
      switch tower.pooling {
      case .endOfText:
        // Nothing after the first largest id reaches it.
        let largest = text.max() ?? 0
        let end = text.firstIndex(of: largest) ?? text.count - 1
        ids += text[...end]
      case .last:
        ids += text
        let missing = tower.context - text.count
        ids += [Int32](repeating: Int32(tower.padID), count: missing)
      }
      sequences.append(start..<ids.count)
      pooled.append(ids.count - 1)
    }
    return Batch(ids: ids, sequences: sequences, pooled: pooled)
  }

  /// Places texts in the joint space; results are not normalised.
  ///
  /// - Parameters:
  ///   - batch: the texts.
  ///   - mode: what is kept for `backward`.
  ///   - isFinal: no backward pass follows.
  ///   - points: `[texts, jointWidth]`.
  ///   - context: execution and workspace.
  /// - Throws: `LayerError`.
  package func forward(
    _ batch: Batch,
    mode: ActivationMode,
    isFinal: Bool = false,
    into points: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let x = try stack.input(rows: batch.rows, context)
    try embedding.forward(batch.ids, at: batch.places, of: x, context)
    let table = try positions.floats()
    for sequence in batch.sequences {
      context.execution.kernels.inference.add(
        table.rows(0..<sequence.count),
        to: x.rows(sequence)
      )
    }
    let output = try stack.forward(
      rows: batch.rows,
      sequences: batch.sequences,
      mode: mode,
      isFinal: isFinal,
      context
    )
    let chosen = try pooledRows("pooled", batch, context)
    for (index, row) in batch.pooled.enumerated() {
      chosen.rows(index..<index + 1).copy(from: output.rows(row..<row + 1))
    }
    guard let projection else {
      try norm.forward(chosen, into: points, context)
      return
    }
    let normed = try pooledRows("normed", batch, context)
    try norm.forward(chosen, into: normed, context)
    try projection.forward(normed, into: points, context)
  }

  /// Adds to the gradients of the tower, from the last layer to the first.
  ///
  /// - Parameters:
  ///   - dpoints: dL/d points.
  ///   - batch: that of the forward pass.
  ///   - mode: that of the forward pass.
  ///   - context: that of the forward pass.
  /// - Throws: `LayerError.file`, or what the sink throws.
  package func backward(
    _ dpoints: MatrixView<Float>,
    _ batch: Batch,
    mode: ActivationMode,
    _ context: LayerContext
  ) throws {
    let hidden = tower.hidden
    var dnormed = dpoints
    if let projection {
      dnormed = try pooledRows("dnormed", batch, context)
      try projection.backward(
        dpoints,
        input: try pooledRows("normed", batch, context),
        into: dnormed,
        context
      )
    }
    let dchosen = try pooledRows("dpooled", batch, context)
    dchosen.fill(0)
    try norm.backward(
      try pooledRows("pooled", batch, context),
      dnormed,
      addingTo: dchosen,
      context
    )
    let d = try context.workspace.floats("vtext.gradient", batch.rows, hidden)
    d.fill(0)
    for (index, row) in batch.pooled.enumerated() {
      d.rows(row..<row + 1).copy(from: dchosen.rows(index..<index + 1))
    }
    try stack.backward(d, sequences: batch.sequences, mode: mode, context)
    if positions.isTrained {
      let gradient = try positions.requireGradient()
      for sequence in batch.sequences {
        context.execution.add(d.rows(sequence), to: gradient.rows(0..<sequence.count))
      }
    }
    try embedding.backward(batch.ids, at: batch.places, of: d, context)
    try context.complete(positions, embedding.table)
  }

  private func pooledRows(
    _ name: String,
    _ batch: Batch,
    _ context: LayerContext
  ) throws(LayerError) -> MatrixView<Float> {
    try context.workspace.floats("vtext.\(name)", batch.pooled.count, tower.hidden)
  }
}
