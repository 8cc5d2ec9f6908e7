// SPDX-License-Identifier: Apache-2.0
// A whole model file, written from a fixture for one test.

import Foundation
import SEACheckpoint
import SEAFormat
import SEAImage
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import SEAText

/// A model file that is removed with its owner.
final class ModelFixture {
  let path: String

  /// Writes the fixture; `change` may alter the description first.
  init(
    policy: PrecisionPolicy = PrecisionPolicy(all: .float32),
    hasTokenizer: Bool = true,
    change: (inout ModelDescription) -> Void = { _ in }
  ) throws {
    path = NSTemporaryDirectory() + "sea-runtime-\(UUID().uuidString).sea"
    let folder = try fixture(MultimodalTests.name)
    var source = try FixtureModel.whole(folder, visualScale: 72.0.squareRoot())
    source.model.name = "tiny"
    source.model.recipe = .siglipPad(side: 60)
    source.model.template = try Template.named("gemma_it")
    source.model.generation = GenerationDefaults(stopIDs: [1], context: 96)
    change(&source.model)
    let builder = ModelFileBuilder(
      source: source,
      tokenizer: hasTokenizer
        ? try TokenizerCompiler.compile(TokenizerFiles(folder: folder)) : nil,
      policy: policy,
      pool: WorkerPool(threads: 1),
      kernels: try Kernels(.best)
    )
    _ = try builder.write(to: path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func open(_ placement: WeightPlacement = .mapped) throws -> Model {
    try Model(path: path, placement: placement)
  }

  func generator(
    _ options: GeneratorOptions = GeneratorOptions(),
    threads: Int = 2
  ) throws -> Generator {
    try Generator(
      open(options.placement),
      options: options,
      on: Execution(kernels: Kernels(.best), threads: threads)
    )
  }
}
