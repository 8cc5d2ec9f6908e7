// SPDX-License-Identifier: Apache-2.0
// Rotary positions: the gradient of a rotation is the rotation back.

import Glibc
package import SEATensor

/// Angles of positions `0…`; rotates the half-split pairs of every head in place.
package struct Rotary {
  private let headDim: Int
  private let cosines: MatrixView<Float>
  private let sines: MatrixView<Float>
  private let negatedSines: MatrixView<Float>

  /// The angles of `positions` positions, each step rounded to f32 as PyTorch rounds it.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  package init(headDim: Int, theta: Double, positions: Int) throws(LayerError) {
    self.headDim = headDim
    let pairs = headDim / 2
    let frequencies: [Float] = (0..<pairs).map { pair in
      1 / Float(pow(theta, Double(Float(2 * pair) / Float(headDim))))
    }
    cosines = try allocate(rows: positions, columns: pairs)
    sines = try allocate(rows: positions, columns: pairs)
    negatedSines = try allocate(rows: positions, columns: pairs)
    for position in 0..<positions {
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(Float(position) * frequency)
        cosines[position, pair] = Float(cos(angle))
        sines[position, pair] = Float(sin(angle))
        negatedSines[position, pair] = -Float(sin(angle))
      }
    }
  }

  /// Positions that there are angles for.
  package var positions: Int { cosines.rows }

  /// Rotates the heads of each sequence's rows, positions from 0; back for gradients.
  package func rotate(
    _ x: MatrixView<Float>,
    sequences: [Range<Int>],
    isBackward: Bool = false,
    _ context: LayerContext
  ) {
    let execution = context.execution
    let sines = isBackward ? negatedSines : sines
    for sequence in sequences {
      execution.share(sequence.count, grain: 8) { part in
        execution.kernels.inference.rotary(
          x.rows(sequence.lowerBound + part.lowerBound..<sequence.lowerBound + part.upperBound),
          headDim: headDim,
          cosines: cosines.rows(part),
          sines: sines.rows(part)
        )
      }
    }
  }
}
