// SPDX-License-Identifier: Apache-2.0
// Losses and gradients of language models and of the whole multimodal model against PyTorch.

import Foundation
import SEACheckpoint
import SEALayers
import SEAModel
import SEATensor
import TestSupport
import Testing

@Suite struct GenerationLossTests {
  private static func options(_ mode: ActivationMode = .keep) -> TrainingOptions {
    var options = TrainingOptions(trained: [.language, .adapter, .encoder])
    options.activations = mode
    return options
  }

  /// Compares every gradient of a reference.
  private static func expectGradients(
    _ model: TrainableModel,
    _ reference: Reference,
    relative: Double,
    cosine: Double
  ) throws {
    for (name, expected) in reference.values where name.hasPrefix("grad.") {
      let own = canonical(String(name.dropFirst(5)))
      expectClose(
        try gradient(own, model),
        expected,
        relative: relative,
        cosine: cosine,
        own
      )
    }
  }

  @Test(arguments: ActivationMode.allCases)
  func languageModelMeetsPyTorch(_ mode: ActivationMode) throws {
    let reference = try Reference("lm-loss/reference.safetensors")
    let model = try TrainableModel(
      TinyModels.llama(),
      options: Self.options(mode),
      on: execution()
    )
    let sample = try reference.sample(ids: "input_ids", labels: "labels")
    let result = try model.forwardBackward([sample])
    let loss = try reference.number("loss")
    #expect(result.countedTokens == 17)
    #expect(abs(result.generationLoss - loss) <= 1e-5 * loss)
    let tokenLosses = try reference["token_loss"].filter { $0 != 0 }
    expectClose(result.tokenLosses[0], tokenLosses, relative: 1e-5, "token losses")
    try Self.expectGradients(model, reference, relative: 1e-3, cosine: 0.99999)
  }

  @Test func rowsOfUnequalLengthShareOneMean() throws {
    let reference = try Reference("lm-loss/reference.safetensors")
    let model = try TrainableModel(
      TinyModels.llama(),
      options: Self.options(),
      on: execution()
    )
    let samples = try (0..<2).map {
      try reference.sample(
        ids: "batch.input_ids",
        labels: "batch.labels",
        row: $0,
        mask: "batch.attention_mask"
      )
    }
    #expect(samples[0].ids.count != samples[1].ids.count)
    let result = try model.forwardBackward(samples)
    let loss = try reference.number("batch.loss")
    #expect(result.countedTokens == 20)
    #expect(abs(result.generationLoss - loss) <= 1e-5 * loss)
  }

  @Test func accumulatedPassesEqualOnePass() throws {
    let reference = try Reference("lm-loss/reference.safetensors")
    let samples = try (0..<2).map {
      try reference.sample(
        ids: "batch.input_ids",
        labels: "batch.labels",
        row: $0,
        mask: "batch.attention_mask"
      )
    }
    let models = try (0..<2).map { _ in
      try TrainableModel(TinyModels.llama(), options: Self.options(), on: execution())
    }
    _ = try models[0].forwardBackward(samples)
    var pass = PassOptions()
    pass.countedTokens = 20
    for sample in samples { _ = try models[1].forwardBackward([sample], pass: pass) }
    for parameter in models[0].trained {
      expectClose(
        try gradient(parameter.name, models[1]),
        try gradient(parameter.name, models[0]),
        relative: 1e-4,
        parameter.name
      )
    }
  }

  @Test func lowRankFactorsMeetPyTorch() throws {
    let reference = try Reference("lora/reference.safetensors")
    let factors = try Reference("lora/adapter_model.safetensors")
    var options = TrainingOptions(trained: [.language])
    options.lowRank = LowRankOptions(rank: 4, alpha: 8)
    let model = try TrainableModel(TinyModels.llama(), options: options, on: execution())
    for (name, values) in factors.values {
      let parameter = try #require(model.parameters[canonical(name)])
      guard case .float32(let target) = parameter.values else {
        Issue.record("factors are f32")
        return
      }
      target.copy(from: values)
    }
    let result = try model.forwardBackward([
      try reference.sample(ids: "input_ids", labels: "labels")
    ])
    let loss = try reference.number("loss")
    #expect(abs(result.generationLoss - loss) <= 1e-5 * loss)
    try Self.expectGradients(model, reference, relative: 1e-3, cosine: 0.99999)
    #expect(model.trained.count == 2 * 7 * 3)
    #expect(model.parameters["llm.blk.0.attn.q.weight"]?.gradient == nil)
  }

  private static func multimodalSamples(_ reference: Reference) throws -> [TrainingSample] {
    try (0..<2).map {
      try reference.sample(
        ids: "row\($0).ids",
        labels: "row\($0).labels",
        pictures: [.pixels(try TinyModels.pixels($0))]
      )
    }
  }

  @Test(arguments: ActivationMode.allCases)
  func multimodalModelMeetsPyTorch(_ mode: ActivationMode) throws {
    let reference = try Reference("mm-loss/reference.safetensors")
    let model = try TrainableModel(
      TinyModels.multimodal(),
      options: Self.options(mode),
      on: execution()
    )
    var announced: [String] = []
    var ranges: [Range<Int>] = []
    let result = try model.forwardBackward(
      Self.multimodalSamples(reference),
      alignment: { visual in
        ranges = visual.ranges
        for (row, range) in visual.ranges.enumerated() {
          expectClose(
            visual.rows.rows(range).array(),
            try reference["row\(row).visual_tokens"],
            relative: 0,
            absolute: 5e-4,
            "visual tokens"
          )
        }
      },
      onGradient: { announced.append($0.name) }
    )
    let loss = try reference.number("loss")
    #expect(result.countedTokens == 37)
    #expect(abs(result.generationLoss - loss) <= 1e-5 * loss)
    let visual = try #require(result.visualGradients)
    for (row, range) in ranges.enumerated() {
      expectClose(
        visual.rows(range).array(),
        try reference["row\(row).d_visual_tokens"],
        relative: 2e-3,
        cosine: 0.9999,
        "d visual tokens"
      )
    }
    try Self.expectGradients(model, reference, relative: 2e-3, cosine: 0.9999)
    // Each parameter is announced once; those behind the selected block never.
    #expect(Set(announced).count == announced.count)
    let reached = model.trained.map(\.name).filter {
      !$0.hasPrefix("vision.blk.3") && !$0.hasPrefix("vision.norm")
        && !$0.hasPrefix("vision.head")
    }
    #expect(Set(announced) == Set(reached))
  }

  @Test func threadsDoNotChangeBits() throws {
    let reference = try Reference("mm-loss/reference.safetensors")
    for precision in ProductPrecision.allCases {
      let models = try (1...2).map {
        try TrainableModel(
          TinyModels.multimodal(),
          options: Self.options(),
          on: execution(precision, threads: $0)
        )
      }
      let samples = try Self.multimodalSamples(reference)
      let losses = try models.map { try $0.forwardBackward(samples).generationLoss }
      #expect(losses[0] == losses[1])
      for parameter in models[0].trained {
        guard let first = parameter.gradient else { continue }
        #expect(
          bits(first.array()) == bits(try gradient(parameter.name, models[1])),
          "\(precision) \(parameter.name)"
        )
      }
    }
  }

  @Test func cachedFeaturesGiveTheSameAdapterGradients() throws {
    let reference = try Reference("mm-loss/reference.safetensors")
    let options = TrainingOptions(trained: [.adapter])
    let models = try (0..<2).map { _ in
      try TrainableModel(TinyModels.multimodal(), options: options, on: execution())
    }
    var samples = try Self.multimodalSamples(reference)
    let first = try models[0].forwardBackward(samples)
    for index in samples.indices {
      samples[index].pictures = [
        .features(try models[1].features(of: try TinyModels.pixels(index)))
      ]
    }
    let second = try models[1].forwardBackward(samples)
    #expect(first.generationLoss == second.generationLoss)
    for parameter in models[0].trained {
      #expect(parameter.name.hasPrefix("adapter."))
      #expect(
        bits(try gradient(parameter.name, models[0]))
          == bits(try gradient(parameter.name, models[1]))
      )
    }
  }

  /// Storage and precision that a large run would use, and how far they may lead away.
  @Test(arguments: [
    (ParameterStorage.bfloat16, ProductPrecision.float32, 1e-5, 0.9999),
    (.bfloat16, .bfloat16, 2e-3, 0.999), (.int8(group: 32), .bfloat16, 1e-2, 0.99),
    (.int8(group: 32), .float32, 1e-2, 0.99),
  ])
  func frozenStorageStaysClose(
    _ storage: ParameterStorage,
    _ precision: ProductPrecision,
    _ lossTolerance: Double,
    _ cosine: Double
  ) throws {
    let reference = try Reference("mm-loss/reference.safetensors")
    var options = TrainingOptions(trained: [.adapter])
    options.frozenStorage = storage
    let model = try TrainableModel(
      TinyModels.multimodal(),
      options: options,
      on: execution(precision)
    )
    #expect(model.parameters["llm.blk.0.mlp.up.weight"]?.storage == storage)
    let result = try model.forwardBackward(Self.multimodalSamples(reference))
    let loss = try reference.number("loss")
    #expect(abs(result.generationLoss - loss) <= lossTolerance * loss)
    for name in ["0.weight", "0.bias", "1.weight", "1.bias"] {
      let (layer, part) = (name.first == "0" ? 0 : 2, name.dropFirst(2))
      let expected = try reference["grad.model.mm_projector.\(layer).\(part)"]
      expectClose(
        try gradient("adapter.\(name)", model),
        expected,
        relative: 1,
        cosine: cosine,
        name
      )
    }
  }

  @Test func badSamplesAreRefused() throws {
    let model = try TrainableModel(
      TinyModels.llama(),
      options: Self.options(),
      on: execution()
    )
    #expect(throws: LayerError.token(id: 9999, vocab: 768)) {
      _ = try model.forwardBackward([TrainingSample(ids: [1, 9999], isTarget: [false, true])])
    }
    #expect(throws: LayerError.images(placeholders: 1, given: 0)) {
      _ = try model.forwardBackward([TrainingSample(ids: [1, -200], isTarget: [false, false])])
    }
    #expect(throws: LayerError.self) {
      _ = try model.forwardBackward([TrainingSample(ids: [1, 2], isTarget: [false])])
    }
  }

  @Test(.enabled(if: Fixtures.hasShared, "the shared fixtures are not here"))
  func firstStepOfAlignmentMeetsPyTorch() throws {
    let folder = try #require(Fixtures.shared) + "/sea/stage1-step"
    let reference = try Reference(folder + "/reference.safetensors")
    let json = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: folder + "/samples.json"))
    )
    let entries =
      try #require((json as? [Any]) ?? (json as? [String: Any])?["samples"] as? [Any])
    let pairs = try entries.map { entry -> (row: Int, patch: Int) in
      let fields = try #require(entry as? [String: Any])
      return (
        try #require(fields["row"] as? Int),
        try #require((fields["patch"] ?? fields["patch_index"]) as? Int)
      )
    }
    let model = try TrainableModel(
      TinyModels.multimodal(),
      options: TrainingOptions(trained: [.adapter]),
      on: execution()
    )
    let samples = try (0..<2).map {
      try reference.sample(
        ids: "row\($0).ids",
        labels: "row\($0).labels",
        pictures: [.pixels(try TinyModels.pixels($0))]
      )
    }
    let t = try MatrixView(try reference["step0.T"], columns: 72)
    let loss = ContrastiveLoss(on: model.execution)
    var measured: ContrastiveResult?
    let result = try model.forwardBackward(
      samples,
      alignment: { visual in
        let places = pairs.map { visual.ranges[$0.row].lowerBound + $0.patch }
        let x = try MatrixView<Float>(rows: places.count, columns: 72)
        let dx = try MatrixView<Float>(rows: places.count, columns: 72)
        for (index, place) in places.enumerated() {
          x.rows(index..<index + 1).copy(from: visual.rows.rows(place..<place + 1))
        }
        expectClose(
          x.array(),
          try reference["step0.X"],
          relative: 0,
          absolute: 5e-4,
          "pairs"
        )
        measured = try loss.run(x, t, temperature: .tau(0.07), dx: dx)
        for (index, place) in places.enumerated() {
          model.execution.kernels.add(
            dx.rows(index..<index + 1),
            times: 1,
            to: visual.gradients.rows(place..<place + 1)
          )
        }
      }
    )
    let found = try #require(measured)
    for (value, name) in [(result.generationLoss, "Lg"), (found.loss, "La")] {
      let expected = try reference.number("step0.\(name)")
      #expect(abs(value - expected) <= 1e-5 * expected, "\(name)")
    }
    let slope = try reference.number("step0.d_tau")
    #expect(abs(found.temperatureGradient - slope) <= 1e-4 * abs(slope) + 1e-6)
    for (layer, own) in [(0, 0), (2, 1)] {
      for part in ["weight", "bias"] {
        expectClose(
          try gradient("adapter.\(own).\(part)", model),
          try reference["step0.grad.model.mm_projector.\(layer).\(part)"],
          relative: 2e-3,
          cosine: 0.9999,
          "adapter.\(own).\(part)"
        )
      }
    }
  }
}
