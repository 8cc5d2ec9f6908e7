// SPDX-License-Identifier: Apache-2.0
// What is asked of a generator, and what it answers.

package import SEATensor

/// How a generator runs; fixed while it lives.
package struct GeneratorOptions: Sendable, Equatable {
  /// Positions of the context; nil: what the model file suggests.
  package var context: Int?
  /// Element type of keys and values; nil: what suits the weights.
  package var cacheType: CacheType?
  /// Positions read at once.
  package var chunk: Int
  /// Resident bytes that may not be exceeded; nil: what the machine has.
  package var maxMemory: Int?
  /// Positions scored at once when all are traced.
  package var scoredRows: Int
  /// Where the model's weights are used from.
  package var placement: WeightPlacement
  /// Pictures there is room to remember, so that they are not encoded again; none when memory is
  /// short.
  package var knownPictures: Int

  /// The usual way.
  package init(
    context: Int? = nil,
    cacheType: CacheType? = nil,
    chunk: Int = 256,
    maxMemory: Int? = nil,
    scoredRows: Int = 1,
    placement: WeightPlacement = .mapped,
    knownPictures: Int = 4
  ) {
    self.context = context
    self.cacheType = cacheType
    self.chunk = chunk
    self.maxMemory = maxMemory
    self.scoredRows = scoredRows
    self.placement = placement
    self.knownPictures = knownPictures
  }
}

/// What an answer may be.
package struct GenerationOptions: Sendable, Equatable {
  /// Tokens at most.
  package var maxTokens: Int
  /// How tokens are chosen.
  package var sampling: SamplingOptions
  /// What ends the answer.
  package var stops: StopRule

  /// Greedy choice that nothing ends but the length, unless told otherwise.
  package init(
    maxTokens: Int = 1024,
    sampling: SamplingOptions = SamplingOptions(),
    stops: StopRule = .none
  ) {
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.stops = stops
  }
}

/// A token as it is chosen.
package struct GeneratedToken: Sendable, Equatable {
  /// Its id.
  package let id: Int32
  /// The answer's text that has become certain with it; may be empty.
  package let text: String
}

/// Why an answer ended.
public enum FinishReason: String, Sendable {
  /// A stop id or stop text.
  case stop
  /// As many tokens as were asked for.
  case length
  /// The context is full.
  case context
  /// The caller did not want more.
  case cancelled
}

/// A finished answer.
package struct Generation: Sendable, Equatable {
  /// The tokens, without the stop id that ended them.
  package let ids: [Int32]
  /// The text, without stop texts.
  package let text: String
  /// Text that no token had made certain.
  package let rest: String
  /// Why it ended.
  package let reason: FinishReason
}

/// A picture as the language model sees it.
package struct VisualTokens: Sendable {
  /// `[patches, hidden]`.
  package let rows: MatrixView<Float>

  /// Tells pictures of one generator apart, so that a prefix with the same picture is kept.
  let serial: Int
}
