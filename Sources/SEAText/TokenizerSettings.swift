// SPDX-License-Identifier: Apache-2.0
// What a compiled tokenizer is, apart from its tables: one small JSON text.

package import SEAFormat

/// The settings of a compiled tokenizer.
///
/// The three components stay as the tokenizer file has them, so that one reader serves both the
/// converter and the runtime.
package struct TokenizerSettings: Sendable, Equatable {
  /// How words become tokens.
  package enum Model: Sendable, Equatable {
    case bytePair(BytePair)
    case unigram(Unigram)
  }

  /// Options of a byte-pair model.
  package struct BytePair: Sendable, Equatable {
    /// Symbols are bytes (written as visible characters), not characters.
    package var isByteLevel = false
    /// A word that is in the vocabulary is taken whole.
    package var ignoresMerges = false
    /// Characters outside the vocabulary become tokens like `<0x0A>`.
    package var hasByteFallback = false
    /// Neighbouring unknown characters become one unknown token.
    package var fusesUnknown = false
    /// Added to the last symbol of each word.
    package var wordSuffix = ""
    /// Words may be cut wherever the table of joints says that no merge crosses.
    package var hasJoints = false
    /// Some merge, whole word or single character makes a control token.
    package var makesControl = false
    /// Some merge makes an unused piece, which comes out as what it was merged from.
    package var makesUnused = false

    /// Options that are all off.
    package init() {}
  }

  /// Options of a Unigram model.
  package struct Unigram: Sendable, Equatable {
    /// Characters outside the vocabulary become tokens like `<0x0A>`.
    package var hasByteFallback = false
    /// Longest piece in bytes.
    package var longestPiece = 0
    /// Lowest score of any piece.
    package var lowestScore: Float = 0
    /// Sums of scores are kept in single precision, which decides between near equals.
    package var isSinglePrecision = false

    /// Options that are all off.
    package init() {}
  }

  /// Token ids with a role.
  package struct SpecialTokens: Sendable, Equatable {
    package var beginning: Int32?
    package var end: Int32?
    package var unknown: Int32?
    package var padding: Int32?
    /// Ids that end generation, as the checkpoint's generation settings list them.
    package var stops: [Int32] = []

    /// No roles at all.
    package init() {}
  }

  /// Number of ids: pieces and added tokens.
  package var count: Int
  package var model: Model
  /// The file's `normalizer`, or null.
  package var normalizer: JSONValue
  /// The file's `pre_tokenizer`, or null.
  package var preTokenizer: JSONValue
  /// The file's `decoder`, or null.
  package var decoder: JSONValue
  /// The rules of a tokenizer made from a SentencePiece model; it has no components.
  package var sentencePiece: SentencePieceRules?
  /// Ids put before and after a text that asks for its template.
  package var prefix: [Int32]
  package var suffix: [Int32]
  package var special: SpecialTokens
  /// Longest number of slots that a search in the hash tables visits.
  package var probeLimit: Int

  /// Settings with every field given.
  package init(
    count: Int,
    model: Model,
    normalizer: JSONValue,
    preTokenizer: JSONValue,
    decoder: JSONValue,
    sentencePiece: SentencePieceRules? = nil,
    prefix: [Int32],
    suffix: [Int32],
    special: SpecialTokens,
    probeLimit: Int,
  ) {
    self.count = count
    self.model = model
    self.normalizer = normalizer
    self.preTokenizer = preTokenizer
    self.decoder = decoder
    self.sentencePiece = sentencePiece
    self.prefix = prefix
    self.suffix = suffix
    self.special = special
    self.probeLimit = probeLimit
  }

  /// Most ids that a tokenizer may have; real ones stay below 2^19.
  package static let maximumCount = 1 << 24
}

// MARK: - JSON

extension TokenizerSettings {
  /// The settings as the JSON text stored in a model file.
  package var json: JSONValue {
    [
      "count": .number(JSONNumber(count)),
      "model": model.json,
      "normalizer": normalizer,
      "pre_tokenizer": preTokenizer,
      "decoder": decoder,
      "sentencepiece": sentencePiece?.json ?? .null,
      "prefix": Self.array(prefix),
      "suffix": Self.array(suffix),
      "special": [
        "bos": Self.optional(special.beginning),
        "eos": Self.optional(special.end),
        "unk": Self.optional(special.unknown),
        "pad": Self.optional(special.padding),
        "stops": Self.array(special.stops),
      ],
      "probe_limit": .number(JSONNumber(probeLimit)),
    ]
  }

  /// Reads settings and checks every id against the number of ids.
  ///
  /// - Throws: `TextError.badSetting` naming the field.
  package init(json: JSONValue) throws(TextError) {
    guard let count = json["count"]?.int, (1...Self.maximumCount).contains(count) else {
      throw .badSetting(field: "count", problem: "expected 1...\(Self.maximumCount)")
    }
    guard let probeLimit = json["probe_limit"]?.int, (1...4096).contains(probeLimit) else {
      throw .badSetting(field: "probe_limit", problem: "expected 1...4096")
    }
    var special = SpecialTokens()
    special.beginning = try Self.id(json["special"]?["bos"], field: "special.bos", count: count)
    special.end = try Self.id(json["special"]?["eos"], field: "special.eos", count: count)
    special.unknown = try Self.id(json["special"]?["unk"], field: "special.unk", count: count)
    special.padding = try Self.id(json["special"]?["pad"], field: "special.pad", count: count)
    special.stops = try Self.ids(json["special"]?["stops"], field: "special.stops", count: count)
    self.init(
      count: count,
      model: try Model(json: json["model"]),
      normalizer: json["normalizer"] ?? .null,
      preTokenizer: json["pre_tokenizer"] ?? .null,
      decoder: json["decoder"] ?? .null,
      sentencePiece: try Self.rules(json["sentencepiece"]),
      prefix: try Self.ids(json["prefix"], field: "prefix", count: count),
      suffix: try Self.ids(json["suffix"], field: "suffix", count: count),
      special: special,
      probeLimit: probeLimit,
    )
  }

  private static func rules(_ value: JSONValue?) throws(TextError) -> SentencePieceRules? {
    guard let value, !value.isNull else { return nil }
    return try SentencePieceRules(json: value)
  }

  private static func array(_ ids: [Int32]) -> JSONValue {
    .array(ids.map { .number(JSONNumber(Int($0))) })
  }

  private static func optional(_ id: Int32?) -> JSONValue {
    id.map { .number(JSONNumber(Int($0))) } ?? .null
  }

  private static func id(
    _ value: JSONValue?,
    field: String,
    count: Int
  ) throws(TextError) -> Int32? {
    guard let value, !value.isNull else { return nil }
    guard let id = value.int, (0..<count).contains(id) else {
      throw .badSetting(field: field, problem: "expected a token id below \(count)")
    }
    return Int32(id)
  }

  private static func ids(
    _ value: JSONValue?,
    field: String,
    count: Int
  ) throws(TextError) -> [Int32] {
    guard let elements = value?.array, elements.count <= 64 else {
      throw .badSetting(field: field, problem: "expected an array of at most 64 token ids")
    }
    var ids: [Int32] = []
    for element in elements {
      guard let id = try Self.id(element, field: field, count: count) else {
        throw .badSetting(field: field, problem: "expected token ids, found null")
      }
      ids.append(id)
    }
    return ids
  }
}

extension TokenizerSettings.Model {
  fileprivate var json: JSONValue {
    switch self {
    case .bytePair(let options):
      [
        "type": "BPE",
        "byte_level": .bool(options.isByteLevel),
        "ignore_merges": .bool(options.ignoresMerges),
        "byte_fallback": .bool(options.hasByteFallback),
        "fuse_unk": .bool(options.fusesUnknown),
        "end_of_word_suffix": .string(options.wordSuffix),
        "joints": .bool(options.hasJoints),
        "makes_control": .bool(options.makesControl),
        "makes_unused": .bool(options.makesUnused),
      ]
    case .unigram(let options):
      [
        "type": "Unigram",
        "byte_fallback": .bool(options.hasByteFallback),
        "longest_piece": .number(JSONNumber(options.longestPiece)),
        "lowest_score": .number(JSONNumber(Double(options.lowestScore))),
        "single_precision": .bool(options.isSinglePrecision),
      ]
    }
  }

  fileprivate init(json: JSONValue?) throws(TextError) {
    func flag(_ key: String) throws(TextError) -> Bool {
      guard let value = json?[key]?.bool else {
        throw .badSetting(field: "model.\(key)", problem: "expected a boolean")
      }
      return value
    }
    switch json?["type"]?.string {
    case "BPE":
      var options = TokenizerSettings.BytePair()
      options.isByteLevel = try flag("byte_level")
      options.ignoresMerges = try flag("ignore_merges")
      options.hasByteFallback = try flag("byte_fallback")
      options.fusesUnknown = try flag("fuse_unk")
      options.hasJoints = try flag("joints")
      options.makesControl = try flag("makes_control")
      options.makesUnused = try flag("makes_unused")
      guard let suffix = json?["end_of_word_suffix"]?.string else {
        throw .badSetting(field: "model.end_of_word_suffix", problem: "expected a string")
      }
      options.wordSuffix = suffix
      self = .bytePair(options)
    case "Unigram":
      var options = TokenizerSettings.Unigram()
      options.hasByteFallback = try flag("byte_fallback")
      guard let longest = json?["longest_piece"]?.int, (0...(1 << 16)).contains(longest) else {
        throw .badSetting(field: "model.longest_piece", problem: "expected 0...65536 bytes")
      }
      guard let score = json?["lowest_score"]?.double, score.magnitude < 1e30 else {
        throw .badSetting(field: "model.lowest_score", problem: "expected a number")
      }
      options.longestPiece = longest
      options.lowestScore = Float(score)
      options.isSinglePrecision = try flag("single_precision")
      self = .unigram(options)
    default:
      throw .badSetting(field: "model.type", problem: "expected BPE or Unigram")
    }
  }
}
