// SPDX-License-Identifier: Apache-2.0
// One picture at several scales, against reference tensors.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import Testing

@Suite struct MultiScaleTests {
  /// Every traced tensor of a picture.
  static func encode(
    _ pixels: [Float],
    scales: [Int] = [56, 112, 168],
    policy: PrecisionPolicy = PrecisionPolicy(all: .float32),
    isa: InstructionSet? = nil,
    threads: Int = 2
  ) throws -> [String: [Float]] {
    var source = try FixtureModel.encoder(fixture("clip-tiny"))
    source.model.encoder?.scales = scales
    let description = try #require(source.model.encoder)
    try description.validate()
    let encoder = try VisionEncoder(
      description,
      weights: MemoryWeights(source, policy: policy)
    )
    let kernels = try isa.map { try Kernels($0) } ?? Kernels(.best)
    var seen: [String: [Float]] = [:]
    let found = try encoder.encode(
      pixels,
      scratch: EncoderScratch(description, threads: threads),
      tracing: Tracing { point, rows in seen[point.name] = rows.array() },
      on: Execution(kernels: kernels, threads: threads)
    )
    #expect(found.rows == 16 && found.columns == 64 * scales.count)
    #expect(seen["vision.features"] == found.array())
    return seen
  }

  static func reference() throws -> [String: ReferenceTensor] {
    try tensors(fixture("s2-tiny") + "/reference.safetensors")
  }

  @Test(arguments: InstructionSet.available)
  func floatWeightsReproduceTheReference(isa: InstructionSet) throws {
    let reference = try Self.reference()
    let pixels = try #require(reference["big.pixel_values"]).part(0).values
    let seen = try Self.encode(pixels, isa: isa)
    #expect(seen.count == 4)
    for ratio in 1...3 {
      let map = try #require(reference["big.map.\(ratio)x"]).part(0).values
      #expect(largestDifference(try #require(seen["s2.map.\(ratio)"]), map) < 1e-3)
    }
    let wanted = try #require(reference["big.features"]).part(0)
    let features = try #require(seen["vision.features"])
    #expect(largestDifference(features, wanted.values) < 1e-3)
    #expect(smallestCosine(features, wanted.values, width: wanted.shape[1]) > 0.99999)
  }

  @Test func scalesAreSeenAsPyTorchResamplesThem() throws {
    let reference = try Self.reference()
    let pixels = try #require(reference["big.pixel_values"]).part(0).values
    var source = try FixtureModel.encoder(fixture("clip-tiny"))
    source.model.encoder?.scales = [56, 112, 168]
    let encoder = try VisionEncoder(
      try #require(source.model.encoder),
      weights: StreamedWeights(source)
    )
    let execution = Execution(kernels: try Kernels(.best), threads: 2)
    for ratio in 1...2 {
      let view = try encoder.view(pixels, scale: 56 * ratio, on: execution)
      let wanted = try #require(reference["big.resized.\(ratio)x"]).part(0).values
      // Sixteen products of values below 3 and weights below 1.4, each rounded.
      #expect(largestDifference(view, wanted) < 16 * 3 * 2 * Float.ulpOfOne)
    }
    #expect(try encoder.view(pixels, scale: 168, on: execution) == pixels)
  }

  @Test(arguments: [32, 64, 128, nil])
  func packedWeightsStayClose(group: Int?) throws {
    let reference = try Self.reference()
    let pixels = try #require(reference["big.pixel_values"]).part(0).values
    let wanted = try #require(reference["big.features"]).part(0)
    for policy in [PrecisionPolicy(all: .int8(group: group)), .int8(group: group)] {
      let features = try #require(Self.encode(pixels, policy: policy)["vision.features"])
      #expect(smallestCosine(features, wanted.values, width: wanted.shape[1]) > 0.99)
    }
  }

  @Test func threadsAndInstructionSetsDoNotChangeABit() throws {
    let pixels = try #require(Self.reference()["big.pixel_values"]).part(0).values
    var first: [String: [UInt32]]?
    for isa in InstructionSet.available {
      for threads in [1, 5] {
        let seen = try Self.encode(
          pixels,
          policy: .int8(group: 32),
          isa: isa,
          threads: threads
        ).mapValues(bits)
        if let first { #expect(seen == first) } else { first = seen }
      }
    }
  }

  @Test func oneScaleIsThePlainEncoder() throws {
    let reference = try tensors(fixture("clip-tiny") + "/reference.safetensors")
    let pixels = try #require(reference["pixel_values"]).part(0).values
    let features = try #require(Self.encode(pixels, scales: [56])["vision.features"])
    let wanted = try #require(reference["select.minus2.patch"]).part(0).values
    #expect(largestDifference(features, wanted) < 5e-4)
  }

  @Test func convertedEncodersGiveTheReferenceAndPassTheirVerdict() throws {
    let folder = NSTemporaryDirectory() + "sea-scales-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let config: JSONValue = [
      "vision_tower": .string(try fixture("clip-tiny")), "s2_scales": "56,112,168",
      "mm_vision_select_layer": -2, "image_aspect_ratio": "pad",
    ]
    try Data(config.serialized().utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
    let source = try SourceModel(path: folder)
    let execution = Execution(kernels: try Kernels(.best), threads: 2)
    let reference = try Self.reference()
    let pixels = try #require(reference["big.pixel_values"]).part(0).values
    let wanted = try #require(reference["big.features"]).part(0)
    for (policy, cosine) in [
      (PrecisionPolicy(all: .float32), 0.99999), (.int8(group: 128), 0.99),
    ] {
      let builder = ModelFileBuilder(
        source: source,
        tokenizer: nil,
        policy: policy,
        pool: WorkerPool(threads: 1),
        kernels: try Kernels(.best)
      )
      _ = try builder.write(to: folder + "/model.sea")
      let model = try Model(path: folder + "/model.sea")
      let features = try model.encode(pixels, tracing: nil, on: execution).array()
      #expect(smallestCosine(features, wanted.values, width: wanted.shape[1]) > cosine)
      let comparison = try ParityComparison(
        source: source,
        path: folder + "/model.sea",
        on: execution
      )
      #expect(try comparison.run().failures == [])
    }
  }

  @Test func refusesAnotherNumberOfPixels() throws {
    #expect(
      throws: RuntimeError.input(what: "the picture", found: "9408 values", expected: "3×168×168")
    ) {
      _ = try Self.encode([Float](repeating: 0, count: 3 * 56 * 56))
    }
  }
}
