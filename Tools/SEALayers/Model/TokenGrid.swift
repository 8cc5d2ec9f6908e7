// SPDX-License-Identifier: Apache-2.0
// Features as cells of a grid, and visual tokens as its lines.

import SEAModel
import SEATensor

/// The grid of an adapter that has one.
///
/// Features are resampled before the layers (bilinear, half-pixel centres), lines are ended by the
/// learned row after them. In training no cell is cut.
///
/// Source: reference.md C.3; Cambrian `siglip_encoder.py`, `cambrian_arch.py`.
struct TokenGrid {
  /// Cells along one side.
  let side: Int
  /// Features along one side.
  private let source: Int
  private let hasNewline: Bool
  private let taps: [Tap]

  /// Where one output position lies between two input positions.
  private struct Tap {
    let places: [(index: Int, weight: Float)]

    /// Source: PyTorch `interpolate(mode="bilinear", align_corners=False)`.
    init(_ position: Int, of count: Int, from source: Int) {
      let scale = Float(source) / Float(count)
      let center = max(scale * (Float(position) + 0.5) - 0.5, 0)
      let near = min(Int(center), source - 1)
      let weight = center - Float(near)
      places = [(near, 1 - weight), (min(near + 1, source - 1), weight)]
    }
  }

  /// The grid of a picture with so many features.
  ///
  /// - Throws: `LayerError.input` when the features form no square.
  init(_ adapter: AdapterDescription, features: Int) throws(LayerError) {
    let source = Int(Double(features).squareRoot())
    guard features > 0, source * source == features else {
      throw .input(what: "the patch features", found: "\(features) rows", expected: "a square grid")
    }
    let side = adapter.grid ?? source
    self.source = source
    self.side = side
    hasNewline = adapter.hasNewline
    taps = (0..<side).map { Tap($0, of: side, from: source) }
  }

  /// Rows that pass the layers.
  var cells: Int { side * side }
  /// Tokens of a line.
  private var line: Int { side + (hasNewline ? 1 : 0) }
  /// Visual tokens of a picture.
  var tokens: Int { side * line }

  /// `cells = Σ weight · features`, four features a cell.
  func resample(
    _ features: MatrixView<Float>,
    into cells: MatrixView<Float>,
    _ context: LayerContext
  ) {
    guard side != source else {
      cells.copy(from: features)
      return
    }
    let kernels = context.execution.kernels
    context.execution.share(side) { lines in
      for row in lines {
        for column in 0..<side {
          let cell = cells.rows(row * side + column..<row * side + column + 1)
          cell.fill(0)
          visit(row, column) { feature, weight in
            kernels.add(features.rows(feature..<feature + 1), times: weight, to: cell)
          }
        }
      }
    }
  }

  /// `dfeatures = Σ weight · dcells` over the cells that a feature went into, in order.
  func resampleBackward(
    _ dcells: MatrixView<Float>,
    into dfeatures: MatrixView<Float>,
    _ context: LayerContext
  ) {
    guard side != source else {
      dfeatures.copy(from: dcells)
      return
    }
    let kernels = context.execution.kernels
    dfeatures.fill(0)
    context.execution.share((dcells.columns + 63) / 64) { range in
      let columns = range.lowerBound * 64..<min(range.upperBound * 64, dcells.columns)
      for cell in 0..<cells {
        let gradient = dcells.rows(cell..<cell + 1).columns(columns)
        visit(cell / side, cell % side) { feature, weight in
          kernels.add(
            gradient,
            times: weight,
            to: dfeatures.rows(feature..<feature + 1).columns(columns)
          )
        }
      }
    }
  }

  private func visit(_ row: Int, _ column: Int, _ body: (Int, Float) -> Void) {
    for vertical in taps[row].places where vertical.weight != 0 {
      for horizontal in taps[column].places where horizontal.weight != 0 {
        body(vertical.index * source + horizontal.index, vertical.weight * horizontal.weight)
      }
    }
  }

  /// Lines of outputs, each ended by the learned row.
  func arrange(
    _ outputs: MatrixView<Float>,
    newline: MatrixView<Float>?,
    into tokens: MatrixView<Float>
  ) {
    for row in 0..<side {
      tokens.rows(row * line..<row * line + side)
        .copy(from: outputs.rows(row * side..<(row + 1) * side))
      if let newline { tokens.rows(row * line + side..<(row + 1) * line).copy(from: newline) }
    }
  }

  /// Takes the gradients of lines apart; that of the learned row is added to.
  func arrangeBackward(
    _ dtokens: MatrixView<Float>,
    into doutputs: MatrixView<Float>,
    newline: MatrixView<Float>?,
    _ context: LayerContext
  ) {
    for row in 0..<side {
      doutputs.rows(row * side..<(row + 1) * side)
        .copy(from: dtokens.rows(row * line..<row * line + side))
      guard let newline, hasNewline else { continue }
      context.execution.kernels.inference.add(
        dtokens.rows(row * line + side..<(row + 1) * line),
        to: newline
      )
    }
  }
}
