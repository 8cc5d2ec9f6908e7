// SPDX-License-Identifier: Apache-2.0
// How text is prepared for a SentencePiece model: what the model says and what its users add to it.

package import SEAFormat

/// The steps around a SentencePiece model.
///
/// The model's own normaliser works on each stretch of text between added tokens. The libraries that
/// wrap such models add steps of their own, and these decide ids as much as the model does.
/// - Source: sentencepiece `normalizer.cc`; transformers `tokenization_llama.py`,
///   `tokenization_siglip.py`.
package struct SentencePieceRules: Sendable, Equatable {
  // MARK: The whole text, before added tokens are looked for

  /// The visible space in a text is a space like any other.
  package var replacesMarks = false
  /// Capital letters become small ones, each by itself.
  package var lowercases = false
  /// A visible space is put before the text.
  package var startsWithMark = false

  // MARK: Each stretch between added tokens

  /// ASCII punctuation is removed and white space folded and trimmed.
  package var canonicalizes = false
  /// Text put before a stretch, whose tokens are taken away again.
  ///
  /// It keeps the normaliser from trimming the start of the stretch.
  package var shield = ""
  /// Number of tokens of the shield by itself.
  package var shieldTokens = 0
  /// Only a stretch that starts with a space is shielded.
  package var shieldsSpacesOnly = false

  // MARK: The model's normaliser

  package var addsDummyPrefix = true
  package var removesExtraSpaces = true
  package var escapesSpaces = true
  /// Spaces end words instead of starting them.
  package var marksWordEnds = false

  // MARK: The tokens

  /// A visible space alone before a token with a role is dropped at the start of a text.
  package var dropsLoneMark = false
  /// The suffix is left out where a text ends with it already.
  package var addsSuffixOnce = false

  /// The steps of the library by itself.
  package init() {}

  /// Most tokens that a shield may have.
  package static let maximumShieldTokens = 64
}

// MARK: - JSON

extension SentencePieceRules {
  private static var flags: [(key: String, path: WritableKeyPath<Self, Bool>)] {
    [
      ("replaces_marks", \.replacesMarks),
      ("lowercases", \.lowercases),
      ("starts_with_mark", \.startsWithMark),
      ("canonicalizes", \.canonicalizes),
      ("shields_spaces_only", \.shieldsSpacesOnly),
      ("add_dummy_prefix", \.addsDummyPrefix),
      ("remove_extra_whitespaces", \.removesExtraSpaces),
      ("escape_whitespaces", \.escapesSpaces),
      ("treat_whitespace_as_suffix", \.marksWordEnds),
      ("drops_lone_mark", \.dropsLoneMark),
      ("adds_suffix_once", \.addsSuffixOnce),
    ]
  }

  /// The rules as JSON.
  package var json: JSONValue {
    var object = JSONObject()
    for flag in Self.flags { object[flag.key] = .bool(self[keyPath: flag.path]) }
    object["shield"] = .string(shield)
    object["shield_tokens"] = .number(JSONNumber(shieldTokens))
    return .object(object)
  }

  /// Reads rules.
  ///
  /// - Throws: `TextError.badSetting` naming the field.
  package init(json: JSONValue) throws(TextError) {
    self.init()
    for flag in Self.flags {
      guard let value = json[flag.key]?.bool else {
        throw .badSetting(field: "sentencepiece.\(flag.key)", problem: "expected a boolean")
      }
      self[keyPath: flag.path] = value
    }
    guard let shield = json["shield"]?.string else {
      throw .badSetting(field: "sentencepiece.shield", problem: "expected a string")
    }
    let range = 0...Self.maximumShieldTokens
    guard let tokens = json["shield_tokens"]?.int, range.contains(tokens) else {
      throw .badSetting(
        field: "sentencepiece.shield_tokens",
        problem: "expected an integer from 0 to \(Self.maximumShieldTokens)",
      )
    }
    self.shield = shield
    shieldTokens = tokens
  }

  /// Compares the shields by their bytes.
  package static func == (left: Self, right: Self) -> Bool {
    left.json == right.json
  }
}

// MARK: - The whole text

extension SentencePieceRules {
  /// The bytes of U+2581.
  static let mark: [UInt8] = [0xe2, 0x96, 0x81]

  /// Whether some step puts a visible space before a text.
  var addsMark: Bool { addsDummyPrefix && !marksWordEnds || startsWithMark }

  /// Rewrites a text in place before added tokens are looked for in it.
  func prepare(_ text: inout [UInt8]) {
    if replacesMarks { Normalizer.replace(.literal(Self.mark), by: [0x20], in: &text) }
    if lowercases { Normalizer.lowercase.apply(to: &text, charsmap: nil) }
  }
}

// MARK: - Stretches

extension SentencePieceRules {
  /// The stretch as the model's normaliser gets it, and how many tokens come from the shield.
  func enclose(_ stretch: [UInt8]) -> (text: [UInt8], shieldTokens: Int) {
    let text = canonicalizes ? Self.canonical(stretch) : stretch
    guard !shield.isEmpty else { return (text, 0) }
    if shieldsSpacesOnly, text.first != 0x20, !text.starts(with: Self.mark) { return (text, 0) }
    return (Array(shield.utf8) + text, shieldTokens)
  }

  /// A text without ASCII punctuation, Python's white space folded into single spaces and trimmed.
  /// - Source: big_vision `prompt_engineering.py`, `canonicalize_text`.
  static func canonical(_ text: [UInt8]) -> [UInt8] {
    let source = text.span
    var output: [UInt8] = []
    output.reserveCapacity(source.count)
    var isSpacePending = false
    var index = 0
    while index < source.count {
      let scalar = ScalarReader.read(source, at: index)
      let start = index
      index += scalar.length
      if CharacterClass.isPythonSpace(scalar.value) {
        isSpacePending = !output.isEmpty
        continue
      }
      guard !isPunctuation(scalar.value) else { continue }
      if isSpacePending { output.append(0x20) }
      isSpacePending = false
      for position in start..<index { output.append(source[position]) }
    }
    return output
  }

  private static func isPunctuation(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: true
    default: false
    }
  }
}
