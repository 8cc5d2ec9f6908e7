// SPDX-License-Identifier: Apache-2.0
// From pixels to the encoder's first rows.

package import SEAModel
import SEATensor

/// Patches as rows, projected, with the class token, positions and the first norm.
///
/// Source: reference.md B.1.
package struct PatchEmbedding: Sendable {
  private let encoder: EncoderDescription
  private let projection: Linear
  private let classToken: FloatVector?
  private let positions: FloatVector
  private let norm: Normalization?

  /// Binds the tensors in front of the first block.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ encoder: EncoderDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    self.encoder = encoder
    projection = try weights.linear(
      "vision.patch",
      rows: encoder.hidden,
      columns: encoder.patchValues,
      hasBias: encoder.hasPatchBias
    )
    classToken = encoder.hasClassToken ? try weights.vector("vision.class", encoder.hidden) : nil
    positions = try weights.vector(
      "vision.position",
      rows: encoder.rows,
      columns: encoder.hidden
    )
    norm =
      encoder.hasPreNorm
      ? try weights.layerNorm("vision.prenorm", width: encoder.hidden, epsilon: encoder.epsilon)
      : nil
  }

  /// Fills `rows` with hidden state 0.
  ///
  /// - Parameters:
  ///   - pixels: `[3, side, side]`, normalised, channel first.
  ///   - patches: `[patches, patchValues]`, scratch.
  ///   - room: scratch for the projection.
  ///   - rows: `[rows, hidden]`.
  ///   - execution: kernels and threads.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  /// - Precondition: sizes are those of the description.
  func run(
    _ pixels: [Float],
    patches: MatrixView<Float>,
    room: LinearRoom,
    into rows: MatrixView<Float>,
    on execution: Execution
  ) throws(RuntimeError) {
    precondition(
      pixels.count == 3 * encoder.imageSide * encoder.imageSide,
      "\(pixels.count) pixel values for side \(encoder.imageSide)"
    )
    let extracting = ExtractWork(
      pixels: pixels,
      patches: patches,
      imageSide: encoder.imageSide,
      patchSide: encoder.patchSide,
      gridSide: encoder.gridSide
    )
    execution.pool.run(extracting, pieces: encoder.gridSide)
    let body = rows.rows(rows.rows - patches.rows..<rows.rows)
    try execution.apply(patches, in: room, LinearTask(projection, into: body))
    let placing = PlaceWork(
      kernels: execution.kernels,
      rows: rows,
      classToken: classToken,
      positions: positions,
      norm: norm
    )
    execution.pool.run(placing, pieces: placing.pieces)
  }
}

/// Copies the patches of one grid row, each as channel, row, column.
private struct ExtractWork: ParallelWork {
  let pixels: [Float]
  let patches: MatrixView<Float>
  let imageSide: Int
  let patchSide: Int
  let gridSide: Int

  func run(piece: Int, worker: Int) {
    for column in 0..<gridSide {
      patches.withRow(piece * gridSide + column) { (patch: consuming MutableSpan<Float>) in
        var target = 0
        for channel in 0..<3 {
          for row in 0..<patchSide {
            let line = (channel * imageSide + piece * patchSide + row) * imageSide
            for source in line + column * patchSide..<line + (column + 1) * patchSide {
              patch[target] = pixels[source]
              target += 1
            }
          }
        }
      }
    }
  }
}

/// Adds positions to blocks of rows and normalises them.
private struct PlaceWork: ParallelWork {
  let kernels: Kernels
  let rows: MatrixView<Float>
  let classToken: FloatVector?
  let positions: FloatVector
  let norm: Normalization?

  static let rows = 32

  var pieces: Int { (rows.rows + Self.rows - 1) / Self.rows }

  func run(piece: Int, worker: Int) {
    let range = piece * Self.rows..<min((piece + 1) * Self.rows, rows.rows)
    for index in range {
      let row = rows.rows(index..<index + 1)
      if index == 0, let classToken {
        row.fill(0)
        kernels.add(classToken, toRowsOf: row)
      }
      let width = rows.columns
      kernels.add(positions.slice(index * width..<(index + 1) * width), toRowsOf: row)
    }
    let part = rows.rows(range)
    norm?.apply(part, into: part, with: kernels)
  }
}
