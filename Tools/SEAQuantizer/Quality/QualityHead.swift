// SPDX-License-Identifier: Apache-2.0
// Scores of several streams over the vocabulary, compared with the source's a window at a time.

import SEAModel
import SEARuntime
import SEATensor

/// The heads of both sides; a window of 4,096 words is held, never all scores.
struct QualityHead {
  private let name: String
  private let language: LanguageModelDescription
  private let models: ComparedModels
  private let source: MatrixView<Float>
  private let others: [Input]
  private let scratch: AlignedBuffer
  private let execution: Execution

  /// A stream's rows under the norm, and for packed weights in int8.
  fileprivate struct Input: Sendable {
    let isFile: Bool
    let rows: MatrixView<Float>
    let packed: PackedActivations?
  }

  private static let window = 4096

  init(
    _ language: LanguageModelDescription,
    _ models: ComparedModels,
    source: MatrixView<Float>,
    others: [(side: QualitySweep.Side, rows: MatrixView<Float>)],
    on execution: Execution
  ) throws {
    name = language.isHeadTied ? "llm.embed.weight" : "llm.head.weight"
    self.language = language
    self.models = models
    self.source = source
    self.execution = execution
    let words = execution.pool.threads * QualityHeadPiece.words
    scratch = try AlignedBuffer(byteCount: words * language.hidden * MemoryLayout<Float>.size)
    let whole = try models.tensors.matrix(name, rows: language.vocab, columns: language.hidden)
    self.others = try others.map { side, rows in
      guard side == .file, case .packed(let matrix) = whole else {
        return Input(isFile: side == .file, rows: rows, packed: nil)
      }
      let packed = PackedActivations(
        codes: try MatrixView(rows: rows.rows, columns: matrix.groups * matrix.group),
        scales: try MatrixView(rows: rows.rows, columns: matrix.groups),
        sums: try MatrixView(rows: rows.rows, columns: matrix.groups)
      )
      execution.kernels.quantize(rows, group: matrix.group, into: packed)
      return Input(isFile: true, rows: rows, packed: packed)
    }
  }

  /// For each of the others a comparison at every position.
  ///
  /// - Throws: what reading either side throws.
  func run() throws -> [[LogitComparison]] {
    let positions = source.rows
    var comparisons = others.map { _ in [LogitComparison](repeating: .init(), count: positions) }
    for first in stride(from: 0, to: language.vocab, by: Self.window) {
      let words = first..<min(first + Self.window, language.vocab)
      let given = try MatrixView<Float>(rows: positions, columns: words.count)
      let found = try others.map { _ in
        try MatrixView<Float>(rows: positions, columns: words.count)
      }
      let failure = FirstFailure()
      let work = QualityHeadPiece(
        name: name,
        source: models.source,
        matrix: try models.tensors.matrix(name, window: words, columns: language.hidden),
        first: first,
        rows: source,
        others: others,
        unpacked: others.contains { $0.packed != nil }
          ? try execution.unpackRoom.rows(columns: language.hidden) : nil,
        given: given,
        found: found,
        scratch: scratch,
        kernels: execution.kernels,
        failure: failure
      )
      execution.pool.run(work, pieces: (words.count - 1) / QualityHeadPiece.words + 1)
      try failure.rethrow()
      models.release(name)
      for (index, scores) in found.enumerated() {
        for position in 0..<positions {
          given.withRow(position) { given in
            scores.withRow(position) {
              comparisons[index][position].add(source: given.span, file: $0.span, first: first)
            }
          }
        }
      }
    }
    return comparisons
  }
}

/// 64 words of a window, for every stream.
private struct QualityHeadPiece: ParallelWork {
  let name: String
  let source: any WeightSource
  /// The file's rows of the window.
  let matrix: LinearWeight
  /// First word of the window.
  let first: Int
  let rows: MatrixView<Float>
  let others: [QualityHead.Input]
  let unpacked: MatrixView<UInt8>?
  let given: MatrixView<Float>
  let found: [MatrixView<Float>]
  let scratch: AlignedBuffer
  let kernels: Kernels
  let failure: FirstFailure

  /// Words of a piece: two panels.
  static let words = 64

  func run(piece: Int, worker: Int) {
    let range = piece * Self.words..<min((piece + 1) * Self.words, given.columns)
    let read: MatrixView<Float> = scratch.matrix(
      offset: worker * Self.words * rows.columns * MemoryLayout<Float>.size,
      rows: range.count,
      columns: rows.columns
    )
    do {
      let words = first + range.lowerBound..<first + range.upperBound
      try source.read(name, rows: words, into: read)
    } catch {
      failure.note(error, piece: piece)
      return
    }
    kernels.multiply(rows, read, bias: nil, into: given.columns(range))
    for (input, scores) in zip(others, found) {
      guard input.isFile else {
        kernels.multiply(input.rows, read, bias: nil, into: scores.columns(range))
        continue
      }
      switch matrix {
      case .packed(let matrix):
        guard let packed = input.packed else { continue }
        let last = (range.upperBound - 1) / PackedMatrix.panelRows
        kernels.multiply(
          packed,
          matrix,
          panels: range.lowerBound / PackedMatrix.panelRows..<last + 1,
          bias: nil,
          into: scores,
          unpacked: unpacked?.rows(worker..<worker + 1)
        )
      case .plain(let matrix):
        kernels.multiply(input.rows, matrix, rows: range, bias: nil, into: scores)
      case .streamed: preconditionFailure("the file's weights are mapped")
      }
    }
  }
}
