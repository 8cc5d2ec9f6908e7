// SPDX-License-Identifier: Apache-2.0
// Choosing tokens and ending text.

import SEARuntime
import Testing

@Suite struct SamplerTests {
  static func options(_ change: (inout SamplingOptions) -> Void) -> SamplingOptions {
    var options = SamplingOptions()
    change(&options)
    return options
  }

  static func draw(
    _ scores: [Float],
    _ options: SamplingOptions,
    count: Int = 4000
  ) -> [Int32: Int] {
    var sampler = Sampler(options, vocab: scores.count)
    var counts: [Int32: Int] = [:]
    for _ in 0..<count {
      if let id = sampler.choose(scores.span) { counts[id, default: 0] += 1 }
    }
    return counts
  }

  @Test func greedyTakesTheFirstOfTheBest() {
    var sampler = Sampler(SamplingOptions(), vocab: 5)
    #expect(sampler.choose(([1, 3, 2, 3, 0] as [Float]).span) == 1)
    #expect(sampler.choose(([-5, -3, -9] as [Float]).span) == 1)
    #expect(sampler.choose(([.nan, 1, .nan, 2] as [Float]).span) == 3)
    #expect(sampler.choose(([.nan, .nan] as [Float]).span) == nil)
    #expect(sampler.choose(([-.infinity, -.infinity] as [Float]).span) == 0)
    #expect(sampler.choose(([0, .infinity] as [Float]).span) == 1)
  }

  @Test func drawsFollowTheProbabilities() {
    let scores: [Float] = [0, 1, 2, -1]
    let counts = Self.draw(scores, Self.options { $0.temperature = 2 }, count: 20_000)
    let weights = [1, 1.6487212707, 2.7182818285, 0.6065306597]
    let total = weights.reduce(0, +)
    for (id, weight) in weights.enumerated() {
      let probability = weight / total
      let share = Double(counts[Int32(id)] ?? 0) / 20_000
      // Five standard deviations of a binomial share.
      let deviation = (probability * (1 - probability) / 20_000).squareRoot()
      #expect(abs(share - probability) < 5 * deviation)
    }
  }

  @Test func limitsCutTheTail() {
    let scores: [Float] = [3, 1, 2, 0, 3]
    let k = Self.draw(scores, Self.options { ($0.temperature, $0.topK) = (1, 3) })
    #expect(Set(k.keys) == [0, 2, 4])
    let one = Self.draw(scores, Self.options { ($0.temperature, $0.topK) = (1, 1) })
    #expect(Set(one.keys) == [0], "ties go to the smaller id")
    // Probabilities 0.389, 0.389, 0.143, 0.053, 0.019: 0.8 needs the third.
    let p = Self.draw(scores, Self.options { ($0.temperature, $0.topP) = (1, 0.8) })
    #expect(Set(p.keys) == [0, 2, 4])
    let tiny = Self.draw(scores, Self.options { ($0.temperature, $0.topP) = (1, 1e-9) })
    #expect(Set(tiny.keys) == [0])
    // e^-2 = 0.135 of the best is kept, e^-3 = 0.050 is not.
    let m = Self.draw(scores, Self.options { ($0.temperature, $0.minP) = (1, 0.1) })
    #expect(Set(m.keys) == [0, 1, 2, 4])
  }

  @Test func repetitionIsPenalised() {
    var sampler = Sampler(Self.options { $0.repeatPenalty = 2 }, vocab: 3)
    let scores: [Float] = [3, 2, -1]
    #expect(sampler.choose(scores.span) == 0)
    sampler.see(0)
    #expect(sampler.choose(scores.span) == 1)
    sampler.see(1)
    #expect(sampler.choose(scores.span) == 0)
    sampler.see(-200)
    sampler.see(99)
    let negative: [Float] = [-1, -1.5, -2.5]
    #expect(sampler.choose(negative.span) == 0, "-2, -3 and -2.5")
  }

  @Test func optionsWithoutMeaningAreRefused() throws {
    try SamplingOptions().validate()
    for options in [
      Self.options { $0.temperature = -1 }, Self.options { $0.temperature = .nan },
      Self.options { $0.temperature = .infinity }, Self.options { $0.topK = -1 },
      Self.options { $0.topP = 0 }, Self.options { $0.topP = 1.1 },
      Self.options { $0.minP = -0.1 }, Self.options { $0.minP = .nan },
      Self.options { $0.repeatPenalty = 0 },
    ] {
      #expect(throws: RuntimeError.self) { try options.validate() }
    }
  }
}

@Suite struct StopRuleTests {
  /// Pushes pieces and returns what came out of each, the end last.
  static func run(_ pieces: [String], stops: [String]) -> (parts: [String], isStopped: Bool) {
    var answer = AnswerText(StopRule(texts: stops))
    var parts = pieces.map { String(decoding: answer.push(Array($0.utf8)), as: UTF8.self) }
    parts.append(String(decoding: answer.finish(), as: UTF8.self))
    return (parts, answer.isStopped)
  }

  @Test func textPassesAsItComes() {
    let run = Self.run(["Two", " cats", "."], stops: [])
    #expect(run.parts == ["Two", " cats", ".", ""] && !run.isStopped)
  }

  @Test func stopTextsAreFoundAcrossTokens() {
    let run = Self.run(["A cat", "#", "#", "# and more", "never"], stops: ["###"])
    #expect(run.parts == ["A cat", "", "", "", "", ""] && run.isStopped)
    let inside = Self.run(["x###y"], stops: ["###"])
    #expect(inside.parts == ["x", ""] && inside.isStopped)
  }

  @Test func whatLookedLikeAStopIsGivenBack() {
    let run = Self.run(["a#", "#b", "##"], stops: ["###"])
    #expect(run.parts == ["a", "##b", "", "##"] && !run.isStopped)
    let overlap = Self.run(["ababa", "c"], stops: ["abac"])
    #expect(overlap.parts == ["ab", "", ""] && overlap.isStopped)
  }

  @Test func theEarliestStopWins() {
    let run = Self.run(["one STOP two END"], stops: ["END", "STOP"])
    #expect(run.parts == ["one", ""] && run.isStopped)
  }

  @Test func spaceAtTheEndsIsLeftOut() {
    let run = Self.run([" ", "\n", " A", " dog ", "\n", "runs", " \n"], stops: [])
    #expect(run.parts == ["", "", "A", " dog", "", " \nruns", "", ""])
    #expect(Self.run(["  "], stops: []).parts == ["", ""])
    #expect(Self.run(["a  ", "END"], stops: ["END"]).parts == ["a", "", ""])
  }

  @Test func charactersOfSeveralBytesStayWhole() {
    // The first byte of "é" is the first byte of the stop text "è".
    let run = Self.run(["caf", "é!", "è"], stops: ["è"])
    #expect(run.parts == ["caf", "é!", "", ""] && run.isStopped)
  }

  @Test func emptyStopTextsStopNothing() {
    #expect(StopRule(texts: ["", "x"]).texts == [[0x78]])
  }
}
