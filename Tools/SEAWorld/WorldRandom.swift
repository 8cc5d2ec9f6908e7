// SPDX-License-Identifier: Apache-2.0
// Random values that depend on a seed and a place in the world, never on time or threads.

/// SplitMix64 over a mixed key.
///
/// Draws are made with the functions below and not with the library's, whose algorithms may change
/// with the toolchain: the same seed must give the same world for good.
package struct WorldRandom: Sendable {
  private var state: UInt64

  /// A stream of its own for every list of keys.
  package init(_ keys: UInt64...) {
    state = keys.reduce(0x6861_7262_6f75_7221) { Self.mix($0 ^ Self.mix($1)) }
  }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mix(state)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Uniform in 0 ..< 1.
  package mutating func unit() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// Uniform in `range`.
  package mutating func number(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + unit() * (range.upperBound - range.lowerBound)
  }

  /// True with probability `share`.
  package mutating func chance(_ share: Double) -> Bool {
    unit() < share
  }

  /// Uniform in `0 ..< count`; the bias of the multiplication is below 2⁻⁴⁰ for the counts used here.
  ///
  /// - Precondition: `count` is at least 1.
  package mutating func below(_ count: Int) -> Int {
    precondition(count > 0, "cannot draw from \(count)")
    return Int(next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// One of `values`; nil when there is none.
  package mutating func pick<Values: RandomAccessCollection>(_ values: Values) -> Values.Element? {
    guard !values.isEmpty else { return nil }
    return values[values.index(values.startIndex, offsetBy: below(values.count))]
  }

  /// An index drawn with probability in proportion to its weight.
  ///
  /// - Precondition: the weights are not negative and one is positive.
  package mutating func pick(weights: [Double]) -> Int {
    var rest = unit() * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0, weight > 0 { return index }
    }
    return weights.lastIndex { $0 > 0 } ?? 0
  }

  /// `values` in random order (Fisher and Yates).
  package mutating func shuffled<Element>(_ values: [Element]) -> [Element] {
    var result = values
    for index in result.indices.reversed() where index > 0 {
      result.swapAt(index, below(index + 1))
    }
    return result
  }
}
