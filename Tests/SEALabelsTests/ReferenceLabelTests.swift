// SPDX-License-Identifier: Apache-2.0
// Labels of a picture from pixels and words, against PyTorch's.

import SEALabels
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite struct ReferenceLabelTests {
  private struct Outcome {
    let cosines: [Double]
    let matches: [ScoreSign: PatchMatches]
  }

  private static func outcome() throws -> Outcome {
    let folder = try Folder()
    let execution = try execution()
    let cache = try LabelCache(folder: folder / "cache")
    let encoder = try Encoders.open(cache, on: execution)
    let words = try Encoders.words()
    let matrix = try WordEmbedding(encoder, words: words, prompts: .bare, on: execution)
      .matrix(cache: cache)
    let patches = try PatchEncoder(
      encoder,
      feature: .standard(for: encoder.encoder),
      on: execution
    ).directions(of: pixels(Encoders.clip))
    let cosines = try MatrixView<Float>(rows: patches.rows, columns: words.count)
    execution.kernels.multiply(
      patches,
      matrix.exact,
      rows: 0..<words.count,
      bias: nil,
      into: cosines
    )
    let matcher = Matcher(matrix, topN: 10, on: execution)
    return Outcome(
      cosines: cosines.array().map { Double($0) },
      matches: [
        .negative: try matcher.match(patches, sign: .negative),
        .positive: try matcher.match(patches, sign: .positive),
      ]
    )
  }

  @Test func labelsOfBothSignsAreTheReferences() throws {
    let wanted = try values(Fixtures.path("SEALabelsTests", "labels.safetensors"))
    let found = try Self.outcome()
    let cosines = try #require(wanted["cosine"])
    #expect(found.cosines.count == cosines.count)
    for (left, right) in zip(found.cosines, cosines) { #expect(abs(left - right) < 1e-5) }
    for (sign, name) in [(ScoreSign.negative, "negative"), (.positive, "positive")] {
      let matches = try #require(found.matches[sign])
      let indices = try #require(wanted["\(name).top10.index"])
      let scores = try #require(wanted["\(name).top10.score"])
      let counts = try #require(wanted["\(name).count"])
      let probabilities = try #require(wanted["\(name).sampling_prob"])
      #expect(matches.patches == counts.count)
      for (patch, labels) in matches.labels.enumerated() {
        #expect(labels.count == Int(counts[patch]))
        let shares = WindowSampler.probabilities(labels)
        for rank in 0..<10 {
          let place = patch * 10 + rank
          guard rank < labels.count else {
            #expect(indices[place] == -1)
            continue
          }
          #expect(labels[rank].word == Int(indices[place]))
          #expect(abs(Double(labels[rank].score) - scores[place]) < 1e-5)
          #expect(abs(shares[rank] - probabilities[place]) < 1e-4)
        }
      }
    }
  }

  @Test func drawsFollowTheProbabilities() {
    let labels = [(0, 0.30), (1, 0.10), (2, 0.05)].map {
      PatchLabel(word: $0.0, score: Float($0.1))
    }
    // reference.md L: 2/3, 2/9, 1/9.
    let shares = WindowSampler.probabilities(labels)
    let expected: [Double] = [2.0 / 3, 2.0 / 9, 1.0 / 9]
    for (found, wanted) in zip(shares, expected) { #expect(abs(found - wanted) < 1e-7) }
    #expect(WindowSampler.draw(labels, 0).word == 0)
    #expect(WindowSampler.draw(labels, 0.66).word == 0)
    #expect(WindowSampler.draw(labels, 0.67).word == 1)
    #expect(WindowSampler.draw(labels, 0.88).word == 1)
    #expect(WindowSampler.draw(labels, 0.89).word == 2)
    #expect(WindowSampler.draw(labels, 1 - 0x1p-53).word == 2)
  }
}
