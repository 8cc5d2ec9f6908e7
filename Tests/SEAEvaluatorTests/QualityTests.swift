// SPDX-License-Identifier: Apache-2.0
// What fewer bits cost on pictures: nothing where nothing changes, and only in the part that changes.

import Foundation
import SEAEvaluator
import SEAImage
import SEALabels
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import SEAText
import TestSupport
import Testing

@Suite struct QualityTests {
  private let folder: TemporaryFolder
  private let execution: Execution
  private let known: KnownModel

  init() throws {
    folder = try TemporaryFolder()
    execution = Execution(kernels: try Kernels(.best), threads: 2)
    var known = try KnownModel()
    for (index, word) in RecallTests.words.enumerated() {
      known.rows[index] = try known.mean(of: word)
    }
    self.known = known
  }

  private static let image = PixelImage(
    width: 70,
    height: 50,
    pixels: (0..<70 * 50 * 3).map { UInt8($0 * 7 % 253) }
  )

  /// The file of a model beside the unchanged source.
  private func report(
    _ stored: KnownModel,
    policy: PrecisionPolicy = PrecisionPolicy(all: .float32),
    threads: Int = 2
  ) throws -> QualityReport {
    try stored.write(in: folder, "file.sea", policy: policy)
    let execution = Execution(kernels: execution.kernels, threads: threads)
    let comparison = try QualityComparison(
      source: known,
      path: folder.file("file.sea"),
      on: execution
    )
    let path = try folder.write(
      RecallTests.words.joined(separator: "\n"),
      to: "words.txt"
    )
    let (tokenizer, rows) = try #require(comparison.vocabulary)
    let words = try RecallWords(WordList(path: path), tokenizer, vocab: rows)
    let agreement = WordAgreement(words, on: execution)
    var report = QualityReport()
    for prompt in ["What is this?", "Name the colour of the boat."] {
      try comparison.add(
        Self.image,
        prompt: prompt,
        to: &report,
        sameWords: { try agreement.sameWords($0) }
      )
    }
    #expect(report.pairs == 2)
    return report
  }

  private func expectUntouched(
    _ part: QualityReport.Part,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(part.meanDivergence == 0 && part.worstDivergence == 0, sourceLocation: sourceLocation)
    #expect(part.agreed == part.positions, sourceLocation: sourceLocation)
    #expect(part.meanCosine ?? 1 == 1 && part.lowCosine ?? 1 == 1, sourceLocation: sourceLocation)
    #expect(part.wordAgreement == 1, sourceLocation: sourceLocation)
  }

  @Test func equalPrecisionsAreEqual() throws {
    let report = try report(known)
    for part in QualityPart.allCases {
      expectUntouched(report[part])
      #expect(report[part].positions > 5)
      #expect(report[part].cosines.count == (part == .language ? 0 : 32))
      #expect(report[part].comparedWords == 32)
    }
    #expect(report.passes(gate: 0))
  }

  @Test(arguments: [QualityPart.encoder, .adapter, .language])
  func damageShowsInItsPartAlone(part: QualityPart) throws {
    var damaged = known
    damaged.change = { name, row, values in
      switch (part, name) {
      case (.encoder, "vision.position") where row == 3: (values[3], values[9]) = (0.3, 1)
      case (.adapter, "adapter.0.weight"): values[5] = -values[5] + Float(row)
      case (.language, "llm.blk.0.mlp.down.weight"): values = values.map { -2 * $0 }
      case (.language, "llm.embed.weight") where row % 3 == 0: values.reverse()
      default: break
      }
    }
    let report = try report(damaged)
    for other in [QualityPart.encoder, .adapter, .language] where other != part {
      expectUntouched(report[other])
    }
    for changed in [part, .all] {
      let costs = report[changed]
      #expect(costs.meanDivergence > 1e-6, "\(changed)")
      #expect(try #require(costs.wordAgreement) < 1, "\(changed)")
      if part != .language {
        // One of sixteen tokens.
        #expect(try #require(costs.meanCosine) < 0.999, "\(changed)")
        #expect(try #require(costs.lowCosine) < 0.9, "\(changed)")
      }
    }
    // What is stored of one part is all that is stored of the file.
    #expect(report[.all].meanDivergence == report[part].meanDivergence)
    #expect(!report.passes(gate: 0))
    #expect(report.passes(gate: report[.all].meanDivergence))
  }

  @Test func fewerBitsCostALittleAndTheSameForAnyThreads() throws {
    let one = try report(known, policy: .int8(group: 32), threads: 1)
    let three = try report(known, policy: .int8(group: 32), threads: 3)
    #expect(one.json == three.json)
    #expect(one[.all].meanDivergence > 0 && one[.all].meanDivergence < 0.05)
    #expect(try #require(one[.all].meanCosine) > 0.99)
    #expect(one.json["llm"]?["visual_tokens"]?["mean_cosine"] == .null)
    #expect(one.json["all"]?["logits"]?["positions"]?.int == one[.all].positions)
    for name in ["encoder", "adapter", "LLM", "all (the file)"] {
      #expect(one.text.contains(name) && one.markdown.contains("| \(name) |"))
    }
  }

  @Test func anotherModelIsRefused() throws {
    var other = known
    other.model.name = "another"
    try other.write(in: folder, "other.sea", policy: PrecisionPolicy(all: .float32))
    #expect(throws: QuantizerError.self) {
      _ = try QualityComparison(source: known, path: folder.file("other.sea"), on: execution)
    }
  }
}
