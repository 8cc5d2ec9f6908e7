// SPDX-License-Identifier: Apache-2.0
// Two sets of scores over a vocabulary, compared piece by piece.

import Glibc
import SEATensor

/// Divergence of one position's next-token distributions, taken as the vocabulary streams by.
///
/// With scores a (source) and b (file), and Z their sums of exponentials,
/// `KL = Σ p_a (a − b) − ln Z_a + ln Z_b`. Sums are kept relative to the largest score so far.
package struct LogitComparison: Sendable {
  private var source = Side()
  private var file = Side()
  /// Σ exp(a − largest a) · (a − b).
  private var weighted = 0.0
  private var dot = 0.0

  private struct Side {
    var largest = -Double.infinity
    var top = -1
    var sum = 0.0
    var squares = 0.0
    var isFinite = true

    /// Takes the scores' largest into account; returns the factor for sums so far.
    mutating func raise(_ scores: Span<Float>, first: Int) -> Double {
      var best = largest
      for index in scores.indices {
        let score = Double(scores[index])
        isFinite = isFinite && score.isFinite
        if score > best { (best, top) = (score, first + index) }
      }
      guard best > largest else { return 1 }
      let factor = largest == -.infinity ? 0 : exp(largest - best)
      sum *= factor
      largest = best
      return factor
    }

    var logSum: Double { largest + log(sum) }
  }

  /// A comparison of no scores yet.
  package init() {}

  /// Adds the scores of words `first…`.
  ///
  /// - Precondition: both have the same count; words come in order.
  package mutating func add(source a: Span<Float>, file b: Span<Float>, first: Int) {
    precondition(a.count == b.count, "score counts differ")
    weighted *= source.raise(a, first: first)
    _ = file.raise(b, first: first)
    guard isFinite else { return }
    for index in a.indices {
      let (one, other) = (Double(a[index]), Double(b[index]))
      let mass = exp(one - source.largest)
      source.sum += mass
      weighted += mass * (one - other)
      file.sum += exp(other - file.largest)
      source.squares += one * one
      file.squares += other * other
      dot += one * other
    }
  }

  /// True while no score was NaN or infinite.
  package var isFinite: Bool { source.isFinite && file.isFinite }

  /// Kullback-Leibler divergence of the file's distribution from the source's, in nats.
  package var divergence: Double {
    guard isFinite, source.sum > 0 else { return .infinity }
    // Rounding may leave a hair below zero where the distributions agree.
    return max(0, weighted / source.sum - source.logSum + file.logSum)
  }

  /// Cosine of the two score vectors.
  package var cosine: Double {
    let norms = (source.squares * file.squares).squareRoot()
    guard isFinite else { return 0 }
    return norms > 0 ? min(1, dot / norms) : (source.squares == file.squares ? 1 : 0)
  }

  /// True when both put the same word first (the first of equals).
  package var agrees: Bool { isFinite && source.top == file.top }
}
