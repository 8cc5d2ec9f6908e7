// SPDX-License-Identifier: Apache-2.0
// What a benchmark measures, and how often.

package import SEATensor

/// A step of the way from a file to an answer.
package enum BenchStage: String, Sendable, CaseIterable {
  /// From a path to a generator that is ready, page cache warm.
  case load
  /// Decoding a JPEG of 1920 × 1080 pixels and the model's recipe.
  case image
  /// The vision encoder.
  case encode
  /// The adapter.
  case adapter
  /// Reading a prompt.
  case prefill
  /// Writing an answer, time for each token.
  case decode
  /// From a picture's bytes to the first token of the answer.
  case firstToken = "first-token"
  /// The most memory that a picture and a prompt take.
  case memory
}

/// How a benchmark runs.
package struct BenchOptions: Sendable, Equatable {
  /// What to measure; stages whose part the model lacks are left out.
  package var stages = Set(BenchStage.allCases)
  /// Prompt lengths; empty: the positions of a picture and 32 tokens, or 64 without pictures.
  package var promptTokens: [Int] = []
  /// Tokens of an answer.
  package var decodeTokens = 64
  /// Positions before the answer.
  package var depths = [0]
  /// Times that each stage is measured.
  package var repeats = 5
  /// Measure the machine beside the model.
  package var measuresLimits = false
  /// Tell where the time of a stage goes.
  package var profiles = false
  /// Element type of cached keys and values; nil: what suits the weights.
  package var cacheType: CacheType?
  /// Where the weights are used from.
  package var placement = WeightPlacement.mapped

  /// The usual way.
  package init() {}
}
