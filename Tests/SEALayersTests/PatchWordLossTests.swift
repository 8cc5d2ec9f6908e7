// SPDX-License-Identifier: Apache-2.0
// The loss of patches and words against its definition and against differences.

import Foundation
import SEALayers
import SEATensor
import TestSupport
import Testing

@Suite struct PatchWordLossTests {
  private static let width = 6

  /// Patches with none, one, two and three words, at different weights.
  private static func shown(_ patches: Int, of words: Int) -> PatchWords {
    var shown = PatchWords()
    for patch in 0..<patches {
      let own = (0..<patch % 4).map { Int32((patch + 3 * $0) % words) }
      shown.add(own, weight: patch % 3 == 0 ? 0.25 : 1)
    }
    return shown
  }

  private func run(
    _ x: [Float],
    _ t: [Float],
    _ p: Float,
    _ shown: PatchWords,
    weight: Float = 1,
    threads: Int = 2
  ) throws -> (result: PatchWordResult, dx: [Float], dt: [Float]) {
    let (patches, words) = (
      try MatrixView(x, columns: Self.width), try MatrixView(t, columns: Self.width)
    )
    let dx = try MatrixView<Float>(rows: patches.rows, columns: Self.width)
    let dt = try MatrixView<Float>(rows: words.rows, columns: Self.width)
    let result = try PatchWordLoss(on: try execution(.bfloat16, threads: threads)).run(
      patches,
      words,
      shown: shown,
      logScale: p,
      weight: weight,
      dpatches: dx,
      dwords: dt
    )
    return (result, dx.array(), dt.array())
  }

  /// The definition, in f64.
  private func reference(_ x: [Float], _ t: [Float], _ p: Float, _ shown: PatchWords) -> Double {
    let width = Self.width
    func unit(_ rows: [Float], _ row: Int) -> [Double] {
      let values = rows[row * width..<(row + 1) * width].map { Double($0) }
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return values.map { $0 / length }
    }
    let words = (0..<t.count / width).map { unit(t, $0) }
    var (loss, total) = (0.0, 0.0)
    for patch in 0..<shown.count {
      let own = shown.words(of: patch).map { Int($0) }
      let direction = unit(x, patch)
      let scores = words.map { word in
        zip(direction, word).reduce(0) { $0 + $1.0 * $1.1 } * exp(Double(p))
      }
      let others = words.indices.filter { !own.contains($0) }.reduce(0) { $0 + exp(scores[$1]) }
      let weight = Double(shown.weights[patch])
      for word in own { loss += weight * (log(exp(scores[word]) + others) - scores[word]) }
      total += weight * Double(own.count)
    }
    return loss / total
  }

  @Test(arguments: [7, 600]) func meetsItsDefinition(patches: Int) throws {
    var random = SeededRandom(seed: 40)
    let (x, t) = (random.floats(patches * Self.width), random.floats(11 * Self.width))
    let shown = Self.shown(patches, of: 11)
    for p: Float in [0, 2.6, 4.6] {
      let found = try run(x, t, p, shown).result.loss
      let wanted = reference(x, t, p, shown)
      #expect(abs(found - wanted) <= 2e-5 * wanted)
    }
  }

  @Test func gradientsMeetDifferences() throws {
    var random = SeededRandom(seed: 41)
    let (x, t) = (random.floats(9 * Self.width), random.floats(11 * Self.width))
    let shown = Self.shown(9, of: 11)
    let found = try run(x, t, 1.7, shown)
    func slope(_ value: (Float) -> Double) -> Float {
      Float((value(0.005) - value(-0.005)) / 0.01)
    }
    func moved(_ values: [Float], _ index: Int, by h: Float) -> [Float] {
      var values = values
      values[index] += h
      return values
    }
    let dx = x.indices.map { index in
      slope { reference(moved(x, index, by: $0), t, 1.7, shown) }
    }
    let dt = t.indices.map { index in
      slope { reference(x, moved(t, index, by: $0), 1.7, shown) }
    }
    expectClose(found.dx, dx, relative: 2e-3, "dx")
    expectClose(found.dt, dt, relative: 2e-3, "dt")
    let dp = slope { reference(x, t, 1.7 + $0, shown) }
    #expect(abs(found.result.logScaleGradient - Double(dp)) < 1e-3)
  }

  @Test func weightScalesGradientsAloneAndThreadsChangeNothing() throws {
    var random = SeededRandom(seed: 42)
    let (x, t) = (random.floats(1100 * Self.width), random.floats(30 * Self.width))
    let shown = Self.shown(1100, of: 30)
    let one = try run(x, t, 2, shown, threads: 1)
    let two = try run(x, t, 2, shown, threads: 2)
    #expect(one.result == two.result && one.dx == two.dx && one.dt == two.dt)
    let half = try run(x, t, 2, shown, weight: 0.5)
    #expect(half.result.loss == one.result.loss)
    #expect(half.dx.map { $0 * 2 } == one.dx)
  }

  @Test func refusesWordsThatDoNotFit() throws {
    var random = SeededRandom(seed: 43)
    let (x, t) = (random.floats(Self.width), random.floats(3 * Self.width))
    for words: [Int32] in [[3], [-1], [1, 1], [0, 1, 2]] {
      var shown = PatchWords()
      shown.add(words, weight: 1)
      #expect(throws: LayerError.self) { _ = try run(x, t, 1, shown) }
    }
    #expect(throws: LayerError.self) { _ = try run(x, t, 1, PatchWords()) }
    var nothing = PatchWords()
    nothing.add([Int32](), weight: 1)
    #expect(try run(x, t, 1, nothing).result.loss == 0)
  }
}
