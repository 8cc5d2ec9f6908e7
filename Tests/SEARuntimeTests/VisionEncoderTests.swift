// SPDX-License-Identifier: Apache-2.0
// The encoders against references, and against themselves on other threads and weights.

import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct VisionEncoderTests {
  static let fixtures = ["clip-tiny-84", "siglip-tiny"]

  /// Runs picture `index` of a fixture; returns everything that was seen.
  static func encode(
    _ name: String,
    _ index: Int,
    weights: (FixtureModel) throws -> any WeightProvider,
    isa: InstructionSet = .best,
    threads: Int = 2,
    selection: FeatureSelection? = nil
  ) throws -> [String: [Float]] {
    var source = try FixtureModel.encoder(fixture(name))
    if let selection { source.model.encoder?.selection = selection }
    let encoder = try #require(source.model.encoder)
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let pixels = try #require(reference["pixel_values"]).part(index).values
    let vision = try VisionEncoder(encoder, weights: weights(source))
    let execution = Execution(kernels: try Kernels(isa), threads: threads)
    let scratch = try EncoderScratch(encoder, threads: threads)
    var seen: [String: [Float]] = [:]
    _ = try vision.encode(
      pixels,
      scratch: scratch,
      tracing: Tracing { point, rows in seen[point.name] = rows.array() },
      on: execution
    )
    return seen
  }

  @Test(arguments: fixtures, InstructionSet.available)
  func floatWeightsReproduceTheReference(name: String, isa: InstructionSet) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    for index in 0..<2 {
      let seen = try Self.encode(
        name,
        index,
        weights: { try MemoryWeights($0, policy: PrecisionPolicy(all: .float32)) },
        isa: isa
      )
      for (block, wanted) in (0...4).compactMap({ k in
        reference["hidden_states.\(k)"].map { (k, $0.part(index)) }
      }) {
        // Blocks after the selected one are not evaluated.
        guard let hidden = seen["vision.hidden.\(block)"] else { continue }
        #expect(largestDifference(hidden, wanted.values) < 5e-4)
      }
      let wanted = try #require(reference["select.minus2.patch"]).part(index)
      let features = try #require(seen["vision.features"])
      #expect(largestDifference(features, wanted.values) < 5e-4)
      #expect(cosine(features, wanted.values) > 0.99999)
    }
  }

  @Test(arguments: fixtures, [32, 64, 128, nil])
  func packedWeightsStayClose(name: String, group: Int?) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    for policy in [PrecisionPolicy(all: .int8(group: group)), .int8(group: group)] {
      let seen = try Self.encode(name, 0, weights: { try MemoryWeights($0, policy: policy) })
      let wanted = try #require(reference["select.minus2.patch"]).part(0)
      let features = try #require(seen["vision.features"])
      #expect(smallestCosine(features, wanted.values, width: wanted.shape[1]) > 0.99)
    }
  }

  @Test(arguments: fixtures)
  func finalNormAndEveryRowCanBeSelected(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let blocks = try #require(FixtureModel.encoder(fixture(name)).model.encoder).blocks
    let seen = try Self.encode(
      name,
      1,
      weights: { try MemoryWeights($0, policy: PrecisionPolicy(all: .float32)) },
      selection: FeatureSelection(layer: blocks, appliesFinalNorm: true, dropsFirst: false)
    )
    let wanted = try #require(
      reference["post_layernorm.all_tokens"] ?? reference["last_hidden_state"]
    )
    #expect(largestDifference(try #require(seen["vision.features"]), wanted.part(1).values) < 5e-4)
  }

  @Test(arguments: fixtures, [WeightStorage.float32, .bfloat16, .int8(group: 32)])
  func threadsAndInstructionSetsDoNotChangeABit(name: String, storage: WeightStorage) throws {
    var first: [String: [UInt32]]?
    for isa in InstructionSet.available {
      for threads in [1, 2, 5] {
        let seen = try Self.encode(
          name,
          0,
          weights: { try MemoryWeights($0, policy: PrecisionPolicy(all: storage)) },
          isa: isa,
          threads: threads
        ).mapValues(bits)
        if let first { #expect(seen == first) } else { first = seen }
      }
    }
  }

  @Test(arguments: fixtures)
  func streamedWeightsEqualPlainOnes(name: String) throws {
    let plain = try Self.encode(
      name,
      0,
      weights: { try MemoryWeights($0, policy: PrecisionPolicy(all: .float32)) }
    )
    let streamed = try Self.encode(name, 0, weights: { StreamedWeights($0) })
    #expect(plain.mapValues(bits) == streamed.mapValues(bits))
  }

  @Test func refusesAnotherNumberOfPixels() throws {
    let source = try FixtureModel.encoder(fixture("siglip-tiny"))
    let encoder = try #require(source.model.encoder)
    let vision = try VisionEncoder(encoder, weights: StreamedWeights(source))
    let execution = Execution(kernels: try Kernels(.best), threads: 1)
    #expect(
      throws: RuntimeError.input(what: "the picture", found: "12 values", expected: "3×60×60")
    ) {
      _ = try vision.encode(
        [Float](repeating: 0, count: 12),
        scratch: EncoderScratch(encoder, threads: 1),
        on: execution
      )
    }
  }
}
