// SPDX-License-Identifier: Apache-2.0
// Moments of a byte: levels, rounding without bias, and a step that stays close to that of f32.

import SEADataset
import SEATensor
import SEATrainer
import Testing

@Suite struct MomentCodeTests {
  /// Named, so that a failure does not print thousands of levels.
  private static let codes = ["signed": ByteCode.signed, "squares": ByteCode.squares]

  @Test(arguments: [("signed", 128), ("squares", 256)])
  func levelsAscendFromZeroToOne(name: String, count: Int) throws {
    let code = try #require(Self.codes[name])
    #expect(code.levels.count == count)
    #expect(code.levels.first == 0 && code.levels.last == 1)
    #expect(zip(code.levels, code.levels.dropFirst()).allSatisfy { $0 < $1 })
    for (index, level) in code.levels.enumerated() {
      for noise in [UInt16(0), 40_000, .max] {
        #expect(code.code(of: level, noise: noise) == index)
      }
    }
  }

  @Test(arguments: ["signed", "squares"])
  func roundsToNeighboursWithoutBias(name: String) throws {
    let code = try #require(Self.codes[name])
    var random = CounterRandom(seed: 2, .rounding)
    for _ in 0..<200 {
      // Every decade that the code spans.
      var value = Float(random.unit())
      for _ in 0..<random.below(6) { value /= 10 }
      let below = code.levels.lastIndex { $0 <= value } ?? 0
      var sum = 0.0
      let draws = 4096
      for draw in 0..<draws {
        let found = code.code(of: value, noise: UInt16(draw * 16))
        #expect(found == below || found == below + 1)
        sum += Double(code.levels[found])
      }
      let gap = Double(code.levels[below + 1] - code.levels[below])
      #expect(abs(sum / Double(draws) - Double(value)) <= 1.5 * gap / Double(draws))
    }
  }

  @Test func numbersThatAreNoneBecomeTheLargest() {
    #expect(ByteCode.squares.code(of: .nan, noise: 1) == 255)
    #expect(ByteCode.squares.code(of: .infinity, noise: 1) == 255)
  }

  /// A tensor of 64 × 320 with gradients of its own, stepped with both kinds of moments.
  private func run(_ moments: MomentType, threads: Int, steps: Int = 60) throws -> [Float] {
    let (rows, columns) = (64, 320)
    let tensor = try OwnTensor(
      "w",
      values: [Float](repeating: 0.5, count: rows * columns),
      columns: columns
    )
    let store = try ParameterStore(
      groups: [ParameterGroup(name: "all", learningRate: 1e-3, weightDecay: 0)],
      moments: moments,
      [(tensor, 0)]
    )
    let optimizer = AdamW(AdamWOptions(), seed: 4)
    let pool = WorkerPool(threads: threads)
    let gradient = try #require(tensor.gradient)
    for step in 0..<steps {
      var random = CounterRandom(seed: 8, .order, step)
      for row in 0..<rows {
        for column in 0..<columns {
          // Sizes from 1e-4 to 1 beside each other, with a drift and noise.
          let size = Float(column % 5 == 0 ? 1 : column % 5 == 1 ? 0.1 : 1e-4)
          gradient[row, column] = size * (Float(random.unit()) - 0.3)
        }
      }
      optimizer.step(store, step: step, rate: 1, norm: 0, on: pool)
    }
    return tensor.values.array()
  }

  @Test func codesStayCloseToFloats() throws {
    let floats = try run(.float32, threads: 1)
    let codes = try run(.bytes, threads: 1)
    #expect(codes != floats)
    // Sixty steps of about 1e-3. Where gradients are a tenth of the block's largest or more the paths
    // differ by a few per cent of their length; where they are 1e-4 of it, codes are coarse.
    let moved = floats.map { Double(0.5 - $0) }
    let apart = zip(codes, floats).map { Double(abs($0 - $1)) }
    let length = moved.reduce(0) { $0 + abs($1) } / Double(moved.count)
    #expect(length > 0.01)
    func mean(_ isLarge: Bool) -> Double {
      let chosen = apart.indices.filter { ($0 % 320 % 5 < 2) == isLarge }
      return chosen.reduce(0) { $0 + apart[$1] } / Double(chosen.count)
    }
    #expect(mean(true) < 0.06 * length, "\(mean(true)) of \(length)")
    #expect(mean(false) < 0.25 * length, "\(mean(false)) of \(length)")
    // Nothing moves further than Adam's bound of one rate a step.
    #expect((apart.max() ?? 1) < 0.12)
  }

  @Test func codesAreTheSameBitsForAnyNumberOfThreads() throws {
    #expect(try run(.bytes, threads: 1, steps: 5) == run(.bytes, threads: 2, steps: 5))
  }

  @Test func aByteTakesAQuarterOfTheMemory() {
    let floats = MomentType.float32.byteCount(rows: 2048, columns: 16_384)
    let codes = MomentType.bytes.byteCount(rows: 2048, columns: 16_384)
    #expect(floats == 2048 * 16_384 * 8)
    #expect(codes == 2048 * (16_384 + 4 * 64) * 2)
    // Vectors and small tensors are not worth a code.
    #expect(MomentType.bytes.byteCount(rows: 1, columns: 8192) == 8192 * 8)
    #expect(MomentType.bytes.byteCount(rows: 8, columns: 16) == 8 * 16 * 8)
  }
}
