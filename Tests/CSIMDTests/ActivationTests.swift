// SPDX-License-Identifier: Apache-2.0
// Activations and gates.

import CSIMD
import Glibc
import TestSupport
import Testing

@Suite struct ActivationTests {
  enum Function: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case geluTanh, geluErf, quickGelu, silu

    var testDescription: String { rawValue }

    var code: csimd_activation {
      switch self {
      case .geluTanh: .gelu_tanh
      case .geluErf: .gelu_erf
      case .quickGelu: .quick_gelu
      case .silu: .silu
      }
    }

    /// The function in double precision, from libm.
    func exact(_ x: Double) -> Double {
      switch self {
      case .geluErf: 0.5 * x * erfc(-x / 2.0.squareRoot())
      case .geluTanh:
        x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      case .quickGelu: x / (1 + exp(-1.702 * x))
      case .silu: x / (1 + exp(-x))
      }
    }

    /// Values at -3, -1, -0.5, 0.5, 1 and 3 from the public implementations.
    var published: [Double] {
      switch self {
      case .geluErf:
        [-0.004049694, -0.158655254, -0.154268769, 0.345731231, 0.841344746, 2.995950306]
      case .geluTanh:
        [-0.003637392, -0.158808009, -0.154285990, 0.345714010, 0.841191991, 2.996362608]
      case .quickGelu:
        [-0.018071310, -0.154204234, -0.149611563, 0.350388437, 0.845795766, 2.981928690]
      case .silu: [-0.142277620, -0.268941421, -0.188770334, 0.311229666, 0.731058579, 2.857722380]
      }
    }
  }

  /// Every 4096th bit pattern: all exponents, both signs, infinities and NaN.
  static let sweep = stride(from: UInt32(0), to: 0xffff_f000, by: 4096).map {
    Float(bitPattern: $0)
  }

  /// Dense values where the functions bend.
  static let dense = stride(from: Float(-20), through: 20, by: 1 / 512).map { $0 }

  @Test(arguments: Level.vector, Function.allCases)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ f: Function) throws {
    for values in [Self.sweep, Self.dense] {
      let results = try [Level.scalar, level].map { try $0.kernels().activate(f.code, values) }
      expectSameBits(results[1], results[0])
    }
  }

  @Test(arguments: Level.vector, Function.allCases)
  func tailsStayInsideTheirBuffers(_ level: Level, _ f: Function) throws {
    for edge in GuardedEdge.allCases {
      for count in 1...35 {
        let values = Array(Self.dense[4000..<4000 + count])
        let results = try [Level.scalar, level].map {
          try $0.kernels(edge: edge).activate(f.code, values)
        }
        expectSameBits(results[1], results[0], "count \(count)")
      }
    }
  }

  @Test(arguments: Level.allCases, Function.allCases)
  func publishedValuesAreMet(_ level: Level, _ f: Function) throws {
    let values = try level.kernels().activate(f.code, [-3, -1, -0.5, 0.5, 1, 3])
    // The published values have nine decimals; results near 3 carry half a unit of f32.
    #expect(maxDifference(values, f.published) <= 2.5e-7)
  }

  @Test(arguments: Function.allCases) func relativeErrorIsAFewUnits(_ f: Function) throws {
    let x = Self.dense.filter { $0 != 0 }
    let y = try Level.scalar.kernels().activate(f.code, x)
    var worst = 0.0
    for (input, output) in zip(x, y) {
      let exact = f.exact(Double(input))
      guard abs(exact) > 1e-37 else { continue }
      // Each rounding of the exponent y is off by |y| · ε / 2, which the result inherits.
      let conditioning = 4 + f.exponentRoundings / 2 * abs(f.exponent(Double(input)))
      worst = max(worst, abs(Double(output) - exact) / abs(exact) / conditioning)
    }
    #expect(worst <= Double(Float.ulpOfOne))
  }

  @Test(arguments: Function.allCases) func absoluteErrorIsBelowAMillionth(_ f: Function) throws {
    let x = Self.dense.filter { abs($0) <= 8 }
    let y = try Level.scalar.kernels().activate(f.code, x)
    #expect(maxDifference(y, x.map { f.exact(Double($0)) }) < 1e-6)
  }

  @Test func exponentialIsWithinOneUnit() throws {
    // silu(x) = x / (1 + e^-x), and for x < -20 the quotient's error is the exponential's (at most
    // 0.7 ε, below one unit in the last place) plus the roundings of a sum and a division.
    let x = stride(from: Float(-87), through: -20, by: 1 / 1024).map { $0 }
    let y = try Level.scalar.kernels().activate(.silu, x)
    let bound = (0.7 + 0.5 + 0.5) * Double(Float.ulpOfOne)
    for (input, output) in zip(x, y) {
      let exact = Function.silu.exact(Double(input))
      guard abs(exact) > Double(Float.leastNormalMagnitude) else { continue }
      #expect(abs(Double(output) - exact) <= bound * abs(exact))
    }
  }

  @Test(arguments: Level.allCases, Function.allCases)
  func zerosKeepTheirSigns(_ level: Level, _ f: Function) throws {
    expectSameBits(try level.kernels().activate(f.code, [0, -0.0]), [0, -0.0])
  }

  @Test(arguments: Level.allCases, Function.allCases)
  func endsOfTheLineAreDefined(_ level: Level, _ f: Function) throws {
    let y = try level.kernels().activate(
      f.code,
      [.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .nan, -.infinity]
    )
    #expect(y[0] == .infinity && y[1] == .greatestFiniteMagnitude && y[2] == 0 && y[3].isNaN)
    #expect(f == .geluErf ? y[4] == 0 : y[4].isNaN)
  }

  @Test(arguments: Level.allCases, Function.allCases)
  func gateIsTheActivationTimesTheOtherHalf(_ level: Level, _ f: Function) throws {
    var random = SeededRandom(seed: 40)
    let kernels = try level.kernels()
    for count in [1, 15, 16, 17, 33, 1000] {
      let left = random.floats(count, upTo: 6)
      let right = random.floats(count)
      let expected = zip(kernels.activate(f.code, left), right).map { $0 * $1 }
      for target in Kernels.GateTarget.allCases {
        expectSameBits(kernels.gate(f.code, left, right, into: target), expected)
      }
    }
  }

  @Test(arguments: Level.vector, Function.allCases)
  func gateGivesTheBitsOfScalar(_ level: Level, _ f: Function) throws {
    var random = SeededRandom(seed: 41)
    let left = random.anyFloats(5001)
    let right = random.anyFloats(5001)
    let results = try [Level.scalar, level].map { try $0.kernels().gate(f.code, left, right) }
    expectSameBits(results[1], results[0])
  }
}

extension ActivationTests.Function {
  /// The exponent inside the function's exponential.
  func exponent(_ x: Double) -> Double {
    switch self {
    case .geluErf: x * x / 2
    case .geluTanh: 2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
    case .quickGelu: 1.702 * x
    case .silu: x
    }
  }

  /// Roundings on the way to the exponent, those of its constants included.
  var exponentRoundings: Double {
    switch self {
    case .geluErf: 1
    case .geluTanh: 4
    case .quickGelu: 2
    case .silu: 0
    }
  }
}
