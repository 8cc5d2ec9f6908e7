// SPDX-License-Identifier: Apache-2.0
// One side's language model on the prompt, a block at a time.

import SEAModel
import SEARuntime
import SEATensor

/// The residual stream of one side.
///
/// All positions run at once, so keys and values are needed for one block only.
final class ParityReader {
  /// `[tokens, hidden]`.
  let rows: MatrixView<Float>

  private let side: ParitySide
  private let language: LanguageModelDescription
  private let execution: Execution
  private let angles: RotaryAngles
  private let store: KeyValueStore
  private let scratch: BlockScratch

  init(
    _ side: ParitySide,
    _ language: LanguageModelDescription,
    tokens: Int,
    on execution: Execution
  ) throws {
    rows = try MatrixView(rows: tokens, columns: language.hidden)
    angles = try RotaryAngles(tokens: tokens, headDim: language.headDim)
    RotaryTable(headDim: language.headDim, theta: language.ropeTheta)
      .fill(angles, first: 0, on: execution)
    let bytes = KeyValueStore.byteCount(
      heads: language.kvHeads,
      headDim: language.headDim,
      capacity: tokens,
      type: side.cacheType
    )
    store = KeyValueStore(
      buffer: try AlignedBuffer(byteCount: bytes),
      offset: 0,
      heads: language.kvHeads,
      headDim: language.headDim,
      capacity: tokens,
      type: side.cacheType
    )
    scratch = try BlockScratch(
      shape: BlockShape(language),
      tokens: tokens,
      keys: tokens,
      threads: execution.pool.threads
    )
    self.side = side
    self.language = language
    self.execution = execution
  }

  /// Fills the rows: the first token, the chosen visual tokens, the other tokens.
  func embed(
    _ ids: [Int32],
    visual: MatrixView<Float>?,
    chosen: [Int],
    visualScale: Float
  ) throws {
    let kernels = execution.kernels
    for (index, id) in ids.enumerated() {
      let place = index == 0 ? 0 : index + chosen.count
      let row = rows.rows(place..<place + 1)
      try side.lookUp(id, language, into: row, with: kernels)
      kernels.scale(row, by: Float(language.embeddingScale))
    }
    guard let visual else { return }
    for (index, token) in chosen.enumerated() {
      let row = rows.rows(index + 1..<index + 2)
      row.copy(from: visual.rows(token..<token + 1))
      kernels.scale(row, by: visualScale)
    }
  }

  /// Advances the rows by one block.
  func run(_ block: DecoderBlock) throws {
    try block.run(
      rows,
      first: 0,
      angles: angles,
      store: store,
      scratch: scratch,
      on: execution
    )
  }

  /// A copy of the rows of the prompt's tokens under the final norm, `[count, hidden]`.
  func textRows(count: Int, visual: Int) throws -> MatrixView<Float> {
    let text = try MatrixView<Float>(rows: count, columns: language.hidden)
    for index in 0..<count {
      let place = index == 0 ? 0 : index + visual
      text.rows(index..<index + 1).copy(from: rows.rows(place..<place + 1))
    }
    let norm = try side.weights.vector("llm.norm.weight", rows: 1, columns: language.hidden)
    execution.kernels.rmsNorm(text, weight: norm, epsilon: Float(language.epsilon), into: text)
    return text
  }
}
