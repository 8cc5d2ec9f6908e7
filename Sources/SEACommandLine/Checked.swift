// SPDX-License-Identifier: Apache-2.0
// Values on the command line: checked while parsing, refused in one style of message.

import ArgumentParser

/// Makers of checked values for `@Option(transform:)`.
package enum Checked {
  /// A whole number in `range`.
  package static func integer(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
    { text in
      guard let value = Int(text), range.contains(value) else {
        throw ValidationError(
          "expected a whole number from \(range.lowerBound) to \(range.upperBound)"
        )
      }
      return value
    }
  }

  /// A whole number from 0 to 2⁶⁴ − 1.
  package static let seed: @Sendable (String) throws -> UInt64 = { text in
    guard let value = UInt64(text) else {
      throw ValidationError("expected a whole number from 0 to \(UInt64.max)")
    }
    return value
  }

  /// A finite number in `range`.
  package static func number(
    _ range: ClosedRange<Double>,
    expected: String
  ) -> @Sendable (String) throws -> Double {
    { text in
      guard let value = Double(text), value.isFinite, range.contains(value) else {
        throw ValidationError("expected \(expected)")
      }
      return value
    }
  }

  /// An amount of memory: bytes, or a number with kB, MB, GB or KiB, MiB, GiB (the B may be left out).
  package static let memory: @Sendable (String) throws -> Int = { text in
    let units: [(name: String, bytes: Double)] = [
      ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("ki", 1024), ("mi", 1_048_576),
      ("gi", 1_073_741_824), ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("k", 1e3), ("m", 1e6),
      ("g", 1e9), ("b", 1), ("", 1),
    ]
    let lower = text.lowercased()
    guard let unit = units.first(where: { lower.hasSuffix($0.name) }),
      let value = Double(lower.dropLast(unit.name.count)), value.isFinite, value > 0,
      value * unit.bytes >= 1, value * unit.bytes < 1e15
    else {
      throw ValidationError("expected an amount of memory, as 800MB or 2GiB")
    }
    return Int(value * unit.bytes)
  }

  /// Text that is not empty.
  package static let text: @Sendable (String) throws -> String = { text in
    guard !text.isEmpty else { throw ValidationError("expected text that is not empty") }
    return text
  }

  /// One of a few words.
  package static func choice<Value>(
    _ values: [(name: String, value: Value)]
  ) -> @Sendable (String) throws -> Value where Value: Sendable {
    { text in
      guard let match = values.first(where: { $0.name == text }) else {
        let names = values.map(\.name).joined(separator: ", ")
        throw ValidationError("expected one of \(names)")
      }
      return match.value
    }
  }
}
