// SPDX-License-Identifier: Apache-2.0
// Pictures in the joint space, against reference tensors.

import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct JointHeadTests {
  static let fixtures = ["clip-tiny", "siglip-tiny"]

  /// Every traced tensor of picture `index`.
  static func encode(
    _ name: String,
    _ index: Int,
    policy: PrecisionPolicy = PrecisionPolicy(all: .float32),
    isa: InstructionSet? = nil,
    threads: Int = 2
  ) throws -> [String: [Float]] {
    let source = try FixtureModel.towers(name)
    let description = try #require(source.model.encoder)
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let pixels = try #require(reference["pixel_values"]).part(index).values
    let encoder = try VisionEncoder(
      description,
      weights: MemoryWeights(source, policy: policy)
    )
    let kernels = try isa.map { try Kernels($0) } ?? Kernels(.best)
    var seen: [String: [Float]] = [:]
    let found = try encoder.encode(
      pixels,
      to: try #require(encoder.joint),
      scratch: EncoderScratch(description, threads: threads),
      tracing: Tracing { point, rows in seen[point.name] = rows.array() },
      on: Execution(kernels: kernels, threads: threads)
    )
    #expect(found.patches.rows == 16 && found.picture.rows == 1)
    #expect(seen["vision.projected"] == found.patches.array())
    #expect(seen["vision.pooled"] == found.picture.array())
    return seen
  }

  /// The reference of the patches and of the picture.
  static func wanted(_ name: String, _ index: Int) throws -> (patches: [Float], picture: [Float]) {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let patches = try #require(reference["patch_projected"] ?? reference["last_hidden_state"])
    let picture = try #require(reference["image_embeds"] ?? reference["pooler_output"])
    return (patches.part(index).values, picture.part(index).values)
  }

  @Test(arguments: fixtures, InstructionSet.available)
  func floatWeightsReproduceTheReference(name: String, isa: InstructionSet) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    for index in 0..<2 {
      let seen = try Self.encode(name, index, isa: isa)
      for block in 0...4 {
        let hidden = try #require(reference["hidden_states.\(block)"]).part(index).values
        let found = try #require(seen["vision.hidden.\(block)"])
        #expect(largestDifference(found, hidden) < 5e-4)
      }
      let features = try #require(reference["select.minus2.patch"]).part(index).values
      #expect(largestDifference(try #require(seen["vision.features"]), features) < 5e-4)
      let wanted = try Self.wanted(name, index)
      let patches = try #require(seen["vision.projected"])
      #expect(largestDifference(patches, wanted.patches) < 5e-4)
      #expect(cosine(patches, wanted.patches) > 0.99999)
      let picture = try #require(seen["vision.pooled"])
      #expect(largestDifference(picture, wanted.picture) < 5e-4)
      #expect(cosine(picture, wanted.picture) > 0.99999)
    }
  }

  @Test(arguments: fixtures, [32, 64, 128, nil])
  func packedWeightsStayClose(name: String, group: Int?) throws {
    let wanted = try Self.wanted(name, 1)
    for policy in [PrecisionPolicy(all: .int8(group: group)), .int8(group: group)] {
      let seen = try Self.encode(name, 1, policy: policy)
      let patches = try #require(seen["vision.projected"])
      let width = patches.count / 16
      #expect(smallestCosine(patches, wanted.patches, width: width) > 0.99)
      #expect(cosine(try #require(seen["vision.pooled"]), wanted.picture) > 0.99)
    }
  }

  @Test(arguments: fixtures, [WeightStorage.float32, .bfloat16, .int8(group: 32)])
  func threadsAndInstructionSetsDoNotChangeABit(name: String, storage: WeightStorage) throws {
    var first: [String: [UInt32]]?
    for isa in InstructionSet.available {
      for threads in [1, 2, 5] {
        let seen = try Self.encode(
          name,
          0,
          policy: PrecisionPolicy(all: storage),
          isa: isa,
          threads: threads
        ).mapValues(bits)
        if let first { #expect(seen == first) } else { first = seen }
      }
    }
  }

  @Test(arguments: fixtures)
  func similaritiesToWordsFollow(name: String) throws {
    let reference = try tensors(fixture(name) + "/reference.safetensors")
    let wanted = try #require(reference["cosine.patch_word"]).part(0).rows
    let patches = try #require(Self.encode(name, 0)["vision.projected"])
    let words = try TextTowerTests.encode(name, TextTowerTests.words(name))
    let width = words.columns
    let points = words.array()
    for patch in 0..<16 {
      let row = Array(patches[patch * width..<(patch + 1) * width])
      for word in 0..<words.rows {
        let point = Array(points[word * width..<(word + 1) * width])
        #expect(abs(cosine(row, point) - Double(wanted[patch][word])) < 1e-4)
      }
    }
  }

  @Test func encodersWithoutAJointSpaceHaveNoHead() throws {
    let source = try FixtureModel.encoder(fixture("clip-tiny-84"))
    let encoder = try VisionEncoder(
      try #require(source.model.encoder),
      weights: StreamedWeights(source)
    )
    #expect(encoder.joint == nil)
  }
}
