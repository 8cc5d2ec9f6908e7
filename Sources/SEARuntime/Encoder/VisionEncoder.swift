// SPDX-License-Identifier: Apache-2.0
// The vision encoder: pixels in, patch features out.

package import SEAModel
package import SEATensor

/// An encoder with its weights bound.
package final class VisionEncoder: Sendable {
  /// What the encoder is.
  package let encoder: EncoderDescription
  /// What stands before the first block.
  package let embedding: PatchEmbedding
  /// Blocks up to the selected one; the adapter needs no later ones.
  package let blocks: [EncoderBlock]
  /// The way on to the joint space; nil: the encoder does not lead there.
  package let joint: JointHead?

  private let finalNorm: Normalization?
  private let pages: PageSpan?

  /// Binds the weights of an encoder.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ encoder: EncoderDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    self.encoder = encoder
    embedding = try PatchEmbedding(encoder, weights: weights)
    var blocks: [EncoderBlock] = []
    for index in 0..<encoder.selection.layer {
      blocks.append(try EncoderBlock(index, of: encoder, weights: weights))
    }
    self.blocks = blocks
    finalNorm =
      encoder.selection.appliesFinalNorm
      ? try weights.layerNorm("vision.norm", width: encoder.hidden, epsilon: encoder.epsilon) : nil
    joint = encoder.jointWidth == nil ? nil : try JointHead(encoder, weights: weights)
    pages = weights.pages(under: "vision.")
  }

  /// Working memory that suits the weights: exact ones get attention in f32, others in bf16.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package func scratch(for execution: Execution) throws(RuntimeError) -> EncoderScratch {
    try EncoderScratch(
      encoder,
      threads: execution.pool.threads,
      isExact: blocks.first?.isExact ?? true
    )
  }

  /// Gives the pages of mapped weights back to the system.
  package func release() { pages?.release() }

  /// Encodes one picture.
  ///
  /// - Parameters:
  ///   - pixels: `[3, inputSide, inputSide]`, normalised, channel first.
  ///   - scratch: working memory for this encoder.
  ///   - tracing: sees every hidden state, or with several scales the map of each, and the result.
  ///   - execution: kernels and threads.
  /// - Returns: the selected rows, `[features, featureWidth]`.
  /// - Throws: `RuntimeError.input` for another number of values.
  package func encode(
    _ pixels: [Float],
    scratch: EncoderScratch,
    tracing: Tracing? = nil,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let features: MatrixView<Float>
    if encoder.scales.isEmpty {
      try run(pixels, scratch: scratch, tracing: tracing, on: execution)
      features = try select(scratch.rows, on: execution)
    } else {
      features = try encodeScales(pixels, scratch: scratch, tracing: tracing, on: execution)
    }
    tracing?.record(.visionFeatures, features)
    return features
  }

  /// Leaves the rows after the selected block in the scratch.
  func run(
    _ pixels: [Float],
    scratch: EncoderScratch,
    tracing: Tracing?,
    on execution: Execution
  ) throws(RuntimeError) {
    try embed(pixels, scratch: scratch, on: execution)
    let rows = scratch.rows
    tracing?.record(.visionHidden(block: 0), rows)
    for index in blocks.indices {
      try blocks[index].run(
        rows,
        store: scratch.store,
        pairs: scratch.pairs,
        scratch: scratch.block,
        on: execution
      )
      tracing?.record(.visionHidden(block: index + 1), rows)
    }
  }

  /// Fills the scratch's rows with hidden state 0 of a picture of one tile, `[3, side, side]`.
  ///
  /// - Throws: `RuntimeError.input` for another number of values.
  package func embed(
    _ pixels: [Float],
    scratch: EncoderScratch,
    on execution: Execution
  ) throws(RuntimeError) {
    let side = encoder.imageSide
    guard pixels.count == 3 * side * side else {
      throw .input(
        what: "the picture",
        found: "\(pixels.count) values",
        expected: "3×\(side)×\(side)"
      )
    }
    try embedding.run(
      pixels,
      patches: scratch.patches,
      room: scratch.patchRoom,
      into: scratch.rows,
      on: execution
    )
  }

  /// A copy of the rows that feed the adapter, the final norm applied where the description says so.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package func select(
    _ rows: MatrixView<Float>,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let chosen = rows.rows(rows.rows - encoder.features..<rows.rows)
    let features: MatrixView<Float>
    do throws(FileError) {
      features = try MatrixView(rows: chosen.rows, columns: chosen.columns)
    } catch {
      throw .file(error)
    }
    if let finalNorm {
      finalNorm.apply(chosen, into: features, with: execution.kernels)
    } else {
      features.copy(from: chosen)
    }
    return features
  }
}

/// Working memory of an encoder, for one picture at a time.
package final class EncoderScratch {
  /// The residual stream, `[rows, hidden]`.
  package let rows: MatrixView<Float>
  /// Room for the keys and values of one block.
  package let store: KeyValueStore
  /// Room for them in bf16; nil: attention runs in f32.
  package let pairs: PairStore?
  /// Working memory of the blocks.
  package let block: BlockScratch

  let patches: MatrixView<Float>
  let patchRoom: LinearRoom

  /// Bytes of working memory.
  package static func byteCount(_ encoder: EncoderDescription, threads: Int) -> Int {
    var plan = ScratchPlan()
    _ = Regions(in: &plan, encoder, threads: threads)
    return plan.byteCount
  }

  /// Allocates the memory.
  ///
  /// - Parameters:
  ///   - encoder: sizes.
  ///   - threads: threads of the execution.
  ///   - isExact: attention runs in f32.
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package init(
    _ encoder: EncoderDescription,
    threads: Int,
    isExact: Bool = true
  ) throws(RuntimeError) {
    var plan = ScratchPlan()
    let regions = Regions(in: &plan, encoder, threads: threads)
    let buffer = try AlignedBuffer(plan)
    rows = buffer.view(regions.rows, rows: encoder.rows, columns: encoder.hidden)
    patches = buffer.view(regions.patches, rows: encoder.patches, columns: encoder.patchValues)
    store = KeyValueStore(
      buffer: buffer,
      offset: regions.store.offset,
      heads: encoder.heads,
      headDim: encoder.headDim,
      capacity: encoder.rows,
      type: .float32
    )
    pairs =
      isExact
      ? nil
      : PairStore(
        buffer: buffer,
        offset: regions.pairs.offset,
        heads: encoder.heads,
        headDim: encoder.headDim,
        capacity: encoder.rows
      )
    block = BlockScratch(regions.block, in: buffer)
    patchRoom = LinearRoom(buffer: buffer, scratch: regions.patchLinear, stream: block.stream)
  }

  private struct Regions {
    let rows: ScratchSlot<Float>
    let patches: ScratchSlot<Float>
    let patchLinear: LinearScratch
    let store: ScratchSlot<UInt8>
    let pairs: ScratchSlot<UInt8>
    let block: BlockRegions

    init(in plan: inout ScratchPlan, _ encoder: EncoderDescription, threads: Int) {
      rows = plan.reserve(count: encoder.rows * encoder.hidden)
      patches = plan.reserve(count: encoder.patches * encoder.patchValues)
      patchLinear = LinearScratch(
        in: &plan,
        tokens: encoder.patches,
        normalized: 0,
        columns: encoder.patchValues
      )
      store = plan.reserve(
        count: KeyValueStore.byteCount(
          heads: encoder.heads,
          headDim: encoder.headDim,
          capacity: encoder.rows,
          type: .float32
        )
      )
      pairs = plan.reserve(
        count: PairStore.byteCount(
          heads: encoder.heads,
          headDim: encoder.headDim,
          capacity: encoder.rows
        )
      )
      block = BlockRegions(
        in: &plan,
        shape: BlockShape(encoder),
        tokens: encoder.rows,
        keys: encoder.rows,
        threads: threads
      )
    }
  }
}
