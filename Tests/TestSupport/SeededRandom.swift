// SPDX-License-Identifier: Apache-2.0
// Random values that a seed repeats.

/// SplitMix64: the same seed gives the same values on every machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator whose values depend on `seed` alone.
  package init(seed: UInt64) {
    state = seed
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// `count` values, uniform in `-bound … bound`.
  package mutating func floats(_ count: Int, upTo bound: Float = 1) -> [Float] {
    (0..<count).map { _ in Float.random(in: -bound...bound, using: &self) }
  }

  /// `count` values of any bit pattern: subnormals, infinities and NaN included.
  package mutating func anyFloats(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: next())) }
  }
}
