// SPDX-License-Identifier: Apache-2.0
// Scores without what all words share: as CLIP Surgery computes them, product by product.

import Foundation
import SEALabels
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct FeatureSurgeryTests {
  /// The published computation in double precision: elementwise products of every patch with every
  /// word, weighed, less their mean over the words, summed.
  private static func similarities(
    _ patches: [[Double]],
    _ words: [[Double]],
    picture: [Double]
  ) -> [[Double]] {
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let exponentials = words.map { exp(2 * dot(picture, $0)) }
    let sum = exponentials.reduce(0, +)
    let probabilities = exponentials.map { $0 / sum }
    let mean = probabilities.reduce(0, +) / Double(words.count)
    let weights = probabilities.map { $0 / mean }
    return patches.map { patch in
      let products = zip(words, weights).map { word, weight in
        zip(patch, word).map { $0 * $1 * weight }
      }
      let redundant = patch.indices.map { column in
        products.reduce(0) { $0 + $1[column] } / Double(words.count)
      }
      return products.map { zip($0, redundant).reduce(0) { $0 + $1.0 - $1.1 } }
    }
  }

  private static func rows(_ matrix: MatrixView<Float>) -> [[Double]] {
    (0..<matrix.rows).map { row in matrix.rows(row..<row + 1).array().map { Double($0) } }
  }

  @Test(arguments: [(9, 60, 32, 5), (4, 700, 48, 10), (3, 7, 16, 10)])
  func labelsAreThoseOfTheScalarComputation(
    patches: Int,
    words: Int,
    width: Int,
    topN: Int
  ) throws {
    // Words and patches with much in common, as towers make them.
    let seen = try directions(patches, width, seed: 21, common: 1)
    let list = try directions(words, width, seed: 22, common: 1)
    let picture = try directions(1, width, seed: 23, common: 1)
    let wanted = Self.similarities(
      Self.rows(seen),
      Self.rows(list),
      picture: Self.rows(picture)[0]
    )
    for threads in [1, 3] {
      let execution = try execution(threads)
      let matrix = try WordMatrix(list, pool: execution.pool)
      let surgery = FeatureSurgery(matrix, topN: topN, on: execution)
      let found = try surgery.match(seen, picture: picture)
      for (patch, labels) in found.enumerated() {
        let scores = wanted[patch]
        let positive = scores.indices.filter { scores[$0] > 1e-6 }
        let best = positive.sorted { scores[$0] > scores[$1] }.prefix(topN)
        #expect(labels.count >= best.count && labels.count <= topN)
        for (label, index) in zip(labels, best) {
          // Words closer than rounding may change places.
          #expect(abs(scores[label.word] - scores[index]) < 1e-5)
          #expect(abs(Double(label.score) - scores[label.word]) < 1e-5)
        }
      }
    }
  }

  @Test func whatIsSharedScoresNothing() throws {
    let one = try directions(1, 24, seed: 31)
    let words = try MatrixView<Float>((0..<5).flatMap { _ in one.array() }, columns: 24)
    let execution = try execution(1)
    let surgery = FeatureSurgery(
      try WordMatrix(words, pool: execution.pool),
      topN: 3,
      on: execution
    )
    let found = try surgery.match(one, picture: one)
    #expect(found.count == 1)
    #expect(found[0].allSatisfy { $0.score < 1e-6 })
  }
}
