// SPDX-License-Identifier: Apache-2.0
// The sum of all patch directions, in integers so that it does not depend on the order.

package import SEATensor

/// Sums from which every word's mean score over all patches follows: the mean of products with a word
/// is the product with the mean.
package struct PatchSums: Sendable, Equatable {
  /// Patches summed.
  package private(set) var patches: Int64 = 0
  /// Σ round(v · 2³⁰) for each value of the joint space.
  package private(set) var values: [Int64]

  /// What a value is multiplied with: 2³³ patches of length 1 do not overflow.
  static let unit = 0x1p30

  /// No patches.
  package init(width: Int) { values = [Int64](repeating: 0, count: width) }

  /// Sums as stored.
  init(patches: Int64, values: [Int64]) {
    self.patches = patches
    self.values = values
  }

  /// Adds patches of length 1.
  package mutating func add(_ directions: MatrixView<Float>) {
    for row in 0..<directions.rows {
      directions.withRow(row) { span in
        for index in span.indices {
          values[index] &+= Int64((Double(span[index]) * Self.unit).rounded())
        }
      }
    }
    patches &+= Int64(directions.rows)
  }

  /// Adds other sums.
  mutating func add(_ other: PatchSums) {
    precondition(values.count == other.values.count, "sums of different widths")
    patches &+= other.patches
    for index in values.indices { values[index] &+= other.values[index] }
  }

  /// Each word's score averaged over all patches.
  ///
  /// - Parameters:
  ///   - words: the words that the labels were made with.
  ///   - sign: the sign of the scores.
  ///   - kernels: the products.
  /// - Returns: `[words]`, or nil without patches.
  /// - Throws: `FileError.outOfMemory`.
  package func meanScores(
    _ words: WordMatrix,
    sign: ScoreSign,
    with kernels: Kernels
  )
    throws(FileError) -> [Float]?
  {
    guard patches > 0, words.width == values.count else { return nil }
    let scale = Double(sign.factor) / Self.unit / Double(patches)
    let mean = try MatrixView(values.map { Float(Double($0) * scale) }, columns: values.count)
    let scores = try MatrixView<Float>(rows: 1, columns: words.count)
    kernels.multiply(mean, words.exact, rows: 0..<words.count, bias: nil, into: scores)
    return scores.array()
  }

  /// The sums as bytes: patches, then values, eight bytes each.
  var bytes: [UInt8] { ([patches] + values).flatMap { LittleEndian.bytes($0) } }

  /// Reads sums of `width` values.
  ///
  /// - Precondition: the view has `8 + 8 · width` bytes.
  init(_ bytes: ByteView, width: Int) {
    patches = bytes.loadLittleEndian(at: 0, as: Int64.self)
    values = (0..<width).map { bytes.loadLittleEndian(at: 8 + 8 * $0, as: Int64.self) }
  }
}
