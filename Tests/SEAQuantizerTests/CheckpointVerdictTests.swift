// SPDX-License-Identifier: Apache-2.0
// Checkpoints of every layout, converted and judged; needs the shared fixtures.

import Foundation
import SEACheckpoint
import SEAModel
import SEAQuantizer
import SEARuntime
import SEAText
import Testing

@Suite struct CheckpointVerdictTests {
  static let fixtures: String = {
    let root =
      ProcessInfo.processInfo.environment["SEA_SHARED"]
      ?? #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/\($1)" } + "/shared"
    return root + "/fixtures"
  }()

  static let folders = [
    "llm/llama-tiny", "llm/llama-f16bin-tiny", "llm/llama3-tiny", "llm/gemma-tiny",
    "llm/phi3-tiny", "vision/clip-tiny", "vision/clip-tiny-84", "vision/siglip-tiny",
    "mllm/sea-gemma-tiny/llava", "mllm/sea-gemma-tiny/hf", "mllm/llava-llama-tiny/llava",
    "mllm/llava-llama-tiny/hf", "mllm/sea-phi3-tiny/hf", "mllm/llava-linear-tiny/llava",
  ]

  static let policies: [PrecisionPolicy] = [
    PrecisionPolicy(all: .float32), PrecisionPolicy(all: .bfloat16), .int8(group: 32),
    .int8(group: 128), .int8(group: nil), .int4,
  ]

  @Test(
    .enabled(
      if: FileManager.default.fileExists(atPath: fixtures),
      "the shared fixtures are not beside the repository"
    ),
    arguments: folders,
    policies
  )
  func aConvertedCheckpointFollowsItsSource(folder: String, policy: PrecisionPolicy) throws {
    let source = try SourceModel(path: "\(Self.fixtures)/\(folder)")
    let tokenizer = try source.tokenizerFolder.map {
      try TokenizerCompiler.compile(TokenizerFiles(folder: $0))
    }
    let bench = try Workbench()
    try bench.build(source, policy, tokenizer: tokenizer)
    let execution = Execution(kernels: bench.kernels, threads: 2)
    let verdict = try ParityComparison(source: source, path: bench.path("out.sea"), on: execution)
      .run()
    #expect(verdict.isGood, "\(folder): \(verdict.text)")
    if verdict.precision == .float32, let logits = verdict.logits {
      #expect(logits.meanDivergence < 1e-9)
      #expect(logits.agreed == logits.positions)
    }
  }
}
