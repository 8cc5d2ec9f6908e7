// SPDX-License-Identifier: Apache-2.0
// Several residual streams through both sides' language models, a block at a time.

import SEAModel
import SEARuntime
import SEATensor
import SEAText

/// What all streams share: they run one after the other, so working memory is needed once.
final class QualitySweep {
  /// Whose weights a stream runs through.
  enum Side {
    case source
    case file
  }

  /// All positions of a prompt between two blocks.
  struct Stream {
    let side: Side
    /// `[positions, hidden]`.
    let rows: MatrixView<Float>
  }

  private let language: LanguageModelDescription
  private let sides: (source: ParitySide, file: ParitySide)
  private let tokens: Int
  private let execution: Execution
  private let angles: RotaryAngles
  private let scratch: BlockScratch
  private let stores: [Side: KeyValueStore]

  init(
    _ language: LanguageModelDescription,
    _ sides: (source: ParitySide, file: ParitySide),
    tokens: Int,
    on execution: Execution
  ) throws {
    self.language = language
    self.sides = sides
    self.tokens = tokens
    self.execution = execution
    angles = try RotaryAngles(tokens: tokens, headDim: language.headDim)
    RotaryTable(headDim: language.headDim, theta: language.ropeTheta)
      .fill(angles, first: 0, on: execution)
    scratch = try BlockScratch(
      shape: BlockShape(language),
      tokens: tokens,
      keys: tokens,
      threads: execution.pool.threads
    )
    func store(_ type: CacheType) throws -> KeyValueStore {
      let bytes = KeyValueStore.byteCount(
        heads: language.kvHeads,
        headDim: language.headDim,
        capacity: tokens,
        type: type
      )
      return KeyValueStore(
        buffer: try AlignedBuffer(byteCount: bytes),
        offset: 0,
        heads: language.kvHeads,
        headDim: language.headDim,
        capacity: tokens,
        type: type
      )
    }
    stores = [.source: try store(sides.source.cacheType), .file: try store(sides.file.cacheType)]
  }

  private func side(_ side: Side) -> ParitySide { side == .source ? sides.source : sides.file }

  /// A prompt as rows of the first block's input.
  func stream(
    _ side: Side,
    _ ids: [Int32],
    _ visual: MatrixView<Float>,
    visualScale: Float
  ) throws -> Stream {
    let rows = try MatrixView<Float>(rows: tokens, columns: language.hidden)
    let (own, kernels) = (self.side(side), execution.kernels)
    var place = 0
    for id in ids {
      let count = id == Prompt.imageID ? visual.rows : 1
      let target = rows.rows(place..<place + count)
      if id == Prompt.imageID {
        target.copy(from: visual)
        kernels.scale(target, by: visualScale)
      } else {
        try own.lookUp(id, language, into: target, with: kernels)
        kernels.scale(target, by: Float(language.embeddingScale))
      }
      place += count
    }
    return Stream(side: side, rows: rows)
  }

  /// Advances streams by one block.
  func run(_ index: Int, _ streams: [Stream]) throws {
    for side in [Side.source, .file] {
      guard let store = stores[side] else { continue }
      let block = try DecoderBlock(index, of: language, weights: self.side(side).weights)
      for stream in streams where stream.side == side {
        try block.run(
          stream.rows,
          first: 0,
          angles: angles,
          store: store,
          scratch: scratch,
          on: execution
        )
      }
    }
  }

  /// A copy of some rows under the final norm.
  func normed(_ stream: Stream, _ range: Range<Int>) throws -> MatrixView<Float> {
    let rows = try MatrixView<Float>(rows: range.count, columns: language.hidden)
    rows.copy(from: stream.rows.rows(range))
    let norm = try side(stream.side).weights.vector(
      "llm.norm.weight",
      rows: 1,
      columns: language.hidden
    )
    execution.kernels.rmsNorm(rows, weight: norm, epsilon: Float(language.epsilon), into: rows)
    return rows
  }
}
