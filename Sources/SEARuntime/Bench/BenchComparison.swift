// SPDX-License-Identifier: Apache-2.0
// Two runs side by side: a difference counts only where the ranges do not meet.

package import SEAFormat

/// What became of a line since an older run.
package struct BenchComparison: Sendable, Equatable {
  /// Whether a line changed.
  package enum Verdict: String, Sendable {
    /// Every value is below all older ones.
    case faster
    /// Every value is above all older ones.
    case slower
    /// The ranges meet: noise explains what difference there is.
    case same = "no difference"
    /// The older run lacks the line.
    case new
  }

  /// The line's name.
  package let name: String
  package let verdict: Verdict
  /// Older median over the newer one: above 1 is faster; 0 for new lines.
  package let speedup: Double
  /// Seconds of the older run.
  package let older: BenchSeries

  /// Compares the lines of a run with those of an older one's JSON.
  ///
  /// - Throws: `BenchError.notComparable` when the JSON is of another form.
  package static func compare(
    _ report: BenchReport,
    with older: JSONValue
  ) throws(BenchError) -> [BenchComparison] {
    guard older["schema"]?.string == BenchReport.schema, let lines = older["measures"]?.array
    else { throw .notComparable(expected: BenchReport.schema) }
    return report.measures.map { measure in
      let match = lines.first {
        $0["stage"]?.string == measure.stage.rawValue && $0["tokens"]?.int == measure.tokens
          && $0["depth"]?.int == measure.depth
      }
      return BenchComparison(measure, older: BenchSeries(json: match?["seconds"]))
    }
  }

  /// Compares seconds of a stage.
  package init(stage: BenchStage, now: [Double], older: [Double]) {
    var measure = BenchMeasure(stage: stage)
    measure.seconds = BenchSeries(now)
    self.init(measure, older: BenchSeries(older))
  }

  init(_ measure: BenchMeasure, older: BenchSeries?) {
    name = measure.name
    let now = measure.seconds
    guard let older, !now.isEmpty else {
      (verdict, speedup, self.older) = (.new, 0, BenchSeries())
      return
    }
    self.older = older
    speedup = now.median > 0 ? older.median / now.median : 0
    if now.overlaps(older) {
      verdict = .same
    } else {
      verdict = now.maximum < older.minimum ? .faster : .slower
    }
  }

  /// The line as JSON.
  package var json: JSONValue {
    [
      "name": .string(name), "verdict": .string(verdict.rawValue),
      "speedup": BenchSeries.number(speedup), "older_seconds": older.json,
    ]
  }
}

/// Why a benchmark cannot run or be compared.
package enum BenchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The model has no part that any of the stages needs.
  case nothingToMeasure(path: String)
  /// The older result is not one.
  case notComparable(expected: String)
  /// The caller did not want more.
  case cancelled

  package var description: String {
    switch self {
    case .nothingToMeasure(let path):
      "\(path.printable(limit: 4096)): has no part that the chosen stages measure"
    case .notComparable(let expected): "not a benchmark's result: expected schema '\(expected)'"
    case .cancelled: "interrupted"
    }
  }
}
