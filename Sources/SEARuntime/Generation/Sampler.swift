// SPDX-License-Identifier: Apache-2.0
// Draws tokens; the same seed and scores give the same tokens on every machine.

import Glibc
import SEATensor

/// Chooses the next token of one sequence.
///
/// The steps run in the order penalty, temperature, top-k, top-p, min-p; ties go to the smaller id.
package struct Sampler {
  private struct Candidate {
    var id: Int
    /// Score over temperature, less the largest.
    var score: Double
  }

  private let options: SamplingOptions
  private var random: UInt64
  private var isSeen: [Bool]
  private var candidates: [Candidate] = []

  /// Candidates less probable than e^-40 of the best cannot be drawn in practice.
  private static let lowestScore = -40.0

  /// A sampler over `vocab` tokens.
  package init(_ options: SamplingOptions, vocab: Int) {
    self.options = options
    random = options.seed
    isSeen = Array(repeating: false, count: options.repeatPenalty == 1 ? 0 : vocab)
    if options.temperature > 0 { candidates.reserveCapacity(vocab) }
  }

  /// Remembers a token for the repeat penalty.
  package mutating func see(_ id: Int32) {
    let index = Int(id)
    if isSeen.indices.contains(index) { isSeen[index] = true }
  }

  /// Chooses the next token.
  ///
  /// - Parameter logits: `[vocab]`.
  /// - Returns: the token, or nil when no score is a number.
  package mutating func choose(_ logits: Span<Float>) -> Int32? {
    guard let (best, maximum) = largest(logits) else { return nil }
    guard options.temperature > 0, maximum.isFinite else { return Int32(best) }
    gather(logits, maximum: maximum)
    keepMostProbable()
    return Int32(draw(best))
  }

  // MARK: - Steps

  private func score(_ logits: Span<Float>, _ id: Int) -> Double {
    let score = Double(logits[id])
    guard !isSeen.isEmpty, isSeen[id] else { return score }
    return score > 0 ? score / options.repeatPenalty : score * options.repeatPenalty
  }

  private func largest(_ logits: Span<Float>) -> (id: Int, score: Double)? {
    var best = -1
    var maximum = -Double.infinity
    if isSeen.isEmpty {
      var top = -Float.infinity
      for id in logits.indices where logits[id] > top || (best < 0 && logits[id] == top) {
        (best, top) = (id, logits[id])
      }
      maximum = Double(top)
    } else {
      for id in logits.indices {
        let score = score(logits, id)
        if score > maximum || (best < 0 && score == maximum) { (best, maximum) = (id, score) }
      }
    }
    return best < 0 ? nil : (best, maximum)
  }

  private mutating func gather(_ logits: Span<Float>, maximum: Double) {
    candidates.removeAll(keepingCapacity: true)
    for id in logits.indices {
      let score = (self.score(logits, id) - maximum) / options.temperature
      if score > Self.lowestScore { candidates.append(Candidate(id: id, score: score)) }
    }
  }

  /// Applies top-k, top-p and min-p to the candidates.
  private mutating func keepMostProbable() {
    if options.topK > 0 || options.topP < 1 {
      candidates.sort { ($0.score, $1.id) > ($1.score, $0.id) }
      if options.topK > 0, options.topK < candidates.count {
        candidates.removeLast(candidates.count - options.topK)
      }
      if options.topP < 1 { keepNucleus() }
    }
    if options.minP > 0 {
      let lowest = log(options.minP)
      candidates.removeAll { $0.score < lowest }
    }
  }

  /// Keeps the smallest head of the sorted candidates whose probability reaches top-p.
  private mutating func keepNucleus() {
    let total = candidates.reduce(0) { $0 + exp($1.score) }
    var sum = 0.0
    for index in candidates.indices {
      sum += exp(candidates[index].score)
      if sum >= options.topP * total {
        candidates.removeLast(candidates.count - index - 1)
        return
      }
    }
  }

  private mutating func draw(_ best: Int) -> Int {
    let total = candidates.reduce(0) { $0 + exp($1.score) }
    var rest = uniform() * total
    for candidate in candidates {
      rest -= exp(candidate.score)
      if rest < 0 { return candidate.id }
    }
    // Rounding can leave a sliver past the last candidate.
    return candidates.last?.id ?? best
  }

  /// A number in 0..<1 (SplitMix64, 53 bits).
  private mutating func uniform() -> Double {
    random &+= 0x9E37_79B9_7F4A_7C15
    var z = random
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    return Double(z >> 11) * 0x1p-53
  }
}
