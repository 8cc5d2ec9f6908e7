// SPDX-License-Identifier: Apache-2.0
// Everything for people that is not a result: messages, hints, progress. All of it on standard error.

import Glibc

/// Messages on standard error, and a progress line when a person is watching.
package final class Terminal {
  private let isQuiet: Bool
  private let isInteractive: Bool
  /// A progress line stands on the screen and must go before other text.
  private var hasProgressLine = false
  private var lastDrawn = 0.0

  /// Redraws per second are bounded, or progress costs more than work.
  private static let interval = 0.1

  /// - Parameter isQuiet: prints errors only.
  package init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    let isDumb = (System.environment("TERM") ?? "dumb") == "dumb"
    isInteractive = !isQuiet && !isDumb && isatty(STDERR_FILENO) == 1
  }

  /// Prints a line unless quiet.
  package func note(_ text: String) {
    guard !isQuiet else { return }
    clearProgress()
    Self.print(text)
  }

  /// Prints a warning as `sea run: warning: …`, quiet or not.
  package func warn(_ text: String, command: String) {
    clearProgress()
    Self.print("\(command): warning: \(text)")
  }

  /// Shows how far a step has come, with rate, time left and peak memory; drawn for people only.
  ///
  /// - Parameters:
  ///   - label: what is being done.
  ///   - done: units done of `total`.
  ///   - total: units there are.
  ///   - unit: formats an amount.
  ///   - start: when the step began, by `System.seconds`.
  package func progress(
    _ label: String,
    done: Int,
    total: Int,
    unit: (Int) -> String,
    since start: Double
  ) {
    guard isInteractive, total > 0 else { return }
    let now = System.seconds
    guard now - lastDrawn >= Self.interval || done >= total else { return }
    lastDrawn = now
    let elapsed = max(now - start, 1e-3)
    let rate = Double(done) / elapsed
    var line = "\(label) \(done * 100 / total) %  \(unit(Int(rate)))/s"
    if rate > 0, done < total {
      line += "  \(Quantity.duration(Double(total - done) / rate)) left"
    }
    line += "  peak \(Quantity.bytes(System.peakResidentBytes))"
    // Carriage return and erase-line are cursor movement, not colour: NO_COLOR does not concern them.
    Self.write("\r\u{1B}[K" + line)
    hasProgressLine = true
  }

  /// Removes the progress line.
  package func clearProgress() {
    guard hasProgressLine else { return }
    Self.write("\r\u{1B}[K")
    hasProgressLine = false
  }

  /// Prints a line on standard error; a standard error that is gone is nobody's problem.
  package static func print(_ text: String) {
    write(text + "\n")
  }

  private static func write(_ text: String) {
    _ = System.write(Array(text.utf8)[...], to: STDERR_FILENO)
  }
}

/// Amounts as people read them.
package enum Quantity {
  /// Bytes in decimal units: `1.2 GB`.
  package static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(count)
    var unit = 0
    while value >= 999.5, unit + 1 < units.count {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(decimal(value, places: value < 10 ? 2 : 1)) \(units[unit])"
  }

  /// A length of time: `850 ms`, `12.3 s`, `4 min 5 s`.
  package static func duration(_ seconds: Double) -> String {
    if seconds < 1 { return "\(decimal(seconds * 1000, places: 0)) ms" }
    if seconds < 120 { return "\(decimal(seconds, places: 1)) s" }
    let whole = Int(min(seconds, 1e9))
    return "\(whole / 60) min \(whole % 60) s"
  }

  /// A number with a fixed count of places and a point, whatever the locale.
  package static func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    let scale = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000][min(max(places, 0), 6)]
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard scale > 1 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % scale)
    let zeros = String(repeating: "0", count: String(scale).count - 1 - fraction.count)
    return "\(sign)\(scaled / scale).\(zeros)\(fraction)"
  }
}
