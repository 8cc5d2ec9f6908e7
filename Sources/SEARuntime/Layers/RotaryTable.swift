// SPDX-License-Identifier: Apache-2.0
// Angles of the rotary positions.

import Glibc
package import SEATensor

/// Cosines and sines of some positions.
package struct RotaryAngles {
  /// `[tokens, headDim / 2]`.
  package let cosines: MatrixView<Float>
  /// `[tokens, headDim / 2]`.
  package let sines: MatrixView<Float>

  /// Room for the angles of `tokens` positions.
  ///
  /// - Throws: `FileError.outOfMemory`.
  package init(tokens: Int, headDim: Int) throws(FileError) {
    self.init(
      cosines: try MatrixView(rows: tokens, columns: headDim / 2),
      sines: try MatrixView(rows: tokens, columns: headDim / 2)
    )
  }

  init(cosines: MatrixView<Float>, sines: MatrixView<Float>) {
    self.cosines = cosines
    self.sines = sines
  }

  func rows(_ range: Range<Int>) -> RotaryAngles {
    RotaryAngles(cosines: cosines.rows(range), sines: sines.rows(range))
  }
}

/// The frequencies of one head dim.
///
/// `frequency[j] = 1 / theta^(2j / headDim)` and `angle = position · frequency`, each step rounded to
/// f32 as PyTorch rounds it; the cosine and the sine of that angle are exact to the last bit or so.
package struct RotaryTable: Sendable {
  private let frequencies: [Float]

  /// The frequencies for pairs of a head.
  package init(headDim: Int, theta: Double) {
    frequencies = (0..<headDim / 2).map { pair in
      let exponent = Float(2 * pair) / Float(headDim)
      return 1 / Float(pow(theta, Double(exponent)))
    }
  }

  /// Writes the angles of positions `first…`, a row each.
  package func fill(_ angles: RotaryAngles, first: Int, on execution: Execution) {
    let work = RotaryWork(frequencies: frequencies, angles: angles, first: first)
    execution.pool.run(work, pieces: work.pieces)
  }
}

private struct RotaryWork: ParallelWork {
  let frequencies: [Float]
  let angles: RotaryAngles
  let first: Int

  static let rows = 16

  var pieces: Int { (angles.cosines.rows + Self.rows - 1) / Self.rows }

  func run(piece: Int, worker: Int) {
    for row in piece * Self.rows..<min((piece + 1) * Self.rows, angles.cosines.rows) {
      let position = Float(first + row)
      angles.cosines.withRow(row) { (cosines: consuming MutableSpan<Float>) in
        for j in frequencies.indices {
          cosines[j] = Float(cos(Double(position * frequencies[j])))
        }
      }
      angles.sines.withRow(row) { (sines: consuming MutableSpan<Float>) in
        for j in frequencies.indices { sines[j] = Float(sin(Double(position * frequencies[j]))) }
      }
    }
  }
}
