// SPDX-License-Identifier: Apache-2.0
// Short answers come into the forms that the public scripts give them, slips included.

import SEAEvaluator
import Testing

@Suite struct AnswerNormalizerTests {
  @Test(arguments: [
    ("A dog.", "dog"), ("the Two  dogs", "2 dogs"), ("1,000", "1000"), ("3.5", "3.5"),
    ("Pepsi's can", "pepsi 's can"), ("red-white", "red white"), ("u.s.a.", "usa"),
    ("10:30", "10:30"), ("a/b", "b"), ("N/A", "n"), ("None", "0"), ("...", ""),
    ("isnt it", "isn't it"), ("12,5 and a-b", "125 and b"), ("$4.99", "$4.99"),
  ])
  func givesTheReferenceForms(_ text: String, _ form: String) {
    #expect(AnswerNormalizer.normalize(text) == form)
  }

  @Test(arguments: [
    // A mark beside a space anywhere goes everywhere.
    ("a-b c- d", "ab c d"), ("x -y-z", "x yz"),
    // Line ends and tabs become spaces.
    ("\tred\nboat ", "red boat"),
    // A period before a digit stays, even after a letter.
    ("v.2.", "v.2"), (".5", ".5"),
    // Articles and numbers.
    ("An apple and the pear", "apple and pear"), ("ten", "10"), ("eleven", "eleven"),
    // Contractions are looked up in lower case, so entries with capitals never match.
    ("Im", "im"), ("Ive", "ive"), ("dont", "don't"), ("somebody'd", "somebodyd"),
    ("what?", "what"), ("(yes)", "yes"), ("", ""),
  ])
  func followsTheScript(_ text: String, _ form: String) {
    #expect(AnswerNormalizer.normalize(text) == form)
  }

  @Test func removesThirtyTwoPeriodsAndNoMore() {
    let text = String(repeating: "x.y", count: 40)
    let form = AnswerNormalizer.normalize(text)
    #expect(form.filter { $0 == "." }.count == 8)
    #expect(form.hasPrefix("xyxy") && form.hasSuffix("x.yx.y"))
  }

  @Test func anyNumberCommaDeletesAllMarksInTheOfficialForm() {
    #expect(AnswerNormalizer.official("1,000 a-b") == "1000 ab")
    #expect(AnswerNormalizer.official("1000 a-b") == "1000 b")
  }

  @Test func tableHasAHundredAndTwentyContractions() {
    #expect(Contractions.table.count == 120)
    #expect(Contractions.table["Id've"] == "I'd've")
    #expect(Contractions.table["ow's'at"] == "'ow's'at")
  }
}

@Suite struct VQAScoreTests {
  private let answers =
    ["nokia", "nokia", "nokia", "Nokia.", "samsung", "samsung", "a phone", "phone", "lg", "the lg"]

  @Test(arguments: [("nokia", 1.0), ("samsung", 0.6), ("phone", 0.6), ("lg", 0.6), ("apple", 0)])
  func givesTheReferenceSoftScores(_ prediction: String, _ score: Double) {
    #expect(abs(VQAScore.text(prediction, among: answers) - score) < 1e-12)
  }

  @Test func leavesOnePersonOut() {
    func score(_ count: Int) -> Double {
      let answers = (0..<10).map { $0 < count ? "yes" : "no \($0)" }
      return VQAScore.official("yes", among: answers)
    }
    #expect(abs(score(1) - 0.3) < 1e-12)
    #expect(abs(score(2) - 0.6) < 1e-12)
    #expect(abs(score(3) - 0.9) < 1e-12)
    #expect(score(4) == 1)
  }

  @Test func putsWordsInOrderOnlyWherePeopleDiffer() {
    let alike = [String](repeating: "yes", count: 10)
    #expect(VQAScore.official("yes\n", among: alike) == 1)
    #expect(VQAScore.official("Yes", among: alike) == 0)
    #expect(VQAScore.official("yes.", among: alike) == 0)
    let different = ["no"] + alike.dropLast()
    #expect(VQAScore.official("Yes.", among: different) == 1)
    #expect(VQAScore.official("the yes", among: different) == 1)
  }
}

@Suite struct StatisticsTests {
  @Test func wilsonIntervalsAreTheKnownOnes() {
    // Newcombe (1998), table I.
    let first = Statistics.wilson(hits: 81, count: 263)
    #expect(abs(first.low - 0.2553) < 5e-5 && abs(first.high - 0.3662) < 5e-5)
    let second = Statistics.wilson(hits: 15, count: 148)
    #expect(abs(second.low - 0.0624) < 5e-5 && abs(second.high - 0.1605) < 5e-5)
    let none = Statistics.wilson(hits: 0, count: 20)
    #expect(none.low == 0 && abs(none.high - 0.1611) < 5e-5)
  }

  @Test(arguments: [
    (0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (0, 6, 0.03125), (1, 9, 0.021484375),
    (10, 2, 0.03857421875), (3, 3, 1.0),
  ])
  func mcNemarIsTheExactBinomial(_ better: Int, _ worse: Int, _ p: Double) {
    #expect(abs(Statistics.mcNemar(better: better, worse: worse) - p) < 1e-12)
  }

  @Test func mcNemarStandsLargeCounts() {
    let p = Statistics.mcNemar(better: 5300, worse: 5000)
    // The normal approximation with continuity correction gives 0.00321.
    #expect(abs(p - 0.0032) < 1e-4)
    #expect(Statistics.mcNemar(better: 40_000, worse: 100) < 1e-300)
  }

  @Test func bootstrapIsTheSameEveryTimeAndAboutRight() {
    let values = (0..<400).map { $0 % 4 == 0 ? 0.6 : 0.3 }
    let interval = Statistics.bootstrap(meanOf: values)
    #expect(interval == Statistics.bootstrap(meanOf: values))
    let mean = 0.375
    let spread = 1.96 * (0.3 * 0.3 * 0.25 * 0.75 / 400).squareRoot()
    #expect(abs(interval.low - (mean - spread)) < 0.003)
    #expect(abs(interval.high - (mean + spread)) < 0.003)
  }
}
