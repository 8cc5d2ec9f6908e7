// SPDX-License-Identifier: Apache-2.0
// Visual tokens as lines of a grid: resampled before the layers, cut and ended after them.

import SEAImage
import SEAModel
import SEATensor

/// The grid of an adapter that has one.
///
/// Source: reference.md C.3; Cambrian `siglip_encoder.py`, `cambrian_arch.py`.
struct TokenGrid {
  /// Cells that become tokens.
  let cells: GridCells
  private let adapter: AdapterDescription
  /// Patches along one side.
  private let source: Int

  /// A grid for one picture.
  ///
  /// - Throws: `RuntimeError.input` when the features form no square.
  init(
    _ adapter: AdapterDescription,
    features: Int,
    picture: ImageSize?
  ) throws(RuntimeError) {
    source = Int(Double(features).squareRoot())
    guard features > 0, source * source == features else {
      throw .input(what: "the patch features", found: "\(features) rows", expected: "a square grid")
    }
    self.adapter = adapter
    cells = adapter.cells(features: features, of: picture)
  }

  /// Values that are held beside the features: resampled ones, layers' outputs, and tokens.
  static func values(_ adapter: AdapterDescription, features: Int) -> Int {
    guard adapter.needsGrid else { return features * adapter.outputWidth }
    let cells = adapter.cells(features: features).side
    return (adapter.grid == nil ? 0 : cells * cells * adapter.inputWidth)
      + (cells * cells + adapter.tokens(features: features)) * adapter.outputWidth
  }

  /// The features on the adapter's grid: bilinear, half-pixel centres, in f32.
  ///
  /// - Parameters:
  ///   - features: `[source², width]`, line by line.
  ///   - execution: threads.
  /// - Returns: `[side², width]`, the features themselves where the sides are equal.
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  func resample(
    _ features: MatrixView<Float>,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let side = cells.side
    guard side != source else { return features }
    let result = try Self.matrix(rows: side * side, columns: features.columns)
    let taps = (0..<side).map { Tap($0, of: side, from: source) }
    execution.pool.run(
      ResampleWork(taps: taps, source: source, features: features, result: result),
      pieces: side
    )
    return result
  }

  /// The kept cells line by line, each line ended by the learned row.
  ///
  /// - Parameters:
  ///   - tokens: `[side², hidden]`.
  ///   - newline: `[hidden]`, or nil when lines are not ended.
  /// - Returns: `[lines · (columns + 1), hidden]`.
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  func arrange(
    _ tokens: MatrixView<Float>,
    newline: FloatVector?
  ) throws(RuntimeError) -> MatrixView<Float> {
    let line = cells.columns.count + (newline == nil ? 0 : 1)
    let result = try Self.matrix(rows: cells.rows.count * line, columns: tokens.columns)
    let end = newline.map { newline in (0..<newline.count).map { newline[$0] } }
    for (index, row) in cells.rows.enumerated() {
      let first = row * cells.side + cells.columns.lowerBound
      let start = index * line
      result.rows(start..<start + cells.columns.count)
        .copy(from: tokens.rows(first..<first + cells.columns.count))
      if let end { result.rows(start + line - 1..<start + line).copy(from: end) }
    }
    return result
  }

  private static func matrix(rows: Int, columns: Int) throws(RuntimeError) -> MatrixView<Float> {
    do throws(FileError) {
      return try MatrixView(rows: rows, columns: columns)
    } catch {
      throw .file(error)
    }
  }
}

/// Where one output position lies between two input positions.
private struct Tap: Sendable {
  let near: Int
  let far: Int
  let nearWeight: Float
  let farWeight: Float

  /// The tap of output `position` when `count` outputs span `source` inputs.
  ///
  /// Source: PyTorch `interpolate(mode="bilinear", align_corners=False)`.
  init(_ position: Int, of count: Int, from source: Int) {
    let scale = Float(source) / Float(count)
    let center = max(scale * (Float(position) + 0.5) - 0.5, 0)
    near = min(Int(center), source - 1)
    far = min(near + 1, source - 1)
    farWeight = center - Float(near)
    nearWeight = 1 - farWeight
  }
}

/// One line of the resampled grid.
private struct ResampleWork: ParallelWork {
  let taps: [Tap]
  let source: Int
  let features: MatrixView<Float>
  let result: MatrixView<Float>

  func run(piece: Int, worker: Int) {
    let vertical = taps[piece]
    let (top, bottom) = (vertical.near * source, vertical.far * source)
    for (column, tap) in taps.enumerated() {
      result.withRow(piece * taps.count + column) { (out: consuming MutableSpan<Float>) in
        for index in out.indices {
          let upper =
            tap.nearWeight * features[top + tap.near, index]
            + tap.farWeight * features[top + tap.far, index]
          let lower =
            tap.nearWeight * features[bottom + tap.near, index]
            + tap.farWeight * features[bottom + tap.far, index]
          out[index] = vertical.nearWeight * upper + vertical.farWeight * lower
        }
      }
    }
  }
}
