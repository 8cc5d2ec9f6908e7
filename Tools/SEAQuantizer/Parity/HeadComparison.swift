// SPDX-License-Identifier: Apache-2.0
// Both heads over the vocabulary, a window of words at a time.

import SEAModel
import SEARuntime
import SEATensor

/// Scores of both sides for the same words, compared as they pass by.
///
/// A vocabulary of 256,000 words times 32 positions is never held: a window of 4,096 words is.
struct HeadComparison {
  private let name: String
  private let language: LanguageModelDescription
  private let source: any WeightSource
  private let weights: FileTensors
  private let sourceRows: MatrixView<Float>
  private let fileRows: MatrixView<Float>
  private let packed: PackedActivations?
  private let scratch: AlignedBuffer
  private let execution: Execution

  /// Words of a window; a multiple of the 64 that a thread takes at a time.
  private static let window = 4096

  init(
    _ language: LanguageModelDescription,
    source: (weights: any WeightSource, rows: MatrixView<Float>),
    file: (weights: FileTensors, rows: MatrixView<Float>),
    on execution: Execution
  ) throws {
    name = language.isHeadTied ? "llm.embed.weight" : "llm.head.weight"
    self.language = language
    self.source = source.weights
    weights = file.weights
    sourceRows = source.rows
    fileRows = file.rows
    self.execution = execution
    let words = execution.pool.threads * HeadPiece.words
    let (values, overflow) = words.multipliedReportingOverflow(by: language.hidden)
    guard !overflow, values < Int.max / MemoryLayout<Float>.size else {
      throw FileError.outOfMemory(bytes: Int.max)
    }
    scratch = try AlignedBuffer(byteCount: values * MemoryLayout<Float>.size)
    let whole = try weights.matrix(name, rows: language.vocab, columns: language.hidden)
    if case .packed(let matrix) = whole {
      let groups = matrix.groups
      let quantized = PackedActivations(
        codes: try MatrixView(rows: fileRows.rows, columns: groups * matrix.group),
        scales: try MatrixView(rows: fileRows.rows, columns: groups),
        sums: try MatrixView(rows: fileRows.rows, columns: groups)
      )
      execution.kernels.quantize(fileRows, group: matrix.group, into: quantized)
      packed = quantized
    } else {
      packed = nil
    }
  }

  /// Compares all words.
  ///
  /// - Throws: what reading either side throws.
  func run() throws -> ParityVerdict.Logits {
    let positions = sourceRows.rows
    var comparisons = Array(repeating: LogitComparison(), count: positions)
    var first = 0
    while first < language.vocab {
      let words = first..<min(first + Self.window, language.vocab)
      let sourceLogits = try MatrixView<Float>(rows: positions, columns: words.count)
      let fileLogits = try MatrixView<Float>(rows: positions, columns: words.count)
      let failure = FirstFailure()
      let work = HeadPiece(
        name: name,
        source: source,
        matrix: try weights.matrix(name, window: words, columns: language.hidden),
        first: first,
        sourceRows: sourceRows,
        fileRows: fileRows,
        packed: packed,
        unpacked: packed == nil
          ? nil : try execution.unpackRoom.rows(columns: language.hidden),
        sourceLogits: sourceLogits,
        fileLogits: fileLogits,
        scratch: scratch,
        kernels: execution.kernels,
        failure: failure
      )
      execution.pool.run(work, pieces: (words.count - 1) / HeadPiece.words + 1)
      try failure.rethrow()
      source.release(name)
      weights.release(name)
      for position in 0..<positions {
        sourceLogits.withRow(position) { given in
          fileLogits.withRow(position) {
            comparisons[position].add(source: given.span, file: $0.span, first: first)
          }
        }
      }
      first = words.upperBound
    }
    return ParityVerdict.Logits(comparisons)
  }
}

extension ParityVerdict.Logits {
  fileprivate init(_ comparisons: [LogitComparison]) {
    let count = Double(max(comparisons.count, 1))
    meanDivergence = comparisons.reduce(0) { $0 + $1.divergence } / count
    worstDivergence = comparisons.map(\.divergence).max() ?? 0
    meanCosine = comparisons.reduce(0) { $0 + $1.cosine } / count
    agreed = comparisons.count { $0.agrees }
    positions = comparisons.count
  }
}

/// 64 words of a window, on both sides.
private struct HeadPiece: ParallelWork {
  let name: String
  let source: any WeightSource
  /// The file's rows of the window.
  let matrix: LinearWeight
  /// First word of the window.
  let first: Int
  let sourceRows: MatrixView<Float>
  let fileRows: MatrixView<Float>
  let packed: PackedActivations?
  /// Room for unpacked int4 panels, a row for each thread.
  let unpacked: MatrixView<UInt8>?
  let sourceLogits: MatrixView<Float>
  let fileLogits: MatrixView<Float>
  let scratch: AlignedBuffer
  let kernels: Kernels
  let failure: FirstFailure

  /// Words of a piece: two panels.
  static let words = 64

  func run(piece: Int, worker: Int) {
    let range = piece * Self.words..<min((piece + 1) * Self.words, sourceLogits.columns)
    let columns = sourceRows.columns
    let given: MatrixView<Float> = scratch.matrix(
      offset: worker * Self.words * columns * MemoryLayout<Float>.size,
      rows: range.count,
      columns: columns
    )
    do {
      let words = first + range.lowerBound..<first + range.upperBound
      try source.read(name, rows: words, into: given)
    } catch {
      failure.note(error, piece: piece)
      return
    }
    kernels.multiply(sourceRows, given, bias: nil, into: sourceLogits.columns(range))
    switch matrix {
    case .packed(let matrix):
      guard let packed else { preconditionFailure("packed weights without quantised rows") }
      let last = (range.upperBound - 1) / PackedMatrix.panelRows
      let panels = range.lowerBound / PackedMatrix.panelRows..<last + 1
      kernels.multiply(
        packed,
        matrix,
        panels: panels,
        bias: nil,
        into: fileLogits,
        unpacked: unpacked?.rows(worker..<worker + 1)
      )
    case .plain(let matrix):
      kernels.multiply(fileRows, matrix, rows: range, bias: nil, into: fileLogits)
    case .streamed: preconditionFailure("the file's weights are mapped")
    }
  }
}
