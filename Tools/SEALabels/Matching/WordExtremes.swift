// SPDX-License-Identifier: Apache-2.0
// The highest and the lowest cosine of every word with any patch of a picture.

package import SEARuntime
package import SEATensor

/// How well each word fits its best patch, for both signs, to the precision of the integer product.
package struct WordExtremes: Sendable {
  /// `[words]`: the highest cosine.
  package let highest: [Float]
  /// `[words]`: the lowest cosine.
  package let lowest: [Float]

  /// The extremes over the rows of `patches`, each of length 1.
  ///
  /// - Throws: `FileError.outOfMemory`.
  package init(
    _ patches: MatrixView<Float>,
    _ words: WordMatrix,
    on execution: Execution
  ) throws(FileError) {
    let columns = WordMatrix.tilePanels * PackedMatrix.panelRows
    let work = ExtremesWork(
      kernels: execution.kernels,
      words: words,
      quantized: try QuantizedPatches(
        patches,
        group: words.packed.group,
        with: execution.kernels
      ),
      offsets: words.offsets(patches),
      scores: try (0..<execution.pool.threads).map { _ throws(FileError) in
        try MatrixView(rows: patches.rows, columns: columns)
      },
      extremes: try MatrixView(rows: 2, columns: words.count)
    )
    execution.pool.run(work, pieces: words.tiles)
    highest = work.extremes.rows(0..<1).array()
    lowest = work.extremes.rows(1..<2).array()
  }

  /// The rank, from 1, of a word among all words by the score of its best patch.
  ///
  /// Words with the same score share the middle of their places.
  package func rank(_ word: Int, sign: ScoreSign) -> Double {
    var (above, equal) = (0, 0)
    switch sign {
    case .positive:
      let own = highest[word]
      for score in highest { if score > own { above += 1 } else if score == own { equal += 1 } }
    case .negative:
      let own = lowest[word]
      for score in lowest { if score < own { above += 1 } else if score == own { equal += 1 } }
    }
    return Double(above) + Double(equal + 1) / 2
  }
}

/// One tile of words a piece.
private struct ExtremesWork: ParallelWork {
  let kernels: Kernels
  let words: WordMatrix
  let quantized: QuantizedPatches
  let offsets: [Float]
  let scores: [MatrixView<Float>]
  let extremes: MatrixView<Float>

  func run(piece: Int, worker: Int) {
    let panels = words.panels(ofTile: piece)
    let matrix = words.packed.panels(panels)
    let first = panels.lowerBound * PackedMatrix.panelRows
    let tile = scores[worker].columns(0..<matrix.rows)
    kernels.multiply(
      quantized.activations,
      matrix,
      panels: 0..<matrix.panels,
      bias: nil,
      into: tile
    )
    var highest = [Float](repeating: -.infinity, count: matrix.rows)
    var lowest = [Float](repeating: .infinity, count: matrix.rows)
    for row in 0..<tile.rows {
      let offset = offsets[row]
      tile.withRow(row) { scores in
        for index in scores.indices {
          let score = scores[index] + offset
          if score > highest[index] { highest[index] = score }
          if score < lowest[index] { lowest[index] = score }
        }
      }
    }
    let columns = first..<first + matrix.rows
    extremes.rows(0..<1).columns(columns).copy(from: highest)
    extremes.rows(1..<2).columns(columns).copy(from: lowest)
  }
}
