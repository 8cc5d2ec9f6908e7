// SPDX-License-Identifier: Apache-2.0
// Working memory of one transformer block, shared by all blocks of a part.

package import SEAModel
package import SEATensor

/// Sizes that decide how much memory a block works in.
package struct BlockShape: Sendable, Equatable {
  /// Width of the residual stream.
  package let hidden: Int
  /// Attention of the block.
  package let attention: AttentionShape
  /// Width inside the MLP.
  package let ffn: Int
  /// The MLP multiplies a gate.
  package let isGated: Bool
  /// Positions are rotated.
  package let isRotary: Bool

  /// The shape of an encoder's blocks.
  package init(_ encoder: EncoderDescription) {
    hidden = encoder.hidden
    attention = AttentionShape(
      heads: encoder.heads,
      kvHeads: encoder.heads,
      headDim: encoder.headDim,
      isCausal: false,
      window: 0
    )
    ffn = encoder.ffn
    isGated = false
    isRotary = false
  }

  /// The shape of a text tower's blocks.
  package init(_ tower: TextTowerDescription) {
    hidden = tower.hidden
    attention = AttentionShape(
      heads: tower.heads,
      kvHeads: tower.heads,
      headDim: tower.headDim,
      isCausal: tower.isCausal,
      window: 0
    )
    ffn = tower.ffn
    isGated = false
    isRotary = false
  }

  /// The shape of a language model's blocks.
  package init(_ language: LanguageModelDescription) {
    hidden = language.hidden
    attention = AttentionShape(
      heads: language.heads,
      kvHeads: language.kvHeads,
      headDim: language.headDim,
      isCausal: true,
      window: language.slidingWindow
    )
    ffn = language.ffn
    isGated = true
    isRotary = true
  }

  var queryWidth: Int { attention.heads * attention.headDim }
  var kvWidth: Int { attention.kvHeads * attention.headDim }
}

/// Regions of one block's working memory.
package struct BlockRegions: Sendable {
  /// Rows at most.
  package let tokens: Int

  let shape: BlockShape
  let linear: LinearScratch
  let q: ScratchSlot<Float>
  let k: ScratchSlot<Float>
  let v: ScratchSlot<Float>
  let inner: ScratchSlot<Float>
  let up: ScratchSlot<Float>
  let cosines: ScratchSlot<Float>
  let sines: ScratchSlot<Float>
  let scores: ScratchSlot<Float>
  private let scoreWidth: Int
  private let threads: Int

  /// Adds the regions to a plan.
  ///
  /// - Parameters:
  ///   - plan: receives the regions.
  ///   - shape: sizes of the block.
  ///   - tokens: rows at most in one run.
  ///   - keys: positions at most that a query sees.
  ///   - threads: threads that attend at once.
  package init(
    in plan: inout ScratchPlan,
    shape: BlockShape,
    tokens: Int,
    keys: Int,
    threads: Int
  ) {
    self.shape = shape
    self.tokens = tokens
    self.threads = threads
    linear = LinearScratch(
      in: &plan,
      tokens: tokens,
      normalized: shape.hidden,
      columns: max(shape.hidden, shape.queryWidth, shape.ffn)
    )
    q = plan.reserve(count: tokens * shape.queryWidth)
    k = plan.reserve(count: tokens * shape.kvWidth)
    v = plan.reserve(count: tokens * shape.kvWidth)
    inner = plan.reserve(count: tokens * shape.ffn)
    up = plan.reserve(count: tokens * max(shape.hidden, shape.isGated ? shape.ffn : 0))
    let angles = shape.isRotary ? tokens * (shape.attention.headDim / 2) : 0
    cosines = plan.reserve(count: angles)
    sines = plan.reserve(count: angles)
    let headDim = shape.attention.headDim
    let width = Kernels.attentionScratch(keys: keys, headDim: headDim)
    scoreWidth = (width + 15) / 16 * 16
    scores = plan.reserve(count: scoreWidth * threads)
  }

  func scores(in buffer: AlignedBuffer) -> MatrixView<Float> {
    buffer.view(scores, rows: threads, columns: scoreWidth)
  }

  func angles(in buffer: AlignedBuffer, tokens: Int) -> RotaryAngles {
    let pairs = shape.attention.headDim / 2
    return RotaryAngles(
      cosines: buffer.view(cosines, rows: tokens, columns: pairs),
      sines: buffer.view(sines, rows: tokens, columns: pairs)
    )
  }
}

/// Working memory of a block.
package final class BlockScratch {
  let regions: BlockRegions
  let buffer: AlignedBuffer
  let stream: StreamBuffer

  /// Memory that lies in `buffer` as `regions` says.
  package init(_ regions: BlockRegions, in buffer: AlignedBuffer) {
    self.regions = regions
    self.buffer = buffer
    stream = StreamBuffer()
  }

  /// Memory of its own.
  ///
  /// - Parameters:
  ///   - shape: sizes of the block.
  ///   - tokens: rows at most in one run.
  ///   - keys: positions at most that a query sees.
  ///   - threads: threads of the execution.
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package convenience init(
    shape: BlockShape,
    tokens: Int,
    keys: Int,
    threads: Int
  ) throws(RuntimeError) {
    var plan = ScratchPlan()
    let regions = BlockRegions(
      in: &plan,
      shape: shape,
      tokens: tokens,
      keys: keys,
      threads: threads
    )
    self.init(regions, in: try AlignedBuffer(plan))
  }

  /// Room for the scores of attention, a row per thread.
  var scores: MatrixView<Float> { regions.scores(in: buffer) }

  var room: LinearRoom { LinearRoom(buffer: buffer, scratch: regions.linear, stream: stream) }

  /// The first columns of a region, `tokens` rows of them.
  func view(_ slot: ScratchSlot<Float>, tokens: Int, columns: Int) -> MatrixView<Float> {
    buffer.view(slot, rows: tokens, columns: columns)
  }
}
