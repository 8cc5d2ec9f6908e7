// SPDX-License-Identifier: Apache-2.0
// Text towers against reference embeddings.

import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct TextTowerTests {
  static let fixtures = ["clip-tiny", "siglip-tiny"]

  /// The fixture's words without their padding.
  static func words(_ name: String) throws -> [[Int32]] {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let rows = try #require(reference["word_ids"]).rows.map { $0.map { Int32($0) } }
    if let lengths = reference["word_lens"]?.ids {
      return zip(rows, lengths).map { Array($0.prefix(Int($1))) }
    }
    // The first 1 ends a word, the others fill it up.
    return rows.map { Array($0.prefix { $0 != 1 }) + [1] }
  }

  static func encode(
    _ name: String,
    _ words: [[Int32]],
    policy: PrecisionPolicy = PrecisionPolicy(all: .float32),
    isa: InstructionSet? = nil,
    threads: Int = 2
  ) throws -> MatrixView<Float> {
    let source = try FixtureModel.towers(name)
    let tower = try TextTower(
      try #require(source.model.textTower),
      weights: MemoryWeights(source, policy: policy)
    )
    let kernels = try isa.map { try Kernels($0) } ?? Kernels(.best)
    return try tower.encode(words, on: Execution(kernels: kernels, threads: threads))
  }

  @Test(arguments: fixtures, InstructionSet.available)
  func floatWeightsReproduceTheReference(name: String, isa: InstructionSet) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let wanted = try #require(reference["text_embeds"])
    let found = try Self.encode(name, Self.words(name), isa: isa)
    #expect(found.rows == wanted.shape[0] && found.columns == wanted.shape[1])
    #expect(largestDifference(found.array(), wanted.values) < 5e-4)
    #expect(smallestCosine(found.array(), wanted.values, width: found.columns) > 0.99999)
  }

  @Test(arguments: fixtures, [32, 64, 128, nil])
  func packedWeightsStayClose(name: String, group: Int?) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let wanted = try #require(reference["text_embeds"])
    for policy in [PrecisionPolicy(all: .int8(group: group)), .int8(group: group)] {
      let found = try Self.encode(name, Self.words(name), policy: policy)
      #expect(smallestCosine(found.array(), wanted.values, width: found.columns) > 0.99)
    }
  }

  @Test(arguments: fixtures, [WeightStorage.float32, .bfloat16, .int8(group: 32)])
  func companyThreadsAndInstructionSetsDoNotChangeABit(
    name: String,
    storage: WeightStorage
  ) throws {
    let words = try Self.words(name)
    let policy = PrecisionPolicy(all: storage)
    let all = bits(try Self.encode(name, words, policy: policy).array())
    for isa in InstructionSet.available {
      for threads in [1, 5] {
        let found = try Self.encode(name, words, policy: policy, isa: isa, threads: threads)
        #expect(bits(found.array()) == all)
      }
    }
    // Four times the words need several batches; one word needs none of the others.
    let many = words + words + words + words
    let found = try Self.encode(name, many, policy: policy)
    #expect(bits(found.array()) == all + all + all + all)
    let width = found.columns
    for index in [0, 3, 17] {
      let alone = try Self.encode(name, [words[index]], policy: policy)
      #expect(bits(alone.array()) == Array(all[index * width..<(index + 1) * width]))
    }
  }

  @Test func whatFollowsTheEndIsNotRead() throws {
    let words = try Self.words("clip-tiny")
    let padded = words.map { $0 + [Int32](repeating: 1013, count: 32 - $0.count) }
    let filled = words.map { $0 + [5, 7] }
    let found = bits(try Self.encode("clip-tiny", words).array())
    #expect(bits(try Self.encode("clip-tiny", padded).array()) == found)
    #expect(bits(try Self.encode("clip-tiny", filled).array()) == found)
  }

  @Test func paddingIsAttendedToWhereNothingMasksIt() throws {
    let words = try Self.words("siglip-tiny")
    let padded = words.map { $0 + [Int32](repeating: 1, count: 16 - $0.count) }
    let found = bits(try Self.encode("siglip-tiny", words).array())
    #expect(bits(try Self.encode("siglip-tiny", padded).array()) == found)
  }

  @Test func refusesTextsTheTowerCannotRead() throws {
    #expect(throws: RuntimeError.token(id: 1014, vocab: 1014)) {
      _ = try Self.encode("clip-tiny", [[1012, 1014]])
    }
    #expect(throws: RuntimeError.token(id: -200, vocab: 640)) {
      _ = try Self.encode("siglip-tiny", [[-200, 1]])
    }
    for count in [0, 33] {
      #expect(
        throws: RuntimeError.input(
          what: "a text",
          found: "\(count) tokens",
          expected: "1 to 32"
        )
      ) {
        _ = try Self.encode("clip-tiny", [[Int32](repeating: 4, count: count)])
      }
    }
    #expect(try Self.encode("clip-tiny", []).rows == 0)
  }
}
