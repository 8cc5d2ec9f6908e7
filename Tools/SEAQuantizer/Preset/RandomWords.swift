// SPDX-License-Identifier: Apache-2.0
// Random words by their position: any part of a tensor can be made alone, on any thread.

/// A stream of 64-bit words without state: word `i` is a mix of `key + i · γ`.
///
/// - Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (SplitMix64).
struct RandomWords: Sendable {
  private let key: UInt64

  private static let gamma: UInt64 = 0x9e37_79b9_7f4a_7c15

  /// The stream of a seed and a name; streams of different names have nothing in common.
  init(seed: UInt64, name: String) {
    // FNV-1a of the name, mixed with the seed.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    key = Self.mix(hash ^ Self.mix(seed &+ Self.gamma))
  }

  /// Word `index`.
  subscript(index: Int) -> UInt64 {
    Self.mix(key &+ UInt64(truncatingIfNeeded: index) &* Self.gamma)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension UInt64 {
  /// Eight stored int8 codes (1…255): bytes that are 0, the one value that no code has, become 1.
  var codes: UInt64 {
    let low: UInt64 = 0x0101_0101_0101_0101
    // The high bit of every byte that is zero; exact, unlike the shorter borrow trick.
    let mask: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
    let zeros = ~(((self & mask) &+ mask) | self | mask)
    return self | (zeros >> 7 & low)
  }
}
