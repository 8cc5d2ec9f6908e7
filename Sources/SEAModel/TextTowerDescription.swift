// SPDX-License-Identifier: Apache-2.0
// What the text tower of an encoder is: words in, points of the joint space out.

package import SEAFormat
package import SEATensor

/// A transformer over words, trained together with a vision encoder (CLIP, SigLIP).
///
/// - Source: reference.md A.1, B.1.6, B.2.5.
package struct TextTowerDescription: Sendable, Equatable {
  /// The row that stands for the whole text.
  package enum Pooling: String, Sendable, CaseIterable {
    /// The first row with the largest id, which is the end of the text; rows after it are not needed.
    case endOfText = "end_of_text"
    /// The last row of a sequence that is always padded to the whole context.
    case last
  }

  /// The linear layer from the pooled row to the joint space.
  package struct Projection: Sendable, Equatable {
    /// Outputs.
    package var width: Int
    package var hasBias: Bool

    /// A layer of `width` outputs.
    package init(width: Int, hasBias: Bool) {
      self.width = width
      self.hasBias = hasBias
    }
  }

  /// Name of the family, for people.
  package var family: String
  /// Rows of the embedding table.
  package var vocab: Int
  /// Positions there are embeddings for: the longest text in tokens.
  package var context: Int
  package var hidden: Int
  package var blocks: Int
  package var heads: Int
  package var ffn: Int
  package var activation: Activation
  package var epsilon: Double
  /// A token sees only itself and those before it.
  package var isCausal: Bool
  package var pooling: Pooling
  /// Absent: the pooled row itself is the point in the joint space.
  package var projection: Projection?
  /// Stands before every text; nil: nothing does.
  package var startID: Int?
  /// Stands after every text.
  package var endID: Int
  /// Fills up texts that are padded.
  package var padID: Int

  /// Memberwise; see the properties.
  package init(
    family: String,
    vocab: Int,
    context: Int,
    hidden: Int,
    blocks: Int,
    heads: Int,
    ffn: Int,
    activation: Activation,
    epsilon: Double,
    isCausal: Bool,
    pooling: Pooling,
    projection: Projection?,
    startID: Int?,
    endID: Int,
    padID: Int
  ) {
    self.family = family
    self.vocab = vocab
    self.context = context
    self.hidden = hidden
    self.blocks = blocks
    self.heads = heads
    self.ffn = ffn
    self.activation = activation
    self.epsilon = epsilon
    self.isCausal = isCausal
    self.pooling = pooling
    self.projection = projection
    self.startID = startID
    self.endID = endID
    self.padID = padID
  }

  package var headDim: Int { hidden / heads }
  /// Width of the joint space.
  package var jointWidth: Int { projection?.width ?? hidden }
}

extension TextTowerDescription {
  /// Reads the fields from JSON.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue, path: String = "vtext") throws(ModelError) {
    let fields = FieldReader(json, path: path)
    let vocab = try fields.int("vocab", in: 1...(1 << 24))
    var projection: Projection?
    if let part = fields.optional("projection") {
      let fields = FieldReader(part, path: fields.name("projection"))
      projection = Projection(
        width: try fields.int("width", in: 1...65_536),
        hasBias: try fields.bool("bias")
      )
    }
    self.init(
      family: try fields.string("family"),
      vocab: vocab,
      context: try fields.int("context", in: 1...8192),
      hidden: try fields.int("hidden", in: 1...65_536),
      blocks: try fields.int("blocks", in: 0...1024),
      heads: try fields.int("heads", in: 1...1024),
      ffn: try fields.int("ffn", in: 1...262_144),
      activation: try fields.choice("activation"),
      epsilon: try fields.positive("epsilon"),
      isCausal: try fields.bool("causal"),
      pooling: try fields.choice("pooling"),
      projection: projection,
      startID: fields.optional("start_id") == nil
        ? nil : try fields.int("start_id", in: 0...vocab - 1),
      endID: try fields.int("end_id", in: 0...vocab - 1),
      padID: try fields.int("pad_id", in: 0...vocab - 1)
    )
    try validate(path: path)
  }

  /// The fields as JSON.
  package var json: JSONValue {
    var fields: [(String, JSONValue)] = [
      ("family", .string(family)),
      ("vocab", .number(JSONNumber(vocab))),
      ("context", .number(JSONNumber(context))),
      ("hidden", .number(JSONNumber(hidden))),
      ("blocks", .number(JSONNumber(blocks))),
      ("heads", .number(JSONNumber(heads))),
      ("ffn", .number(JSONNumber(ffn))),
      ("activation", .string(activation.rawValue)),
      ("epsilon", .number(JSONNumber(epsilon))),
      ("causal", .bool(isCausal)),
      ("pooling", .string(pooling.rawValue)),
    ]
    if let projection {
      let layer: JSONValue = [
        "width": .number(JSONNumber(projection.width)), "bias": .bool(projection.hasBias),
      ]
      fields.append(("projection", layer))
    }
    if let startID { fields.append(("start_id", .number(JSONNumber(startID)))) }
    fields.append(("end_id", .number(JSONNumber(endID))))
    fields.append(("pad_id", .number(JSONNumber(padID))))
    return .object(JSONObject(fields))
  }

  /// Checks what single fields cannot: divisibility, ids, and that a text may be cut at its end.
  ///
  /// - Throws: `ModelError.invalid`.
  package func validate(path: String = "vtext") throws(ModelError) {
    guard hidden % heads == 0, headDim <= 256 else {
      throw .invalid(
        field: "\(path).heads",
        found: "\(heads)",
        expected: "a divisor of the hidden size \(hidden) with a head dim of at most 256"
      )
    }
    let ids = [("start_id", startID ?? 0), ("end_id", endID), ("pad_id", padID)]
    for (name, id) in ids where id < 0 || id >= vocab {
      throw .invalid(
        field: "\(path).\(name)",
        found: "\(id)",
        expected: "an id below \(vocab)"
      )
    }
    // The ids that every text has and at least one of its own.
    let room = startID == nil ? 2 : 3
    guard context >= room else {
      throw .invalid(
        field: "\(path).context",
        found: "\(context)",
        expected: "at least \(room) positions"
      )
    }
    guard isCausal || pooling == .last else {
      throw .invalid(
        field: "\(path).pooling",
        found: "'\(pooling.rawValue)'",
        expected: "'last' where tokens see those after them"
      )
    }
  }
}
