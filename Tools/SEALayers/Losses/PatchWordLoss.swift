// SPDX-License-Identifier: Apache-2.0
// What each patch shows, told by words: a softmax over words for every patch that something is known of.

import Glibc
package import SEATensor

/// The words that each patch shows.
package struct PatchWords: Sendable, Equatable {
  /// Words of all patches, one patch after the other; each names a row of the words.
  package private(set) var words: [Int32] = []
  /// Where each patch's words end.
  package private(set) var ends: [Int] = []
  /// How much each word of a patch counts.
  package private(set) var weights: [Float] = []

  /// No patches.
  package init() {}

  /// Number of patches.
  package var count: Int { ends.count }

  /// The words of a patch.
  package func words(of patch: Int) -> ArraySlice<Int32> {
    words[(patch == 0 ? 0 : ends[patch - 1])..<ends[patch]]
  }

  /// Adds a patch behind the others; without words nothing is known of it.
  package mutating func add(_ words: some Sequence<Int32>, weight: Float) {
    self.words.append(contentsOf: words)
    ends.append(self.words.count)
    weights.append(weight)
  }

  /// Σ weight · words: what the loss is a mean over.
  package var total: Double {
    var start = 0
    var sum = 0.0
    for (end, weight) in zip(ends, weights) {
      sum += Double(weight) * Double(end - start)
      start = end
    }
    return sum
  }
}

/// What the loss found.
package struct PatchWordResult: Sendable, Equatable {
  package var loss = 0.0
  /// dL/d p, where the scale is exp(p); weighted.
  package var logScaleGradient = 0.0
}

/// Every word of a patch against all words that the patch does not show.
///
/// With s_ij = cos(patch i, word j) · exp(p), P_i the words of patch i, N_i the others and c_i its weight
/// over the sum of weight · words:
///
///     loss = Σ_i c_i Σ_{p ∈ P_i} -log( exp s_ip / (exp s_ip + Σ_{n ∈ N_i} exp s_in) )
///
/// A patch's own words do not compete: a red boat is as red as it is a boat. Similarities are f32 whatever
/// the precision of the execution. Gradients are added to `dpatches` and `dwords`.
package struct PatchWordLoss {
  private let execution: TrainingExecution

  /// Rows whose similarities exist at a time.
  private static let block = 512
  /// Stands for a score that takes no part.
  private static let absent: Float = -1e30

  /// A loss on an execution.
  package init(on execution: TrainingExecution) { self.execution = execution }

  /// Loss and gradients.
  ///
  /// - Parameters:
  ///   - patches: `[patches, width]`.
  ///   - words: `[words, width]`.
  ///   - shown: the words of each patch, fewer than there are words.
  ///   - logScale: p.
  ///   - weight: multiplies every gradient, not the returned loss.
  ///   - dpatches: dL/d patches is added.
  ///   - dwords: dL/d words is added.
  /// - Returns: the loss and the weighted gradient of p.
  /// - Throws: `LayerError.input` for shapes and words that do not fit, `.file` when memory cannot be had.
  package func run(
    _ patches: MatrixView<Float>,
    _ words: MatrixView<Float>,
    shown: PatchWords,
    logScale: Float,
    weight: Float = 1,
    dpatches: MatrixView<Float>,
    dwords: MatrixView<Float>
  ) throws(LayerError) -> PatchWordResult {
    try check(patches, words, shown)
    var result = PatchWordResult()
    let total = shown.total
    guard total > 0 else { return result }
    let scale = Float(exp(Double(logScale)))
    let units = (
      patches: try UnitRows(patches, on: execution), words: try UnitRows(words, on: execution)
    )
    let du: MatrixView<Float> = try allocate(rows: patches.rows, columns: patches.columns)
    let dw: MatrixView<Float> = try allocate(rows: words.rows, columns: words.columns)
    let height = min(Self.block, patches.rows)
    let room = BlockRoom(
      g: try allocate(rows: height, columns: words.rows),
      s: try allocate(rows: height, columns: words.rows),
      statistics: try allocate(rows: 4, columns: height),
      losses: try allocate(rows: height, columns: 1)
    )
    for start in stride(from: 0, to: patches.rows, by: Self.block) {
      let own = start..<min(start + Self.block, patches.rows)
      let g = room.g.rows(0..<own.count)
      execution.multiply(
        ProductOperand(units.patches.values.rows(own)),
        ProductOperand(units.words.values, transposed: true),
        into: g,
        isExact: true
      )
      let found = score(own, shown, scale: scale, total: total, room)
      result.loss += found.loss
      result.logScaleGradient += found.slope
      execution.multiply(
        ProductOperand(g),
        ProductOperand(units.words.values),
        into: du.rows(own),
        isExact: true
      )
      execution.multiply(
        ProductOperand(g, transposed: true),
        ProductOperand(units.patches.values.rows(own)),
        into: dw,
        accumulates: true,
        isExact: true
      )
    }
    result.logScaleGradient *= Double(weight)
    try units.patches.backward(du, times: weight * scale, addingTo: dpatches, on: execution)
    try units.words.backward(dw, times: weight * scale, addingTo: dwords, on: execution)
    return result
  }

  private struct BlockRoom {
    /// Scores, then their gradients.
    let g: MatrixView<Float>
    /// A copy of the scores.
    let s: MatrixView<Float>
    /// Maxima, sums, factors and products, a row each.
    let statistics: MatrixView<Float>
    let losses: MatrixView<Double>
  }

  private func check(
    _ patches: MatrixView<Float>,
    _ words: MatrixView<Float>,
    _ shown: PatchWords
  ) throws(LayerError) {
    guard patches.rows == shown.count, patches.columns == words.columns else {
      throw .input(
        what: "the patches",
        found: "\(patches.rows)×\(patches.columns)",
        expected: "\(shown.count)×\(words.columns)"
      )
    }
    for patch in 0..<shown.count {
      let own = shown.words(of: patch)
      let isSound = own.allSatisfy { $0 >= 0 && Int($0) < words.rows }
      guard isSound, own.count < words.rows, Set(own).count == own.count else {
        throw .input(
          what: "the words of patch \(patch)",
          found: "\(own)",
          expected: "different ones, not all, of \(words.rows)"
        )
      }
    }
  }

  /// Turns cosines in `room.g` into d loss / d score, row by row.
  ///
  /// The words shown are taken out of the row, so that maximum and sum are those of the others.
  private func score(
    _ own: Range<Int>,
    _ shown: PatchWords,
    scale: Float,
    total: Double,
    _ room: BlockRoom
  ) -> (loss: Double, slope: Double) {
    let kernels = execution.kernels
    let (g, s) = (room.g.rows(0..<own.count), room.s.rows(0..<own.count))
    let columns = 0..<own.count
    let maxima = room.statistics.rows(0..<1).columns(columns)
    let sums = room.statistics.rows(1..<2).columns(columns)
    let factors = room.statistics.rows(2..<3).columns(columns)
    let products = room.statistics.rows(3..<4).columns(columns)
    maxima.fill(-.infinity)
    sums.fill(0)
    execution.share(own.count) { rows in
      kernels.inference.scale(g.rows(rows), by: scale)
      s.rows(rows).copy(from: g.rows(rows))
      for row in rows {
        for word in shown.words(of: own.lowerBound + row) { g[row, Int(word)] = Self.absent }
      }
      kernels.softmaxUpdate(g.rows(rows), maxima: maxima.columns(rows), sums: sums.columns(rows))
      for row in rows {
        let share = Double(shown.weights[own.lowerBound + row]) / total
        let maximum = Double(maxima[0, row])
        var (loss, factor) = (0.0, 0.0)
        for word in shown.words(of: own.lowerBound + row) {
          let all = Self.logSum(s[row, Int(word)], maximum, sums[0, row])
          loss += all - Double(s[row, Int(word)])
          factor += exp(maximum - all)
        }
        room.losses[row, 0] = share * loss
        factors[0, row] = Float(share * factor)
      }
      kernels.softmaxFinish(
        g.rows(rows),
        maxima: maxima.columns(rows),
        factors: factors.columns(rows)
      )
      for row in rows {
        let share = Double(shown.weights[own.lowerBound + row]) / total
        for word in shown.words(of: own.lowerBound + row) {
          // What a word gets is what it takes from the others: 1 less its own probability.
          let all = Self.logSum(s[row, Int(word)], Double(maxima[0, row]), sums[0, row])
          let others = Double(sums[0, row]) * exp(Double(maxima[0, row]) - all)
          g[row, Int(word)] = Float(-share * others)
        }
      }
      kernels.rowProducts(g.rows(rows), s.rows(rows), into: products.columns(rows))
    }
    var (loss, slope) = (0.0, 0.0)
    for row in 0..<own.count {
      loss += room.losses[row, 0]
      slope += Double(products[0, row])
    }
    return (loss, slope)
  }

  /// `log(exp score + sum · exp maximum)`.
  private static func logSum(_ score: Float, _ maximum: Double, _ sum: Float) -> Double {
    let top = max(Double(score), maximum)
    return top + log(exp(Double(score) - top) + Double(sum) * exp(maximum - top))
  }
}
