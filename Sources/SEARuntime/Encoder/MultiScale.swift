// SPDX-License-Identifier: Apache-2.0
// One picture at several scales (S2): tiles through the same encoder, features side by side.

package import SEAModel
import SEATensor

/// The picture is resampled to each scale and cut into tiles of the encoder's side; the features of the
/// tiles are put back in place, averaged down to the grid of one tile, and stand side by side, smallest
/// scale first.
///
/// Source: reference.md B.3.
extension VisionEncoder {
  /// Encodes a picture at every scale.
  ///
  /// - Parameters:
  ///   - pixels: `[3, inputSide, inputSide]`.
  ///   - scratch: working memory for one tile.
  ///   - tracing: sees the map of every scale.
  ///   - execution: kernels and threads.
  /// - Returns: `[patches, featureWidth]`.
  /// - Throws: `RuntimeError.input` for another number of values.
  func encodeScales(
    _ pixels: [Float],
    scratch: EncoderScratch,
    tracing: Tracing?,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let features = try Self.matrix(rows: encoder.patches, columns: encoder.featureWidth)
    for (index, scale) in encoder.scales.enumerated() {
      let view = try view(pixels, scale: scale, on: execution)
      let ratio = scale / encoder.imageSide
      let map = try map(view, ratio: ratio, scratch: scratch, on: execution)
      if let tracing { tracing.record(.scaleMap(ratio: ratio), try Self.transposed(map)) }
      let columns = index * encoder.hidden..<(index + 1) * encoder.hidden
      average(map, ratio: ratio, into: features.columns(columns), with: execution.kernels)
    }
    return features
  }

  /// The picture at a scale, `[3, scale, scale]`.
  ///
  /// - Throws: `RuntimeError.input` for another number of values.
  package func view(
    _ pixels: [Float],
    scale: Int,
    on execution: Execution
  ) throws(RuntimeError) -> [Float] {
    let side = encoder.inputSide
    guard pixels.count == 3 * side * side else {
      throw .input(
        what: "the picture",
        found: "\(pixels.count) values",
        expected: "3×\(side)×\(side)"
      )
    }
    guard scale != side else { return pixels }
    let planes = try Self.matrix(rows: 3 * side, columns: side)
    planes.copy(from: pixels)
    let resized = try Self.matrix(rows: 3 * scale, columns: scale)
    PlaneResizer(from: side, to: scale).run(planes, into: resized, on: execution)
    return resized.array()
  }

  /// The features of one scale's tiles in their places, `[(gridSide · ratio)², hidden]`.
  private func map(
    _ view: [Float],
    ratio: Int,
    scratch: EncoderScratch,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let grid = encoder.gridSide
    let map = try Self.matrix(rows: encoder.patches * ratio * ratio, columns: encoder.hidden)
    for tile in 0..<ratio * ratio {
      let pixels = self.tile(tile, of: view, ratio: ratio)
      try run(pixels, scratch: scratch, tracing: nil, on: execution)
      let rows = try select(scratch.rows, on: execution)
      for row in 0..<grid {
        let start = ((tile / ratio * grid + row) * ratio + tile % ratio) * grid
        map.rows(start..<start + grid).copy(from: rows.rows(row * grid..<(row + 1) * grid))
      }
    }
    return map
  }

  /// The pixels of a tile, `[3, side, side]`; tiles are counted row by row.
  private func tile(_ tile: Int, of view: [Float], ratio: Int) -> [Float] {
    let side = encoder.imageSide
    var pixels: [Float] = []
    pixels.reserveCapacity(3 * side * side)
    for channel in 0..<3 {
      for row in 0..<side {
        let line = (channel * ratio + tile / ratio) * side + row
        let start = (line * ratio + tile % ratio) * side
        pixels += view[start..<start + side]
      }
    }
    return pixels
  }

  /// Means over squares of `ratio²` cells.
  private func average(
    _ map: MatrixView<Float>,
    ratio: Int,
    into features: MatrixView<Float>,
    with kernels: Kernels
  ) {
    let grid = encoder.gridSide
    for patch in 0..<encoder.patches {
      let mean = features.rows(patch..<patch + 1)
      for cell in 0..<ratio * ratio {
        let row = patch / grid * ratio + cell / ratio
        let column = patch % grid * ratio + cell % ratio
        let index = row * grid * ratio + column
        kernels.add(map.rows(index..<index + 1), to: mean)
      }
      if ratio > 1 { kernels.scale(mean, by: 1 / Float(ratio * ratio)) }
    }
  }

  /// f32 values that a picture of several scales needs beside the scratch of one tile.
  package static func scaleValues(_ encoder: EncoderDescription) -> Int {
    guard !encoder.scales.isEmpty else { return 0 }
    let ratio = encoder.inputSide / encoder.imageSide
    let map = encoder.patches * ratio * ratio * encoder.hidden
    let second = encoder.scales.dropLast().last ?? 0
    // A resampled view exists as rows and as an array while it is handed over.
    let views = 3 * encoder.inputSide * encoder.inputSide + 6 * second * second
    return map + views + encoder.patches * encoder.featureWidth
  }

  private static func transposed(
    _ map: MatrixView<Float>
  ) throws(RuntimeError)
    -> MatrixView<Float>
  {
    let result = try matrix(rows: map.columns, columns: map.rows)
    for row in 0..<map.rows {
      for column in 0..<map.columns { result[column, row] = map[row, column] }
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
