// SPDX-License-Identifier: Apache-2.0
// Language models of int4 weights against the same weights dequantised, and files that lie about them.

import SEAFormat
import SEAModel
import SEARuntime
import SEATensor
import Testing

/// A source whose matrices are what int4 stores of another's.
private struct Dequantized: WeightSource {
  let source: FixtureModel
  var model: ModelDescription { source.model }
  private let matrices: [String: PackedMatrix]

  init(_ source: FixtureModel) throws {
    self.source = source
    var matrices: [String: PackedMatrix] = [:]
    for spec in try TensorPlan(source.model, policy: PrecisionPolicy(all: .int4)).matrices {
      let values = try MatrixView<Float>(rows: spec.rows, columns: spec.columns)
      try source.read(spec.name, rows: 0..<spec.rows, into: values)
      matrices[spec.name] = try PackedMatrix(
        MemoryWeights.pack(values, format: .int4),
        rows: spec.rows,
        columns: spec.columns,
        format: .int4
      )
    }
    self.matrices = matrices
  }

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard let matrix = matrices[name] else {
      return try source.read(name, rows: rows, into: out)
    }
    for (index, row) in rows.enumerated() {
      matrix.unpack(row: row, into: out.rows(index..<index + 1))
    }
  }

  func release(_ name: String) {}
}

@Suite struct Int4Tests {
  @Test(arguments: LanguageModelTests.fixtures)
  func followsItsDequantisedWeights(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let prompt = PromptEmbedding([.tokens(try #require(reference["input_ids"]).ids)])
    let dequantized = try Dequantized(try FixtureModel.language(fixture(name)))
    let language = try #require(dequantized.model.language)
    let model = try LanguageModel(
      language,
      visualScale: 1,
      weights: StreamedWeights(dequantized)
    )
    let options = ContextOptions(capacity: 80, cacheType: .float32, scoredRows: 8)
    let float = try LanguageModelTests.context(model, isa: .best, threads: 2, options: options)
    let packed = try LanguageModelTests.context(name, policy: PrecisionPolicy(all: .int4))
    let wanted = try #require(try LanguageModelTests.trace(float, prompt)["logits"])
    let found = try #require(try LanguageModelTests.trace(packed, prompt)["logits"])
    // What is left is the quantisation of activations.
    #expect(smallestCosine(found, wanted, width: language.vocab) > 0.99)
  }

  @Test func otherBytesThanThePlanAreRefused() throws {
    let fixture = try ModelFixture(policy: .int4)
    #expect(try fixture.open().plan.matrices.contains { $0.storage == .int4 })
    let name = "llm.blk.0.attn.q.weight"
    for change in [-64, 64, 2176] {
      let error = try ModelTests.rewrite(
        fixture,
        tensors: {
          $0.map { tensor in
            tensor.name == name
              ? SafetensorsTensor(name, .uint8, [tensor.shape[0] + change]) : tensor
          }
        }
      )
      guard case .mismatch(let tensor, let what, _, _) = error else {
        Issue.record("\(change): \(String(describing: error))")
        continue
      }
      #expect(tensor == name && what == "the shape")
    }
  }

  @Test func anUnknownLayoutIsRefused() {
    for name in ["int4", "int4/64", "int4/row", "int4/32 ", "int4/-32"] {
      #expect(WeightStorage(name: name) == nil)
    }
    #expect(WeightStorage(name: "int4/32") == .int4)
  }
}
