// SPDX-License-Identifier: Apache-2.0
// Numbers from 0 to 1 as bytes whose steps shrink with the number: small moments keep their digits.

/// A table of magnitudes, ascending from 0 to 1.
///
/// Each decade has half as many levels as the one above it, evenly spaced, so a byte spans six or
/// seven decades and still has two digits near 1.
/// - Source: Dettmers et al., "8-bit optimizers via block-wise quantization" (dynamic trees).
package struct ByteCode: Sendable {
  /// What codes stand for.
  package let levels: [Float]
  /// For the upper half of a number's bits: the last level that is not above it.
  private let places: [UInt8]

  /// Six decades in 128 magnitudes; the sign takes the byte's highest bit.
  package static let signed = ByteCode(levels: Self.decades(1...6))

  /// Squares of seven decades in 256 magnitudes: the roots are what a step divides by.
  package static let squares = ByteCode(levels: Self.decades(1...7).map { $0 * $0 })

  /// 0, 2ⁱ levels in each decade i of `bits`, the last of which ends at 1, and 1.
  private static func decades(_ bits: ClosedRange<Int>) -> [Float] {
    var levels = [0.0]
    var top = 1.0
    for _ in bits.lowerBound..<bits.upperBound { top /= 10 }
    for bit in bits {
      let count = 1 << bit
      for index in 0..<count {
        levels.append(top * (0.1 + 0.9 * (Double(index) + 0.5) / Double(count)))
      }
      top *= 10
    }
    return levels.map { Float($0) } + [1]
  }

  private init(levels: [Float]) {
    self.levels = levels
    let count = Int(Float(1).bitPattern >> 16) + 1
    var places: [UInt8] = []
    var place = 0
    for index in 0..<count {
      let value = Float(bitPattern: UInt32(index) << 16)
      while place + 1 < levels.count, levels[place + 1] <= value { place += 1 }
      places.append(UInt8(place))
    }
    self.places = places
  }

  /// The code of `value`, rounded to one of its two neighbours in proportion to their distances.
  ///
  /// A running mean moves by a thousandth of its value a step: rounding to the nearest level would
  /// stop it for good, rounding by chance keeps its expectation.
  /// - Parameters:
  ///   - value: from 0 to 1; what is above or no number becomes 1.
  ///   - noise: decides.
  /// - Returns: the place of its level.
  @inline(__always)
  package func code(of value: Float, noise: UInt16) -> Int {
    guard value < 1 else { return levels.count - 1 }
    var place = Int(places[Int(value.bitPattern >> 16)])
    while levels[place + 1] <= value { place += 1 }
    let (low, high) = (levels[place], levels[place + 1])
    return Float(noise) * 0x1p-16 * (high - low) < value - low ? place + 1 : place
  }
}
