// SPDX-License-Identifier: Apache-2.0
// A benchmark's result as people, documents and spreadsheets read it.

import SEACommandLine
import SEAFormat
import SEARuntime
import SEATensor

/// The lines of a report.
struct BenchTable {
  private let report: BenchReport
  private let comparisons: [BenchComparison]

  init(_ report: BenchReport, comparisons: [BenchComparison]) {
    self.report = report
    self.comparisons = comparisons
  }

  // MARK: - Cells

  private var hasLimits: Bool { report.measures.contains { !$0.shares.isEmpty } }

  private var head: [String] {
    ["stage", "median ms", "min", "max", "tokens/s", "rate"]
      + (hasLimits ? ["limit", "share"] : [])
      + (comparisons.isEmpty ? [] : ["older ms", "against older"])
  }

  private func cells(_ measure: BenchMeasure) -> [String] {
    let seconds = measure.seconds
    var cells = [
      measure.name, Self.milliseconds(seconds.median), Self.milliseconds(seconds.minimum),
      Self.milliseconds(seconds.maximum),
      measure.tokensPerSecond.map { Quantity.decimal($0, places: $0 < 100 ? 2 : 0) } ?? "",
      measure.rate.map { Self.rate($0, isBytes: measure.work?.limit == "read") } ?? "",
    ]
    if hasLimits {
      let name = measure.work?.limit ?? ""
      let rate =
        measure.limits.isEmpty
        ? "" : " " + Self.rate(measure.limits.median, isBytes: name == "read")
      cells.append(measure.limits.isEmpty ? "" : name + rate)
      cells.append(measure.shares.isEmpty ? "" : Self.percent(measure.shares.median))
    }
    if let comparison = comparisons.first(where: { $0.name == measure.name }) {
      cells.append(
        comparison.older.isEmpty ? "" : Self.milliseconds(comparison.older.median)
      )
      let factor =
        comparison.verdict == .faster || comparison.verdict == .slower
        ? " \(Quantity.decimal(comparison.speedup, places: 3))×" : ""
      cells.append(comparison.verdict.rawValue + factor)
    }
    return cells
  }

  /// What stands beside the table.
  private var notes: [String] {
    var notes = [
      "\(report.model.printable()), \(report.weights), \(Quantity.bytes(report.fileBytes)); "
        + "\(report.processor.printable()), \(report.threads) threads, "
        + "\(report.instructionSet.rawValue), cache \(report.cacheType.rawValue), "
        + "\(report.repeats) rounds"
    ]
    if let ratio = report.firstTokenRatio {
      notes.append("first token over the sum of its parts: \(Quantity.decimal(ratio, places: 3))")
    }
    for measure in report.measures {
      guard let method = measure.heapMethod, !measure.heap.isEmpty else { continue }
      let most = Int(measure.heap.maximum)
      notes.append(
        method == .calls
          ? "\(measure.name): \(most) allocations in the loop at most"
          : "\(measure.name): the heap grew by \(most) bytes at most (glibc does not count calls)"
      )
    }
    if let memory = report.memory {
      notes.append(
        "memory: \(Quantity.bytes(memory.peak)) resident at most, "
          + "\(Quantity.bytes(memory.anonymous)) of this process, "
          + "\(Quantity.bytes(memory.file)) of files; in 2 MiB pages "
          + "\(Quantity.bytes(memory.fileHuge)) of files, "
          + "\(Quantity.bytes(memory.anonymousHuge)) of this process"
      )
    }
    for limit in report.limits {
      notes.append(
        "limit \(limit.name): \(Self.rate(limit.rates.median, isBytes: limit.isBytes)) "
          + "(\(Self.rate(limit.rates.minimum, isBytes: limit.isBytes)) to "
          + "\(Self.rate(limit.rates.maximum, isBytes: limit.isBytes)))"
      )
    }
    for measure in report.measures {
      guard let profile = measure.profile else { continue }
      let parts = profile.parts.map { "\($0.name) \(Self.percent($0.share))" }
      notes.append("\(measure.name): \(parts.joined(separator: ", "))")
    }
    return notes
  }

  // MARK: - Forms

  /// Columns side by side, then the notes.
  var text: [String] {
    let rows = [head] + report.measures.map(cells)
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      row.enumerated().map { column, cell in
        let gap = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + gap : gap + cell
      }.joined(separator: "  ")
    }
    return (report.measures.isEmpty ? [] : lines) + notes
  }

  /// A Markdown table, then the notes as a list.
  var markdown: [String] {
    let rule = head.indices.map { $0 == 0 ? "---" : "---:" }
    let rows = [head, rule] + report.measures.map(cells)
    let lines = rows.map { "| " + $0.joined(separator: " | ") + " |" }
    return (report.measures.isEmpty ? [] : lines + [""]) + notes.map { "- \($0)" }
  }

  /// A line for every value, in seconds, operations and bytes.
  var csv: [String] {
    var lines = ["stage,tokens,depth,round,seconds,limit,limit_per_second,work,share"]
    for measure in report.measures {
      for (round, value) in measure.seconds.values.enumerated() {
        func entry(_ series: BenchSeries) -> String {
          series.values.indices.contains(round) ? "\(series.values[round])" : ""
        }
        lines.append(
          [
            measure.stage.rawValue, measure.tokens.map(String.init) ?? "",
            measure.depth.map(String.init) ?? "", "\(round + 1)", "\(value)",
            measure.work?.limit ?? "", entry(measure.limits),
            measure.work.map { "\($0.amount)" } ?? "", entry(measure.shares),
          ].joined(separator: ",")
        )
      }
    }
    return lines
  }

  private static func milliseconds(_ seconds: Double) -> String {
    let value = seconds * 1000
    return Quantity.decimal(value, places: value < 10 ? 3 : value < 1000 ? 1 : 0)
  }

  private static func rate(_ value: Double, isBytes: Bool) -> String {
    let scaled = value / 1e9
    return Quantity.decimal(scaled, places: scaled < 100 ? 1 : 0) + (isBytes ? " GB/s" : " GOP/s")
  }

  private static func percent(_ share: Double) -> String {
    "\(Quantity.decimal(share * 100, places: 1)) %"
  }
}
