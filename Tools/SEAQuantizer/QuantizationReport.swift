// SPDX-License-Identifier: Apache-2.0
// What was stored how, and what it cost in precision.

import Foundation
package import SEAFormat
package import SEAModel

/// The stored tensors of a model file with their errors.
package struct QuantizationReport: Sendable, Equatable {
  /// One tensor.
  package struct Entry: Sendable, Equatable {
    /// The tensor's line of the plan.
    package let spec: TensorSpec
    /// How far it is from the source.
    package let statistics: TensorStatistics
  }

  /// The tensors in file order.
  package private(set) var entries: [Entry] = []

  /// A report of no tensors.
  package init() {}

  /// Adds a tensor.
  mutating func add(_ spec: TensorSpec, _ statistics: TensorStatistics) {
    entries.append(Entry(spec: spec, statistics: statistics))
  }

  /// The tensors that lost precision, largest relative error first, file order among equals.
  package var worstFirst: [Entry] {
    entries.enumerated()
      .filter { $0.element.statistics.squaredError > 0 }
      .sorted { left, right in
        let (one, other) = (left.element.statistics, right.element.statistics)
        return one.relativeError == other.relativeError
          ? left.offset < right.offset : one.relativeError > other.relativeError
      }
      .map(\.element)
  }

  /// Weights, bytes and pooled error of the tensors stored one way.
  package struct Total: Sendable, Equatable {
    /// The storage's name.
    package let storage: String
    /// Number of tensors.
    package var tensors = 0
    /// Number of values.
    package var values = 0
    /// Bytes, padding of groups and panels included.
    package var bytes = 0
    /// Sums over all values.
    package var statistics = TensorStatistics()
  }

  /// Totals for each storage, in the order of first use.
  package var totals: [Total] {
    var totals: [Total] = []
    for entry in entries {
      let name = entry.spec.storage.name
      let index = totals.firstIndex { $0.storage == name } ?? totals.endIndex
      if index == totals.endIndex { totals.append(Total(storage: name)) }
      totals[index].tensors += 1
      totals[index].values += entry.spec.rows * entry.spec.columns
      totals[index].bytes += entry.spec.byteCount
      totals[index].statistics.add(entry.statistics)
    }
    return totals
  }
}

// MARK: - Text and JSON

extension QuantizationReport {
  /// The report as a table, worst tensors first, then a total for each storage.
  ///
  /// - Parameter limit: tensors that are listed at most; nil lists all that lost precision.
  /// - Returns: lines with a final line end.
  package func text(limit: Int? = nil) -> String {
    let worst = worstFirst
    let listed = worst.prefix(limit ?? worst.count)
    var table = TextTable([
      "tensor", "storage", "rows × columns", "bytes", "rel. error", "max error", "cosine", "SNR dB",
    ])
    for entry in listed {
      table.add(
        [
          entry.spec.name, entry.spec.storage.name, "\(entry.spec.rows) × \(entry.spec.columns)",
          Self.bytes(entry.spec.byteCount),
        ] + Self.errors(entry.statistics)
      )
    }
    var text = listed.isEmpty ? "" : table.text
    if worst.count > listed.count {
      text += "… and \(worst.count - listed.count) more with smaller errors\n"
    }
    let exact = entries.count - worst.count
    if exact > 0 { text += "\(exact) tensors are exact\n" }
    var sums = TextTable([
      "storage", "tensors", "values", "bytes", "rel. error", "max error", "cosine", "SNR dB",
    ])
    for total in totals {
      sums.add(
        [total.storage, "\(total.tensors)", "\(total.values)", Self.bytes(total.bytes)]
          + Self.errors(total.statistics)
      )
    }
    return text + "\n" + sums.text
  }

  /// The report as JSON: `tensors` in file order and `totals`.
  package var json: JSONValue {
    [
      "tensors": .array(
        entries.map { entry in
          .object(
            JSONObject(
              [
                ("name", .string(entry.spec.name)),
                ("storage", .string(entry.spec.storage.name)),
                ("rows", .number(JSONNumber(entry.spec.rows))),
                ("columns", .number(JSONNumber(entry.spec.columns))),
                ("bytes", .number(JSONNumber(entry.spec.byteCount))),
              ] + Self.fields(entry.statistics)
            )
          )
        }
      ),
      "totals": .array(
        totals.map { total in
          .object(
            JSONObject(
              [
                ("storage", .string(total.storage)),
                ("tensors", .number(JSONNumber(total.tensors))),
                ("values", .number(JSONNumber(total.values))),
                ("bytes", .number(JSONNumber(total.bytes))),
              ] + Self.fields(total.statistics)
            )
          )
        }
      ),
    ]
  }

  private static func fields(_ statistics: TensorStatistics) -> [(key: String, value: JSONValue)] {
    [
      ("relative_error", .number(JSONNumber(statistics.relativeError))),
      ("maximum_error", .number(JSONNumber(statistics.maximumError))),
      ("cosine", .number(JSONNumber(statistics.cosine))),
      ("snr_db", statistics.decibels.map { .number(JSONNumber($0)) } ?? .null),
      ("nonfinite", .number(JSONNumber(statistics.nonFinite))),
    ]
  }

  private static func errors(_ statistics: TensorStatistics) -> [String] {
    [
      String(format: "%.5f", statistics.relativeError),
      String(format: "%.3g", statistics.maximumError),
      String(format: "%.6f", statistics.cosine),
      statistics.decibels.map { String(format: "%.1f", $0) } ?? "exact",
    ]
  }

  private static func bytes(_ count: Int) -> String {
    count < 1_000_000
      ? String(format: "%.1f kB", Double(count) / 1e3)
      : String(format: "%.1f MB", Double(count) / 1e6)
  }
}
