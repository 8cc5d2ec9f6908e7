// SPDX-License-Identifier: Apache-2.0
// Weights of any description, computed when they are read: no files, no memory.

import SEAModel
import SEATensor

/// Values that depend on a seed, the tensor's name, the row and the column only.
struct RandomWeights: WeightSource {
  let model: ModelDescription
  var seed: UInt64 = 1
  /// Tensors with given values, row by row.
  var given: [String: [Float]] = [:]
  /// Applied to every row that is read: name, row, values.
  var change: @Sendable (String, Int, inout [Float]) -> Void = { _, _, _ in }

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    for row in rows {
      var values = self.values(name, row: row, columns: out.columns)
      change(name, row, &values)
      out.rows(row - rows.lowerBound..<row - rows.lowerBound + 1).copy(from: values)
    }
  }

  func release(_ name: String) {}

  /// One row: norm weights near 1, everything else small and symmetric.
  func values(_ name: String, row: Int, columns: Int) -> [Float] {
    if let values = given[name] { return Array(values[row * columns..<(row + 1) * columns]) }
    var generator = SplitMix(seed: seed ^ Self.hash(name) &+ UInt64(row) &* 0x9E37_79B9_7F4A_7C15)
    let isNorm = name.contains("norm") && name.hasSuffix(".weight")
    let spread = isNorm ? 0.1 : 1 / Float(max(columns, 1)).squareRoot()
    return (0..<columns).map { _ in generator.symmetric() * spread * 1.7 + (isNorm ? 1 : 0) }
  }

  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

/// A small seeded generator (splitmix64).
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// A value in -1 ..< 1.
  mutating func symmetric() -> Float {
    Float(next() >> 40) * 0x1p-23 - 1
  }
}
