// SPDX-License-Identifier: Apache-2.0
// How sure a score is: intervals and the paired test.

internal import Glibc

/// A range that holds the true value in 95 of 100 repetitions.
package struct Interval: Sendable, Equatable {
  package let low: Double
  package let high: Double
  /// `wilson` or `bootstrap`.
  package let method: String
}

/// The arithmetic of uncertainty.
package enum Statistics {
  /// The 97.5 % point of the normal distribution.
  private static let z = 1.959963984540054

  /// Wilson's interval of a share.
  ///
  /// `(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)`
  ///
  /// - Parameters:
  ///   - hits: successes.
  ///   - count: trials; without any the interval is everything.
  /// - Returns: bounds between 0 and 1.
  package static func wilson(hits: Int, count: Int) -> Interval {
    guard count > 0 else { return Interval(low: 0, high: 1, method: "wilson") }
    let n = Double(count)
    let share = Double(hits) / n
    let middle = share + z * z / (2 * n)
    let spread = z * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
    let scale = 1 + z * z / n
    return Interval(
      low: max((middle - spread) / scale, 0),
      high: min((middle + spread) / scale, 1),
      method: "wilson"
    )
  }

  /// Resamplings of a bootstrap.
  private static let resamplings = 1000

  /// The percentile interval of a statistic over resampled items, always with the same draws.
  ///
  /// - Parameters:
  ///   - strata: items of each group, resampled within their group.
  ///   - statistic: of one resampling: the drawn indices of each group.
  /// - Returns: the 2.5 and 97.5 % points.
  package static func bootstrap(
    strata: [Int],
    statistic: ([[Int]]) -> Double
  ) -> Interval {
    var random = Draws(state: 0x5ea)
    var values: [Double] = []
    for _ in 0..<resamplings {
      values.append(
        statistic(strata.map { count in (0..<count).map { _ in random.below(count) } })
      )
    }
    values.sort()
    return Interval(
      low: percentile(values, 0.025),
      high: percentile(values, 0.975),
      method: "bootstrap"
    )
  }

  /// The bootstrap interval of a mean.
  package static func bootstrap(meanOf values: [Double]) -> Interval {
    guard !values.isEmpty else { return Interval(low: 0, high: 1, method: "bootstrap") }
    return bootstrap(strata: [values.count]) { drawn in
      drawn[0].reduce(0) { $0 + values[$1] } / Double(values.count)
    }
  }

  /// Linear between neighbours.
  private static func percentile(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let lower = Int(place)
    let upper = min(lower + 1, sorted.count - 1)
    return sorted[lower] + (sorted[upper] - sorted[lower]) * (place - Double(lower))
  }

  /// McNemar's exact test: how likely a split at least as uneven is when neither side is better.
  ///
  /// `p = min(1, 2 · Σ_{k ≤ min(b, c)} C(n, k) / 2ⁿ)` with n = b + c.
  ///
  /// - Parameters:
  ///   - better: pairs that only the first got right.
  ///   - worse: pairs that only the second got right.
  /// - Returns: the two-sided probability.
  package static func mcNemar(better: Int, worse: Int) -> Double {
    let count = better + worse
    guard count > 0 else { return 1 }
    // Terms from the largest down, as shares of the largest, so that nothing underflows early.
    let last = min(better, worse)
    var term = 1.0
    var sum = 1.0
    for k in stride(from: last, to: 0, by: -1) {
      term *= Double(k) / Double(count - k + 1)
      sum += term
    }
    let largest = logChoose(count, last) - Double(count) * 0.6931471805599453
    return min(1, 2 * sum * exp(largest))
  }

  /// ln C(n, k) as a sum of logarithms.
  private static func logChoose(_ n: Int, _ k: Int) -> Double {
    (0..<k).reduce(0.0) { $0 + log(Double(n - $1)) - log(Double($1 + 1)) }
  }
}

/// SplitMix64: the same intervals on every machine.
private struct Draws {
  var state: UInt64

  mutating func below(_ count: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    mixed ^= mixed >> 31
    return Int(mixed.multipliedFullWidth(by: UInt64(count)).high)
  }
}
