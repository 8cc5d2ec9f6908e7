// SPDX-License-Identifier: Apache-2.0
// Repeated measurements of one thing.

package import SEAFormat

/// Values in the order in which they were measured.
package struct BenchSeries: Sendable, Equatable {
  /// The values.
  package private(set) var values: [Double]

  /// A series of values.
  package init(_ values: [Double] = []) {
    self.values = values
  }

  /// Adds a value.
  package mutating func append(_ value: Double) { values.append(value) }

  /// True without values.
  package var isEmpty: Bool { values.isEmpty }
  /// The least; 0 without values.
  package var minimum: Double { values.min() ?? 0 }
  /// The most; 0 without values.
  package var maximum: Double { values.max() ?? 0 }

  /// The middle value, of an even count the mean of both in the middle; 0 without values.
  package var median: Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// True when the ranges of both have a value in common.
  package func overlaps(_ other: BenchSeries) -> Bool {
    minimum <= other.maximum && other.minimum <= maximum
  }

  /// The values with their median and range.
  package var json: JSONValue {
    [
      "median": Self.number(median), "min": Self.number(minimum), "max": Self.number(maximum),
      "values": .array(values.map(Self.number)),
    ]
  }

  /// Reads the values back.
  package init?(json: JSONValue?) {
    guard let values = json?["values"]?.array?.map(\.double), !values.isEmpty,
      !values.contains(where: { $0 == nil })
    else { return nil }
    self.values = values.compactMap(\.self)
  }

  /// Nine decimals at most: nanoseconds.
  static func number(_ value: Double) -> JSONValue {
    guard value.isFinite else { return .null }
    guard abs(value) < 1e6 else { return .number(JSONNumber(value.rounded())) }
    return .number(JSONNumber((value * 1e9).rounded() / 1e9))
  }
}
