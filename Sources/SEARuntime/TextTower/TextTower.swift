// SPDX-License-Identifier: Apache-2.0
// The text tower: token ids of words in, points of the joint space out.

package import SEAModel
package import SEATensor

/// A text tower with its weights bound.
///
/// Source: reference.md B.1.6, B.2.5.
package final class TextTower: Sendable {
  /// What the tower is.
  package let tower: TextTowerDescription

  private let table: EmbeddingTable
  private let positions: FloatVector
  private let blocks: [EncoderBlock]
  private let norm: Normalization
  private let projection: Linear?
  private let pages: PageSpan?

  /// Binds the weights of a tower.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ tower: TextTowerDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    self.tower = tower
    table = EmbeddingTable(
      weight: try weights.matrix("vtext.embed.weight", rows: tower.vocab, columns: tower.hidden),
      scale: 1
    )
    positions = try weights.vector(
      "vtext.position",
      rows: tower.context,
      columns: tower.hidden
    )
    var blocks: [EncoderBlock] = []
    for index in 0..<tower.blocks {
      blocks.append(try EncoderBlock(index, of: tower, weights: weights))
    }
    self.blocks = blocks
    norm = try weights.layerNorm("vtext.norm", width: tower.hidden, epsilon: tower.epsilon)
    projection =
      if let projection = tower.projection {
        try weights.linear(
          "vtext.proj",
          rows: projection.width,
          columns: tower.hidden,
          hasBias: projection.hasBias
        )
      } else {
        nil
      }
    pages = weights.pages(under: "vtext.")
  }

  /// Gives the pages of mapped weights back to the system.
  package func release() { pages?.release() }

  /// Places texts in the joint space; the results are not normalised.
  ///
  /// Texts are computed in batches and each result has the same bits whatever else is in its batch.
  ///
  /// - Parameters:
  ///   - texts: token ids, with the tower's start and end but without padding.
  ///   - execution: kernels and threads.
  /// - Returns: `[texts, jointWidth]`.
  /// - Throws: `RuntimeError.input` for an empty text or one longer than the context, `.token` for an
  ///   id outside the vocabulary.
  package func encode(
    _ texts: [[Int32]],
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    var sequences: [TextSequence] = []
    for ids in texts { sequences.append(try TextSequence(ids, for: tower)) }
    let batches = TextBatch.batches(sequences)
    let points: MatrixView<Float>
    do throws(FileError) {
      points = try MatrixView(rows: texts.count, columns: tower.jointWidth)
    } catch {
      throw .file(error)
    }
    let scratch = try TextScratch(
      tower,
      rows: batches.map(\.count).max() ?? 0,
      texts: batches.map(\.texts.count).max() ?? 0,
      longest: sequences.map(\.ids.count).max() ?? 0,
      threads: execution.pool.threads
    )
    for batch in batches {
      let part = Array(sequences[batch.texts])
      try encode(part, batch, into: points.rows(batch.texts), scratch, on: execution)
    }
    return points
  }

  private func encode(
    _ texts: [TextSequence],
    _ batch: TextBatch,
    into points: MatrixView<Float>,
    _ scratch: TextScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let kernels = execution.kernels
    let width = tower.hidden
    let rows = scratch.rows.rows(0..<batch.count)
    for (text, range) in zip(texts, batch.rows) {
      for (position, id) in text.ids.enumerated() {
        let row = rows.rows(range.lowerBound + position..<range.lowerBound + position + 1)
        try table.look(up: id, into: row, with: kernels)
        kernels.add(positions.slice(position * width..<(position + 1) * width), toRowsOf: row)
      }
    }
    for block in blocks {
      try block.run(
        rows,
        sequences: batch.rows,
        stores: scratch.stores,
        scratch: scratch.block,
        on: execution
      )
    }
    let pooled = scratch.pooled.rows(0..<texts.count)
    for (index, (text, range)) in zip(texts, batch.rows).enumerated() {
      let row = range.lowerBound + text.pooled
      pooled.rows(index..<index + 1).copy(from: rows.rows(row..<row + 1))
    }
    if let projection {
      try execution.apply(
        pooled,
        norm: norm,
        in: scratch.block.room,
        LinearTask(projection, into: points)
      )
    } else {
      norm.apply(pooled, into: points, with: kernels)
    }
  }
}
