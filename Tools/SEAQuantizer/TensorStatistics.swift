// SPDX-License-Identifier: Apache-2.0
// How far stored weights are from the weights they were made of.

import Glibc

/// Sums over the values of a tensor, `w` as given and `s` as stored.
///
/// Values that are NaN or infinite are counted and left out of every sum.
package struct TensorStatistics: Sendable, Equatable {
  /// Values that are NaN or infinite in the source.
  package var nonFinite = 0
  /// Σ (w − s)².
  package var squaredError = 0.0
  /// Σ w².
  package var squaredSum = 0.0
  /// Σ s².
  package var storedSquaredSum = 0.0
  /// max |w − s|.
  package var maximumError = 0.0

  /// The statistics of no values.
  package init() {}

  /// Error relative to the weights, √(Σ (w − s)² / Σ w²); 0 when all weights are 0.
  package var relativeError: Double {
    squaredSum > 0 ? (squaredError / squaredSum).squareRoot() : 0
  }

  /// Cosine of the angle between the tensor and its stored form; 1 when both are 0.
  package var cosine: Double {
    let norms = (squaredSum * storedSquaredSum).squareRoot()
    guard norms > 0 else { return squaredSum == storedSquaredSum ? 1 : 0 }
    // 2 w·s = |w|² + |s|² − |w − s|²
    return min(1, (squaredSum + storedSquaredSum - squaredError) / (2 * norms))
  }

  /// Signal-to-noise ratio in dB, or nil when the stored values are exact.
  package var decibels: Double? {
    squaredError > 0 && squaredSum > 0 ? 10 * log10(squaredSum / squaredError) : nil
  }

  /// Adds the values of another piece; the order of pieces decides the rounding of the sums.
  mutating func add(_ other: TensorStatistics) {
    nonFinite += other.nonFinite
    squaredError += other.squaredError
    squaredSum += other.squaredSum
    storedSquaredSum += other.storedSquaredSum
    maximumError = max(maximumError, other.maximumError)
  }

  /// Adds a row; both spans are finite and equally long.
  mutating func add(_ given: Span<Float>, stored: Span<Float>) {
    precondition(given.count == stored.count, "rows of different lengths")
    // Eight lanes in a fixed order: fast without leaving the rounding to the optimiser.
    var error = SIMD8<Double>.zero
    var sum = SIMD8<Double>.zero
    var storedSum = SIMD8<Double>.zero
    var largest = SIMD8<Float>.zero
    var index = 0
    while index + 8 <= given.count {
      var w = SIMD8<Float>()
      var s = SIMD8<Float>()
      for lane in 0..<8 {
        w[lane] = given[index + lane]
        s[lane] = stored[index + lane]
      }
      Self.add(w, s, &error, &sum, &storedSum, &largest)
      index += 8
    }
    if index < given.count {
      var w = SIMD8<Float>.zero
      var s = SIMD8<Float>.zero
      for lane in 0..<given.count - index {
        w[lane] = given[index + lane]
        s[lane] = stored[index + lane]
      }
      Self.add(w, s, &error, &sum, &storedSum, &largest)
    }
    squaredError += error.sum()
    squaredSum += sum.sum()
    storedSquaredSum += storedSum.sum()
    maximumError = max(maximumError, Double(largest.max()))
  }

  @inline(__always)
  private static func add(
    _ w: SIMD8<Float>,
    _ s: SIMD8<Float>,
    _ error: inout SIMD8<Double>,
    _ sum: inout SIMD8<Double>,
    _ storedSum: inout SIMD8<Double>,
    _ largest: inout SIMD8<Float>
  ) {
    let given = SIMD8<Double>(w)
    let stored = SIMD8<Double>(s)
    let lost = given - stored
    error += lost * lost
    sum += given * given
    storedSum += stored * stored
    let magnitude = (w - s).replacing(with: s - w, where: w .< s)
    largest.replace(with: magnitude, where: magnitude .> largest)
  }
}
