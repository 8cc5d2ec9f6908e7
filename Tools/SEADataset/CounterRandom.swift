// SPDX-License-Identifier: Apache-2.0
// Random numbers that depend on a seed and on what they are for, never on what was drawn before.

/// A stream of random numbers named by a seed and a few keys.
///
/// A run that stops and goes on draws the same numbers, because a step's stream is named by the step:
/// there is no state to save. Numbers are SplitMix64's.
package struct CounterRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// What a stream is for; part of its name, so that two uses never share numbers.
  package enum Purpose: UInt64, Sendable {
    case order = 1
    case megabatches = 2
    case windows = 3
    case labels = 4
    case duplicates = 5
    case initialization = 6
    case rounding = 7
    case captions = 20
    case distractors = 21
  }

  /// The stream of `seed` for a purpose and keys such as epoch, step and row.
  package init(seed: UInt64, _ purpose: Purpose, _ keys: Int...) {
    var state = Self.mix(seed &+ 0x9e37_79b9_7f4a_7c15)
    state = Self.mix(state ^ purpose.rawValue &* 0xd6e8_feb8_6659_fd93)
    for key in keys {
      state = Self.mix(state &+ 0x9e37_79b9_7f4a_7c15 ^ UInt64(bitPattern: Int64(key)))
    }
    self.state = state
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mix(state)
  }

  /// A number in 0..<1, of 53 bits.
  package mutating func unit() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A number in `0..<bound`, each equally likely.
  ///
  /// - Precondition: `bound` is positive.
  package mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "no number below \(bound)")
    // Lemire's multiplication with rejection of the few values that would favour some results.
    let range = UInt64(bound)
    let threshold = (0 &- range) % range
    while true {
      let (high, low) = next().multipliedFullWidth(by: range)
      if low >= threshold { return Int(high) }
    }
  }

  /// Puts `values` in an order of which each is equally likely.
  package mutating func shuffle<Element>(_ values: inout [Element]) {
    guard values.count > 1 else { return }
    for index in (1..<values.count).reversed() { values.swapAt(index, below(index + 1)) }
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
