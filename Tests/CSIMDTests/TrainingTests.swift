// SPDX-License-Identifier: Apache-2.0
// Gradients of norms and activations, softmax, sums and the optimiser's step.

import CSIMD
import Foundation
import TestSupport
import Testing

@Suite struct TrainingTests {
  static let widths = [1, 2, 15, 16, 17, 31, 33, 100, 1000]
  static let activations: [csimd_activation] = [.gelu_tanh, .gelu_erf, .quick_gelu, .silu]

  @Test func tablesExistWhereTheirLevelsRun() {
    for level in Level.allCases {
      let table = csimd_train_table_for(level.code)
      #expect((table != nil) == csimd_isa_available(level.code))
      #expect(table.map { $0.pointee.isa == level.code } ?? true)
      #expect(csimd_train_table_widening(level.code)?.pointee.multiplies_bf16 != true)
    }
    #expect(csimd_isa_available(.avx512vnni) || !csimd_bf16_available())
  }

  @Test(arguments: Level.vector, widths)
  func normGradientsHaveTheBitsOfScalar(_ level: Level, _ k: Int) throws {
    var random = SeededRandom(seed: 210)
    let (m, stride) = (3, k + 4)
    let count = (m - 1) * stride + k
    let (x, dy) = (random.floats(count, upTo: 4), random.floats(count))
    let (dx, weight) = (random.floats(count), random.floats(k))
    let (dweight, dbias) = (random.floats(k), random.floats(k))
    for edge in GuardedEdge.allCases {
      for isCentered in [false, true] {
        let results = try [Level.scalar, level].map { level in
          let kernels = try level.training(edge: edge)
          let (dx, statistics) = kernels.normBackward(
            x,
            dy,
            m: m,
            k: k,
            stride: stride,
            weight: weight,
            isCentered: isCentered,
            dx: dx
          )
          return dx + statistics
            + kernels.normWeightBackward(
              x,
              dy,
              m: m,
              k: k,
              stride: stride,
              statistics: statistics,
              dweight: dweight,
              dbias: isCentered ? dbias : nil
            )
        }
        expectSameBits(results[1], results[0], isCentered ? "layer norm" : "RMS norm")
      }
    }
  }

  @Test(arguments: Level.vector, widths)
  func activationGradientsHaveTheBitsOfScalar(_ level: Level, _ count: Int) throws {
    var random = SeededRandom(seed: 211)
    let (x, dy) = (random.floats(count, upTo: 20), random.floats(count))
    let up = random.floats(count)
    let any = random.anyFloats(count)
    for edge in GuardedEdge.allCases {
      for f in Self.activations {
        let results = try [Level.scalar, level].map {
          let kernels = try $0.training(edge: edge)
          return kernels.activateBackward(f, x, dy) + kernels.gateBackward(f, x, up, dy)
            + kernels.activateBackward(f, any, dy)
        }
        expectSameBits(results[1], results[0], "\(f)")
      }
    }
  }

  @Test(arguments: Level.allCases) func activationSlopesAreDerivatives(_ level: Level) throws {
    let points: [Float] = (-80...80).map { Float($0) / 10 }
    let ones = [Float](repeating: 1, count: points.count)
    let kernels = try level.training()
    func value(_ f: csimd_activation, _ x: Double) -> Double {
      switch f {
      case .gelu_tanh:
        0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      case .gelu_erf: 0.5 * x * erfc(-x / 2.0.squareRoot())
      case .quick_gelu: x / (1 + exp(-1.702 * x))
      case .silu: x / (1 + exp(-x))
      }
    }
    for f in Self.activations {
      for (x, slope) in zip(points, kernels.activateBackward(f, points, ones)) {
        let h = 1e-5
        let exact = (value(f, Double(x) + h) - value(f, Double(x) - h)) / (2 * h)
        #expect(abs(Double(slope) - exact) < 2e-6, "\(f) at \(x)")
      }
    }
  }

  @Test(arguments: Level.vector, [1, 7, 16, 33, 200])
  func softmaxHasTheBitsOfScalar(_ level: Level, _ keys: Int) throws {
    var random = SeededRandom(seed: 212)
    let (queries, stride) = (5, keys + 3)
    let scores = random.floats((queries - 1) * stride + keys, upTo: 30)
    let d = random.floats(scores.count)
    let delta = random.floats(queries)
    for edge in GuardedEdge.allCases {
      // Queries stand from the last keys on; with 9 missing keys in front.
      for (isCausal, window) in [(false, 0), (true, 0), (true, 3)] {
        let results = try [Level.scalar, level].map { level in
          let kernels = try level.training(edge: edge)
          let first = kernels.softmax(
            scores,
            queries: queries,
            keys: keys,
            stride: stride,
            firstQuery: 9 + max(keys - 5, 0),
            firstKey: 9,
            window: window,
            isCausal: isCausal
          )
          let again = kernels.softmax(
            scores,
            queries: queries,
            keys: keys,
            stride: stride,
            firstQuery: 9 + max(keys - 5, 0),
            firstKey: 9,
            window: window,
            isCausal: isCausal,
            saved: first.saved
          )
          let back = kernels.softmaxBackward(
            first.p,
            d,
            m: queries,
            n: keys,
            stride: stride,
            delta: delta
          )
          return (first, again, back)
        }
        expectSameBits(results[1].0.p, results[0].0.p, "probabilities")
        expectSameBits(results[1].0.saved, results[0].0.saved, "maxima and sums")
        expectSameBits(results[1].1.p, results[0].0.p, "recomputed")
        expectSameBits(results[1].2, results[0].2, "gradients")
        // Of fewer keys than queries the window shows the last queries none.
        for row in 0..<queries where keys >= queries || window == 0 {
          let sum = results[0].0.p[row * stride..<row * stride + keys].reduce(0, +)
          #expect(abs(sum - 1) < 1e-5)
        }
      }
    }
  }

  @Test(arguments: Level.allCases) func masksHideWhatIsOutside(_ level: Level) throws {
    let kernels = try level.training()
    // Query at position 6 with a window of 3 sees keys 4, 5, 6; column 0 is key 2.
    let result = kernels.softmax(
      [Float](repeating: 1, count: 8),
      queries: 1,
      keys: 8,
      stride: 8,
      firstQuery: 6,
      firstKey: 2,
      window: 3,
      isCausal: true
    )
    #expect(result.p.map { $0 > 0 } == [false, false, true, true, true, false, false, false])
  }

  @Test(arguments: Level.vector, widths)
  func rowsAndSumsHaveTheBitsOfScalar(_ level: Level, _ n: Int) throws {
    var random = SeededRandom(seed: 213)
    let (m, stride) = (4, n + 1)
    let x = random.floats((m - 1) * stride + n, upTo: 12)
    let y = random.floats(x.count)
    let (one, two) = (random.floats(m), random.floats(m).map { abs($0) })
    let row = random.floats(n)
    let start = [-Float.infinity, 3, -20, 0]
    for edge in GuardedEdge.allCases {
      let results = try [Level.scalar, level].map { level in
        let kernels = try level.training(edge: edge)
        return kernels.rowProducts(x, y, m: m, k: n, stride: stride)
          + kernels.softmaxUpdate(x, m: m, n: n, stride: stride, maxima: start, sums: [0, 2, 1, 5])
          + kernels.softmaxFinish(x, m: m, n: n, stride: stride, maxima: one, factors: two)
          + kernels.axpy(1.3, x, y) + kernels.columnSums(x, m: m, n: n, stride: stride, row)
      }
      expectSameBits(results[1], results[0])
      let squares = try [Level.scalar, level].map { try $0.training(edge: edge).sumOfSquares(x) }
      #expect(squares[0] == squares[1])
      let exact = x.reduce(0.0) { $0 + Double($1) * Double($1) }
      #expect(abs(squares[0] - exact) <= 1e-5 * exact)
    }
  }

  @Test(arguments: Level.allCases) func runningSoftmaxEqualsTheWhole(_ level: Level) throws {
    var random = SeededRandom(seed: 214)
    let kernels = try level.training()
    let x = random.floats(300, upTo: 40)
    var state = [-Float.infinity, 0]
    for start in stride(from: 0, to: 300, by: 70) {
      let part = Array(x[start..<min(start + 70, 300)])
      state = kernels.softmaxUpdate(
        part,
        m: 1,
        n: part.count,
        stride: part.count,
        maxima: [state[0]],
        sums: [state[1]]
      )
    }
    let top = x.map { Double($0) }.max() ?? 0
    let exact = x.reduce(0.0) { $0 + exp(Double($1) - top) }
    #expect(Double(state[0]) == top)
    #expect(abs(Double(state[1]) - exact) < 1e-5 * exact)
  }

  @Test(arguments: Level.allCases, [1, 16, 37]) func adamWIsItsFormula(
    _ level: Level,
    _ count: Int
  ) throws {
    var random = SeededRandom(seed: 215)
    let (w, g) = (random.floats(count), random.floats(count))
    let (m, v) = (random.floats(count), random.floats(count).map { abs($0) })
    let step = csimd_adamw(
      clip: 0.5,
      decay: 0.99,
      rest1: 0.1,
      beta2: 0.999,
      rest2: 0.001,
      step: 0.02,
      root: 3,
      epsilon: 1e-8
    )
    let scalar = try Level.scalar.training().adamW(step, w, m, v, g)
    for edge in GuardedEdge.allCases {
      expectSameBits(try level.training(edge: edge).adamW(step, w, m, v, g), scalar)
    }
    for i in 0..<count {
      let gradient = Double(g[i]) * 0.5
      let first = Double(m[i]) + (gradient - Double(m[i])) * 0.1
      let second = Double(v[i]) * 0.999 + gradient * gradient * 0.001
      let weight = Double(w[i]) * 0.99 - 0.02 * first / (second.squareRoot() * 3 + 1e-8)
      #expect(abs(Double(scalar[i]) - weight) < 1e-5)
      #expect(abs(Double(scalar[count + i]) - first) < 1e-6)
      #expect(abs(Double(scalar[2 * count + i]) - second) < 1e-6)
    }
  }

  @Test(arguments: Level.vector, [(70, 200, 32), (33, 64, 64), (5, 130, 96), (64, 31, 32)])
  func unpackedWeightsHaveTheBitsOfScalar(
    _ level: Level,
    _ shape: (n: Int, k: Int, group: Int)
  ) throws {
    var random = SeededRandom(seed: 216)
    let w = PackedWeights(
      random.floats(shape.n * shape.k),
      n: shape.n,
      k: shape.k,
      group: shape.group
    )
    let firstRow = shape.n > 32 ? 32 : 0
    let firstColumn = shape.k > 64 ? 64 : 0
    for edge in GuardedEdge.allCases {
      for isHalf in [false, true] {
        let results = try [Level.scalar, level].map {
          try $0.training(edge: edge).unpack(
            w,
            rows: firstRow..<shape.n,
            columns: firstColumn..<shape.k,
            isHalf: isHalf,
            stride: shape.k - firstColumn + 3
          )
        }
        expectSameBits(results[1], results[0], isHalf ? "bf16" : "f32")
      }
    }
  }
}
