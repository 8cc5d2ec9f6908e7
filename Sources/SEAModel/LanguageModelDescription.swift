// SPDX-License-Identifier: Apache-2.0
// What a language model is: a pre-norm decoder whose family differences are fields.

package import SEAFormat
package import SEATensor

/// A decoder-only transformer (Llama, Gemma, Phi-3).
package struct LanguageModelDescription: Sendable, Equatable {
  /// Name of the family, for people.
  package var family: String
  package var blocks: Int
  package var hidden: Int
  package var heads: Int
  package var kvHeads: Int
  package var headDim: Int
  package var ffn: Int
  /// Rows of the embedding table; may exceed the tokenizer's entries.
  package var vocab: Int
  /// Applied to the gate, which multiplies the up projection.
  package var activation: Activation
  package var epsilon: Double
  /// Base of the rotary angles: `ropeTheta^(-2j / headDim)`.
  package var ropeTheta: Double
  /// Keys that a query sees, itself included; 0 means all.
  package var slidingWindow: Int
  /// The head is the embedding table.
  package var isHeadTied: Bool
  /// Multiplies looked-up embedding rows (Gemma: √hidden).
  package var embeddingScale: Double
  /// Longest sequence the model was made for.
  package var maxPositions: Int

  /// Memberwise; see the properties.
  package init(
    family: String,
    blocks: Int,
    hidden: Int,
    heads: Int,
    kvHeads: Int,
    headDim: Int,
    ffn: Int,
    vocab: Int,
    activation: Activation,
    epsilon: Double,
    ropeTheta: Double,
    slidingWindow: Int,
    isHeadTied: Bool,
    embeddingScale: Double,
    maxPositions: Int
  ) {
    self.family = family
    self.blocks = blocks
    self.hidden = hidden
    self.heads = heads
    self.kvHeads = kvHeads
    self.headDim = headDim
    self.ffn = ffn
    self.vocab = vocab
    self.activation = activation
    self.epsilon = epsilon
    self.ropeTheta = ropeTheta
    self.slidingWindow = slidingWindow
    self.isHeadTied = isHeadTied
    self.embeddingScale = embeddingScale
    self.maxPositions = maxPositions
  }

  /// Width of all query heads side by side.
  package var queryWidth: Int { heads * headDim }
  /// Width of all key heads side by side.
  package var kvWidth: Int { kvHeads * headDim }
}

extension LanguageModelDescription {
  /// Reads the fields from JSON.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue, path: String = "llm") throws(ModelError) {
    let fields = FieldReader(json, path: path)
    self.init(
      family: try fields.string("family"),
      blocks: try fields.int("blocks", in: 1...1024),
      hidden: try fields.int("hidden", in: 1...65_536),
      heads: try fields.int("heads", in: 1...1024),
      kvHeads: try fields.int("kv_heads", in: 1...1024),
      headDim: try fields.int("head_dim", in: 2...256),
      ffn: try fields.int("ffn", in: 1...262_144),
      vocab: try fields.int("vocab", in: 1...(1 << 24)),
      activation: try fields.choice("activation"),
      epsilon: try fields.positive("epsilon"),
      ropeTheta: try fields.positive("rope_theta"),
      slidingWindow: try fields.int("sliding_window", in: 0...(1 << 24)),
      isHeadTied: try fields.bool("tied_head"),
      embeddingScale: try fields.positive("embedding_scale"),
      maxPositions: try fields.int("max_positions", in: 1...(1 << 24))
    )
    try validate(path: path)
  }

  /// The fields as JSON.
  package var json: JSONValue {
    [
      "family": .string(family),
      "blocks": .number(JSONNumber(blocks)),
      "hidden": .number(JSONNumber(hidden)),
      "heads": .number(JSONNumber(heads)),
      "kv_heads": .number(JSONNumber(kvHeads)),
      "head_dim": .number(JSONNumber(headDim)),
      "ffn": .number(JSONNumber(ffn)),
      "vocab": .number(JSONNumber(vocab)),
      "activation": .string(activation.rawValue),
      "epsilon": .number(JSONNumber(epsilon)),
      "rope_theta": .number(JSONNumber(ropeTheta)),
      "sliding_window": .number(JSONNumber(slidingWindow)),
      "tied_head": .bool(isHeadTied),
      "embedding_scale": .number(JSONNumber(embeddingScale)),
      "max_positions": .number(JSONNumber(maxPositions)),
    ]
  }

  /// Checks what single fields cannot.
  ///
  /// - Throws: `ModelError.invalid`.
  package func validate(path: String = "llm") throws(ModelError) {
    guard heads % kvHeads == 0 else {
      throw .invalid(
        field: "\(path).kv_heads",
        found: "\(kvHeads)",
        expected: "a divisor of the \(heads) heads"
      )
    }
    guard headDim % 2 == 0 else {
      throw .invalid(field: "\(path).head_dim", found: "\(headDim)", expected: "an even number")
    }
  }
}
