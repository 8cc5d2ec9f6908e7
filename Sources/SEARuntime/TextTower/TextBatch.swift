// SPDX-License-Identifier: Apache-2.0
// Texts as sequences of one batch, and the memory it is computed in.

import SEAModel
import SEATensor

/// A text's tokens as the tower needs them.
struct TextSequence {
  /// Ids, padded or cut as the tower pools.
  let ids: [Int32]
  /// The row that stands for the text.
  let pooled: Int

  /// A text for a tower.
  ///
  /// - Throws: `RuntimeError.input` for an empty text or one longer than the context, `.token` for an
  ///   id outside the vocabulary.
  init(_ ids: [Int32], for tower: TextTowerDescription) throws(RuntimeError) {
    guard !ids.isEmpty, ids.count <= tower.context else {
      throw .input(
        what: "a text",
        found: "\(ids.count) tokens",
        expected: "1 to \(tower.context)"
      )
    }
    for id in ids where id < 0 || Int(id) >= tower.vocab {
      throw .token(id: Int(id), vocab: tower.vocab)
    }
    switch tower.pooling {
    case .endOfText:
      // Attention is causal: what follows the pooled row cannot change it.
      let largest = ids.max() ?? 0
      pooled = ids.firstIndex(of: largest) ?? 0
      self.ids = Array(ids[...pooled])
    case .last:
      let padding = [Int32](repeating: Int32(tower.padID), count: tower.context - ids.count)
      pooled = tower.context - 1
      self.ids = ids + padding
    }
  }
}

/// Consecutive texts that are computed together.
struct TextBatch {
  /// Indices of the texts.
  let texts: Range<Int>
  /// Rows of each text in the batch.
  let rows: [Range<Int>]

  /// Rows of all texts.
  var count: Int { rows.last?.upperBound ?? 0 }

  /// Rows that a batch aims at: enough to reuse each weight often, few enough to stay in cache.
  static let target = 512

  /// Cuts texts into batches of at most `target` rows, or of one text.
  static func batches(_ texts: [TextSequence]) -> [TextBatch] {
    var batches: [TextBatch] = []
    var first = 0
    var rows: [Range<Int>] = []
    for (index, text) in texts.enumerated() {
      let start = rows.last?.upperBound ?? 0
      if start + text.ids.count > target, !rows.isEmpty {
        batches.append(TextBatch(texts: first..<index, rows: rows))
        first = index
        rows = [0..<text.ids.count]
      } else {
        rows.append(start..<start + text.ids.count)
      }
    }
    if !rows.isEmpty { batches.append(TextBatch(texts: first..<texts.count, rows: rows)) }
    return batches
  }
}

/// Working memory for batches of texts.
struct TextScratch {
  /// The residual stream, `[rows, hidden]`.
  let rows: MatrixView<Float>
  /// The pooled rows of a batch, `[texts, hidden]`.
  let pooled: MatrixView<Float>
  /// Room for one head of the longest text, for each thread.
  let stores: [KeyValueStore]
  /// Working memory of the blocks and of the projection.
  let block: BlockScratch

  /// Memory for batches of at most `rows` rows and `texts` texts, each of at most `longest` tokens.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  init(
    _ tower: TextTowerDescription,
    rows count: Int,
    texts: Int,
    longest: Int,
    threads: Int
  ) throws(RuntimeError) {
    var plan = ScratchPlan()
    let rows = plan.reserve(Float.self, count: count * tower.hidden)
    let pooled = plan.reserve(Float.self, count: texts * tower.hidden)
    let storeBytes = KeyValueStore.byteCount(
      heads: 1,
      headDim: tower.headDim,
      capacity: longest,
      type: .float32
    )
    let stores = (0..<threads).map { _ in plan.reserve(UInt8.self, count: storeBytes) }
    let regions = BlockRegions(
      in: &plan,
      shape: BlockShape(tower),
      tokens: count,
      keys: longest,
      threads: threads
    )
    let buffer = try AlignedBuffer(plan)
    self.rows = buffer.view(rows, rows: count, columns: tower.hidden)
    self.pooled = buffer.view(pooled, rows: texts, columns: tower.hidden)
    self.stores = stores.map {
      KeyValueStore(
        buffer: buffer,
        offset: $0.offset,
        heads: 1,
        headDim: tower.headDim,
        capacity: longest,
        type: .float32
      )
    }
    block = BlockScratch(regions, in: buffer)
  }
}
