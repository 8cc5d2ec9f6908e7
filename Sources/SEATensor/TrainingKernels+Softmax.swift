// SPDX-License-Identifier: Apache-2.0
// Training kernels of softmax: attention scores and logits.

internal import CSIMD

/// Which keys the queries of a block of scores see.
package struct ScoreMask: Sendable, Equatable {
  /// Position of row 0.
  package var firstQuery: Int
  /// Position of column 0.
  package var firstKey: Int
  /// Queries see positions up to their own.
  package var isCausal: Bool
  /// Keys that a query sees at most; 0: no limit.
  package var window: Int

  /// A mask for a block of queries and keys.
  package init(firstQuery: Int, firstKey: Int, isCausal: Bool, window: Int) {
    precondition(firstQuery >= 0 && firstKey >= 0 && window >= 0, "negative position")
    self.firstQuery = firstQuery
    self.firstKey = firstKey
    self.isCausal = isCausal
    self.window = window
  }
}

extension TrainingKernels {
  /// Scores become probabilities; maxima and inverse sums of the rows (`[1, queries]`) are saved.
  package func attentionSoftmax(
    _ scores: MatrixView<Float>,
    scale: Float,
    mask: ScoreMask,
    maxima: MatrixView<Float>,
    inverses: MatrixView<Float>
  ) {
    check(scores, maxima, inverses)
    guard scores.rows > 0 else { return }
    var argument = unsafe arguments(scores, scale, mask)
    unsafe table.pointee.attention_softmax(&argument, maxima.base, inverses.base)
  }

  /// The same probabilities from saved maxima and inverse sums.
  package func attentionProbabilities(
    _ scores: MatrixView<Float>,
    scale: Float,
    mask: ScoreMask,
    maxima: MatrixView<Float>,
    inverses: MatrixView<Float>
  ) {
    check(scores, maxima, inverses)
    guard scores.rows > 0 else { return }
    var argument = unsafe arguments(scores, scale, mask)
    unsafe table.pointee.attention_probabilities(&argument, maxima.base, inverses.base)
  }

  /// `d = p · (d - delta) · factor`, `delta` one value a row (`[1, rows]`).
  package func softmaxBackward(
    _ p: MatrixView<Float>,
    _ d: MatrixView<Float>,
    delta: MatrixView<Float>,
    factor: Float
  ) {
    checkSameShape(p, d)
    precondition(delta.rows == 1 && delta.columns == p.rows, "delta does not fit")
    guard p.rows > 0 else { return }
    unsafe table.pointee.softmax_backward(
      p.base,
      p.stride,
      d.base,
      d.stride,
      p.rows,
      p.columns,
      delta.base,
      factor
    )
  }

  /// Takes another block of columns into the rows' running maxima and sums of exponentials
  /// (`[1, rows]`), which start as -∞ and 0.
  package func softmaxUpdate(
    _ x: MatrixView<Float>,
    maxima: MatrixView<Float>,
    sums: MatrixView<Float>
  ) {
    check(x, maxima, sums)
    guard x.rows > 0, x.columns > 0 else { return }
    unsafe table.pointee.softmax_update(
      x.base,
      x.stride,
      x.rows,
      x.columns,
      maxima.base,
      sums.base
    )
  }

  /// `x[i] = exp(x[i] - maxima[i]) · factors[i]`.
  package func softmaxFinish(
    _ x: MatrixView<Float>,
    maxima: MatrixView<Float>,
    factors: MatrixView<Float>
  ) {
    check(x, maxima, factors)
    guard x.rows > 0 else { return }
    unsafe table.pointee.softmax_finish(
      x.base,
      x.stride,
      x.rows,
      x.columns,
      maxima.base,
      factors.base
    )
  }

  private func check(
    _ x: MatrixView<Float>,
    _ first: MatrixView<Float>,
    _ second: MatrixView<Float>
  ) {
    precondition(
      first.rows == 1 && second.rows == 1 && first.columns == x.rows && second.columns == x.rows,
      "\(first.columns) and \(second.columns) values for \(x.rows) rows"
    )
  }

  @unsafe private func arguments(
    _ scores: MatrixView<Float>,
    _ scale: Float,
    _ mask: ScoreMask
  ) -> csimd_scores {
    unsafe csimd_scores(
      s: scores.base,
      stride: scores.stride,
      queries: scores.rows,
      keys: scores.columns,
      first_query: mask.firstQuery,
      first_key: mask.firstKey,
      window: mask.window,
      scale: scale,
      causal: mask.isCausal
    )
  }
}
