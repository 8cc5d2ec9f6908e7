// SPDX-License-Identifier: Apache-2.0
// The best words of every patch, without ever holding all scores.

package import SEARuntime
package import SEATensor

/// Finds for each patch the words with the highest positive scores.
///
/// The integer product of a tile of words with some patches leaves approximate scores in cache. A score
/// is off by at most `‖v‖ · ‖w − w'‖ + ‖v − v'‖ · ‖w'‖`, where w is a word without the mean of all words,
/// whose share of the score is known, and a prime marks what int8 keeps. Only words that could still be
/// among the best are then scored in f32. So the result is exactly that of scoring every word in f32,
/// and it is the same for any number of threads.
package struct Matcher: Sendable {
  /// The words.
  package let words: WordMatrix
  /// Words kept of each patch at most.
  package let topN: Int
  private let execution: Execution

  /// Most words of a patch: a label file counts them in a byte.
  package static let maximumTopN = 255

  /// A matcher.
  ///
  /// - Precondition: `topN` is in 1...`maximumTopN`.
  package init(_ words: WordMatrix, topN: Int, on execution: Execution) {
    precondition((1...Self.maximumTopN).contains(topN), "top-n of \(topN)")
    self.words = words
    self.topN = topN
    self.execution = execution
  }

  /// The best words of every row.
  ///
  /// - Parameters:
  ///   - patches: `[patches, joint]`, rows of length 1.
  ///   - sign: −1 multiplies every cosine.
  /// - Returns: words by falling score; of equal scores the lower index first; none that is not > 0.
  /// - Throws: `FileError.outOfMemory`.
  /// - Complexity: `patches · words · joint` multiply-adds in int8, and memory for one tile a thread.
  package func match(
    _ patches: MatrixView<Float>,
    sign: ScoreSign
  ) throws(FileError) -> PatchMatches {
    precondition(patches.columns == words.width, "patches and words are of different spaces")
    let signed = try MatrixView<Float>(rows: patches.rows, columns: patches.columns)
    signed.copy(from: patches)
    if sign == .negative { execution.kernels.scale(signed, by: -1) }
    let result = try PatchMatches(patches: patches.rows, topN: topN)
    let block = blockRows(patches.rows)
    let work = MatchWork(
      kernels: execution.kernels,
      words: words,
      patches: signed,
      quantized: try QuantizedPatches(signed, group: words.packed.group, with: execution.kernels),
      offsets: words.offsets(signed),
      block: block,
      result: result,
      scratch: try (0..<execution.pool.threads).map { _ throws(FileError) in
        try MatchScratch(rows: block)
      }
    )
    execution.pool.run(work, pieces: (patches.rows + block - 1) / block)
    return result
  }

  /// The integer product alone, whose scores nobody looks at: what matching cannot be faster than.
  ///
  /// - Throws: `FileError.outOfMemory`.
  package func multiplyOnly(_ patches: MatrixView<Float>) throws(FileError) {
    let block = blockRows(patches.rows)
    let work = ProductWork(
      kernels: execution.kernels,
      words: words,
      quantized: try QuantizedPatches(patches, group: words.packed.group, with: execution.kernels),
      block: block,
      scratch: try (0..<execution.pool.threads).map { _ throws(FileError) in
        try MatchScratch(rows: block)
      }
    )
    execution.pool.run(work, pieces: (patches.rows + block - 1) / block)
  }

  /// Rows of a piece: all threads busy, codes and scores in the second cache, whole register tiles.
  private func blockRows(_ patches: Int) -> Int {
    let threads = execution.pool.threads
    let rounds = max(1, (patches + threads * Self.maximumBlock - 1) / (threads * Self.maximumBlock))
    let rows = (patches + threads * rounds - 1) / (threads * rounds)
    return max(Self.tileRows, (rows + Self.tileRows - 1) / Self.tileRows * Self.tileRows)
  }

  private static let tileRows = 12
  private static let maximumBlock = 288
}

/// The best words of every patch of a picture.
package struct PatchMatches: Sendable {
  /// Words kept at most.
  package let topN: Int
  /// `[patches, topN]`, the first `count` of each row are set.
  let indices: MatrixView<UInt32>
  let scores: MatrixView<Float>
  let counts: MatrixView<Int32>

  init(patches: Int, topN: Int) throws(FileError) {
    self.topN = topN
    indices = try MatrixView(rows: patches, columns: topN)
    scores = try MatrixView(rows: patches, columns: topN)
    counts = try MatrixView(rows: patches, columns: 1)
  }

  /// Number of patches.
  package var patches: Int { counts.rows }

  /// Words of a patch.
  package func count(_ patch: Int) -> Int { Int(counts[patch, 0]) }

  /// The word in place `rank` of a patch, and its score.
  ///
  /// - Precondition: `rank` is below the patch's count.
  package func word(_ patch: Int, rank: Int) -> (index: Int, score: Float) {
    precondition(rank < count(patch), "rank \(rank) of \(count(patch))")
    return (Int(indices[patch, rank]), scores[patch, rank])
  }

  /// Puts a word in its place if it is among the best: higher scores first, then lower indices.
  func insert(_ index: UInt32, _ score: Float, patch: Int) {
    guard score > 0 else { return }
    var place = count(patch)
    if place == topN {
      guard isBefore(score, index, patch, topN - 1) else { return }
      place -= 1
    } else {
      counts[patch, 0] += 1
    }
    while place > 0, isBefore(score, index, patch, place - 1) {
      indices[patch, place] = indices[patch, place - 1]
      scores[patch, place] = scores[patch, place - 1]
      place -= 1
    }
    indices[patch, place] = index
    scores[patch, place] = score
  }

  private func isBefore(_ score: Float, _ index: UInt32, _ patch: Int, _ rank: Int) -> Bool {
    let other = scores[patch, rank]
    return score > other || score == other && index < indices[patch, rank]
  }

  /// What a word must reach to be kept.
  func limit(_ patch: Int) -> Float {
    count(patch) == topN ? scores[patch, topN - 1] : 0
  }
}

/// Patches in int8, and how far each is from its int8 form.
struct QuantizedPatches: Sendable {
  let activations: PackedActivations
  /// ‖v − v'‖ of every patch, rounded up.
  let errors: [Float]

  init(_ patches: MatrixView<Float>, group: Int, with kernels: Kernels) throws(FileError) {
    // An odd number of cache lines a row: the rows of a tile lie in different cache sets.
    let stride = (group + 63) / 64 | 1
    let buffer = try AlignedBuffer(byteCount: patches.rows * stride * 64)
    let activations = PackedActivations(
      codes: buffer.matrix(rows: patches.rows, columns: group, stride: stride * 64),
      scales: try MatrixView(rows: patches.rows, columns: 1),
      sums: try MatrixView(rows: patches.rows, columns: 1)
    )
    kernels.quantize(patches, group: group, into: activations)
    errors = (0..<patches.rows).map { row in
      let scale = Double(activations.scales[row, 0])
      let sum = patches.withRow(row) { exact in
        activations.codes.withRow(row) { codes in
          var sum = 0.0
          for index in exact.indices {
            let difference = Double(exact[index]) - scale * Double(codes[index])
            sum += difference * difference
          }
          return sum
        }
      }
      return Float(sum.squareRoot()).nextUp
    }
    self.activations = activations
  }
}

/// Memory of one thread.
private struct MatchScratch: Sendable {
  let scores: MatrixView<Float>
  let thresholds: MatrixView<Float>
  let positions: MatrixView<UInt32>
  let chosen: MatrixView<UInt32>
  let exact: MatrixView<Float>

  init(rows: Int) throws(FileError) {
    let columns = WordMatrix.tilePanels * PackedMatrix.panelRows
    scores = try MatrixView(rows: rows, columns: columns)
    thresholds = try MatrixView(rows: 1, columns: rows)
    positions = try MatrixView(rows: 1, columns: rows * columns)
    chosen = try MatrixView(rows: 1, columns: columns)
    exact = try MatrixView(rows: 1, columns: columns)
  }
}

/// Matches a block of patches a piece with all words.
private struct MatchWork: ParallelWork {
  let kernels: Kernels
  let words: WordMatrix
  let patches: MatrixView<Float>
  let quantized: QuantizedPatches
  /// What the words' centre adds to the scores of each patch.
  let offsets: [Float]
  let block: Int
  let result: PatchMatches
  let scratch: [MatchScratch]

  /// Room for the rounding of both products: 16 lanes of up to 4,096 terms and one of the epilogue.
  private static let rounding: Float = 3e-5

  func run(piece: Int, worker: Int) {
    let rows = piece * block..<min((piece + 1) * block, patches.rows)
    let activations = quantized.activations.rows(rows)
    let scratch = scratch[worker]
    for tile in 0..<words.tiles {
      let panels = words.panels(ofTile: tile)
      let first = panels.lowerBound * PackedMatrix.panelRows
      let matrix = words.packed.panels(panels)
      let scores = scratch.scores.rows(0..<rows.count).columns(0..<matrix.rows)
      kernels.multiply(
        activations,
        matrix,
        panels: 0..<matrix.panels,
        bias: nil,
        into: scores
      )
      let error = words.tileErrors[tile]
      let length = words.tileLengths[tile] + error
      for (index, row) in rows.enumerated() {
        let margin = error + quantized.errors[row] * length + Self.rounding
        scratch.thresholds[0, index] = result.limit(row) - offsets[row] - margin
      }
      let count = kernels.select(scores, above: scratch.thresholds, into: scratch.positions)
      score(count, first: first, columns: matrix.rows, rows: rows, scratch)
    }
  }

  /// Scores what was selected, patch by patch, in f32.
  private func score(
    _ count: Int,
    first: Int,
    columns: Int,
    rows: Range<Int>,
    _ scratch: MatchScratch
  ) {
    var next = 0
    while next < count {
      let patch = Int(scratch.positions[0, next]) / columns
      var chosen = 0
      while next < count, Int(scratch.positions[0, next]) / columns == patch {
        let column = Int(scratch.positions[0, next]) - patch * columns
        scratch.chosen[0, chosen] = UInt32(first + column)
        chosen += 1
        next += 1
      }
      let row = rows.lowerBound + patch
      let exact = scratch.exact.columns(0..<chosen)
      kernels.multiply(
        patches.rows(row..<row + 1),
        words.exact,
        chosen: scratch.chosen,
        into: exact
      )
      for index in 0..<chosen where exact[0, index] >= result.limit(row) {
        result.insert(scratch.chosen[0, index], exact[0, index], patch: row)
      }
    }
  }
}

/// The product of a block of patches a piece with all words, tile by tile.
private struct ProductWork: ParallelWork {
  let kernels: Kernels
  let words: WordMatrix
  let quantized: QuantizedPatches
  let block: Int
  let scratch: [MatchScratch]

  func run(piece: Int, worker: Int) {
    let rows = piece * block..<min((piece + 1) * block, quantized.activations.tokens)
    for tile in 0..<words.tiles {
      let matrix = words.packed.panels(words.panels(ofTile: tile))
      kernels.multiply(
        quantized.activations.rows(rows),
        matrix,
        panels: 0..<matrix.panels,
        bias: nil,
        into: scratch[worker].scores.rows(0..<rows.count).columns(0..<matrix.rows)
      )
    }
  }
}
