// SPDX-License-Identifier: Apache-2.0
// Conversions between f32 and the 16-bit floats.

import CSIMD
import TestSupport
import Testing

@Suite struct ConversionTests {
  /// Values around every rounding decision, and random bits.
  static let floats: [Float] = {
    var random = SeededRandom(seed: 30)
    var values = random.anyFloats(20_000)
    for pattern in stride(from: UInt32(0), through: 0xffff_0000, by: 0x1_0000) {
      for low: UInt32 in [0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff] {
        values.append(Float(bitPattern: pattern | low))
      }
    }
    return values
  }()

  static let allPatterns = (UInt16.min...UInt16.max).map { $0 }

  @Test(arguments: Level.vector, Kernels.Widening.allCases)
  func everyLevelNarrowsToTheBitsOfScalar(_ level: Level, _ type: Kernels.Widening) throws {
    let results = try [Level.scalar, level].map {
      try $0.kernels().narrow(Self.floats, to: type)
    }
    #expect(results[0] == results[1])
  }

  @Test(arguments: Level.vector, Kernels.Widening.allCases)
  func everyLevelWidensToTheBitsOfScalar(_ level: Level, _ type: Kernels.Widening) throws {
    let results = try [Level.scalar, level].map {
      try $0.kernels().widen(Self.allPatterns, from: type).map(\.bitPattern)
    }
    #expect(results[0] == results[1])
  }

  @Test(arguments: Level.vector, Kernels.Widening.allCases)
  func tailsStayInsideTheirBuffers(_ level: Level, _ type: Kernels.Widening) throws {
    for edge in GuardedEdge.allCases {
      for count in 1...35 {
        let values = Array(Self.floats[..<count])
        let narrow = try level.kernels(edge: edge).narrow(values, to: type)
        let reference = try Level.scalar.kernels().narrow(values, to: type)
        #expect(narrow == reference)
        let wide = try level.kernels(edge: edge).widen(narrow, from: type)
        expectSameBits(wide, try Level.scalar.kernels().widen(narrow, from: type))
      }
    }
  }

  @Test func narrowingToF16RoundsAsFloat16() throws {
    let narrow = try Level.scalar.kernels().narrow(Self.floats, to: .f16)
    for (value, bits) in zip(Self.floats, narrow) {
      let expected = Float16(value)
      let actual = Float16(bitPattern: bits)
      #expect(expected.isNaN ? actual.isNaN : actual.bitPattern == expected.bitPattern)
    }
  }

  @Test func wideningF16IsExact() throws {
    let wide = try Level.scalar.kernels().widen(Self.allPatterns, from: .f16)
    for (pattern, value) in zip(Self.allPatterns, wide) {
      let expected = Float(Float16(bitPattern: pattern))
      #expect(expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern)
    }
  }

  @Test func narrowingToBF16RoundsToNearestEven() throws {
    let values: [Float] = [
      1, 1.00390625, 1.01171875, -1.00390625, .infinity, .greatestFiniteMagnitude,
    ]
    let narrow = try Level.scalar.kernels().narrow(values, to: .bf16)
    // 1 + 2^-8 is a tie to 1, 1 + 3 · 2^-8 a tie to 1 + 2^-6, and the largest number overflows.
    #expect(narrow == [0x3f80, 0x3f80, 0x3f82, 0xbf80, 0x7f80, 0x7f80])
  }

  @Test(arguments: Level.allCases, Kernels.Widening.allCases)
  func wideningThenNarrowingIsTheIdentity(_ level: Level, _ type: Kernels.Widening) throws {
    let kernels = try level.kernels()
    let numbers = Self.allPatterns.filter { pattern in
      type == .bf16
        ? !Float(bitPattern: UInt32(pattern) << 16).isNaN : !Float16(bitPattern: pattern).isNaN
    }
    #expect(kernels.narrow(kernels.widen(numbers, from: type), to: type) == numbers)
  }

  @Test(arguments: Level.allCases, Kernels.Widening.allCases)
  func nanStaysNaN(_ level: Level, _ type: Kernels.Widening) throws {
    // Payloads in the low half only would round to infinity if they were treated as numbers.
    let nans = [0x7f80_0001, 0xff80_0001, 0x7fff_ffff, 0xffff_ffff, 0x7fc0_0000].map {
      Float(bitPattern: $0)
    }
    let kernels = try level.kernels()
    #expect(kernels.widen(kernels.narrow(nans, to: type), from: type).allSatisfy { $0.isNaN })
  }
}
