// SPDX-License-Identifier: Apache-2.0
// The error table says what was stored, the worst first.

import Foundation
import SEAFormat
import SEAModel
import SEAQuantizer
import Testing

@Suite struct QuantizationReportTests {
  /// A report in which one tensor has an outlier in every group.
  static func report() throws -> QuantizationReport {
    var source = RandomWeights(model: TinyModels.llava)
    source.change = { name, _, values in
      guard name == "llm.blk.1.attn.o.weight" else { return }
      for index in stride(from: 0, to: values.count, by: 32) { values[index] = 4 }
    }
    return try Workbench().build(source, .int8(group: 32))
  }

  @Test func theWorstTensorComesFirst() throws {
    let report = try Self.report()
    let worst = report.worstFirst
    let errors = worst.map(\.statistics.relativeError)
    #expect(errors == errors.sorted(by: >))
    #expect(worst.allSatisfy { $0.statistics.squaredError > 0 })
    // An outlier widens the step for its neighbours; relative to itself the error is small.
    let maximum = report.entries.max { $0.statistics.maximumError < $1.statistics.maximumError }
    #expect(maximum?.spec.name == "llm.blk.1.attn.o.weight")
  }

  @Test func totalsAddUp() throws {
    let report = try Self.report()
    let plan = try TensorPlan(TinyModels.llava, policy: .int8(group: 32))
    #expect(report.totals.map(\.storage) == ["bf16", "int8/32", "f32"])
    #expect(report.totals.reduce(0) { $0 + $1.bytes } == plan.byteCount)
    #expect(report.totals.reduce(0) { $0 + $1.tensors } == plan.all.count)
    let values = plan.all.reduce(0) { $0 + $1.rows * $1.columns }
    #expect(report.totals.reduce(0) { $0 + $1.values } == values)
    let vectors = try #require(report.totals.last)
    #expect(vectors.statistics.decibels == nil)
    #expect(vectors.statistics.cosine == 1)
    #expect(vectors.statistics.relativeError == 0)
  }

  @Test func theTableIsAlignedAndLimited() throws {
    let report = try Self.report()
    let whole = report.text().split(separator: "\n")
    let count = report.worstFirst.count
    #expect(whole.count == 1 + count + 1 + 1 + report.totals.count)
    #expect(Set(whole[0...count].map(\.count)).count == 1)
    #expect(whole[1].hasPrefix(report.worstFirst[0].spec.name))
    let short = report.text(limit: 2)
    #expect(short.contains("… and \(count - 2) more with smaller errors"))
    #expect(short.contains("\(report.entries.count - count) tensors are exact"))
  }

  @Test func jsonHoldsEveryTensorInFileOrder() throws {
    let report = try Self.report()
    let json = try JSONScanner.parse(Array(report.json.serialized(pretty: true).utf8))
    let tensors = try #require(json["tensors"]?.array)
    #expect(tensors.compactMap { $0["name"]?.string } == report.entries.map(\.spec.name))
    let entry = report.entries[4]
    #expect(tensors[4]["relative_error"]?.double == entry.statistics.relativeError)
    #expect(tensors[4]["bytes"]?.int == entry.spec.byteCount)
    #expect(tensors.last?["snr_db"]?.isNull == true)
    #expect(json["totals"]?.array?.count == 3)
  }
}
