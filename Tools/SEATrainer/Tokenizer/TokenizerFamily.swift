// SPDX-License-Identifier: Apache-2.0
// The kinds of tokenizers that are trained, and the tokens that a family of models needs.

internal import SEAFormat

/// How pieces are learned and found.
package enum TokenizerKind: String, Sendable, CaseIterable {
  /// Merges of characters, as Llama's and Gemma's.
  case bytePair = "bpe"
  /// Likeliest pieces, as SentencePiece's.
  case unigram
  /// Merges of bytes within lower-case words, as CLIP's.
  case clip
}

/// A family's control tokens, its white space, and what frames a text.
package enum TokenizerFamily: String, Sendable, CaseIterable {
  case llama
  case gemma
  case phi3

  /// Control tokens in the order of their ids.
  var tokens: [String] {
    switch self {
    case .llama: ["<unk>", "<s>", "</s>"]
    case .gemma: ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    case .phi3:
      [
        "<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>",
        "<|user|>",
      ]
    }
  }

  var unknown: String { "<unk>" }

  var beginning: String { self == .gemma ? "<bos>" : "<s>" }

  var end: String {
    switch self {
    case .llama: "</s>"
    case .gemma: "<eos>"
    case .phi3: "<|endoftext|>"
    }
  }

  var padding: String {
    switch self {
    case .llama: "<unk>"
    case .gemma: "<pad>"
    case .phi3: "<|endoftext|>"
    }
  }

  /// A blank is put before every text.
  var addsBlank: Bool { self != .gemma }

  /// A text starts with the token of the beginning.
  var addsBeginning: Bool { self != .phi3 }

  /// White space behind a token is its own.
  func strips(_ token: String) -> Bool { self == .phi3 && token.hasPrefix("<|") && token != end }

  /// The conversation template that such models are tuned with.
  package var template: String {
    switch self {
    case .llama: "vicuna_v1"
    case .gemma: "tl_gemma"
    case .phi3: "phi3"
    }
  }

  var tokenizerClass: String { self == .gemma ? "GemmaTokenizer" : "LlamaTokenizer" }
}

/// What a tokenizer shall be.
package struct TokenizerRecipe: Sendable {
  package var kind = TokenizerKind.bytePair
  package var family = TokenizerFamily.llama
  /// Ids in all.
  package var vocab: Int
  /// Tokens beside the family's.
  package var special: [String] = []
  /// Every digit is a token.
  package var splitsDigits = true
  /// Share of the text whose characters get pieces of their own.
  package var coverage = 0.9995
  /// Characters of the longest piece.
  package var longest = 16
  /// Positions of a model that uses it, for `tokenizer_config.json`.
  package var maxLength = 2048

  /// A recipe with the defaults.
  package init(vocab: Int) { self.vocab = vocab }

  /// CLIP's first and last token.
  static let clipTokens = ["<|startoftext|>", "<|endoftext|>"]

  /// Control tokens in the order of their ids; CLIP's two last.
  var tokens: [String] {
    let own = kind == .clip ? Self.clipTokens : family.tokens
    let added = special.filter { !own.contains($0) }
    return kind == .clip ? added + own : own + added
  }

  /// The name of the token for a byte.
  static func byteToken(_ byte: Int) -> String {
    let digits = Array("0123456789ABCDEF")
    return "<0x\(digits[byte >> 4])\(digits[byte & 15])>"
  }

  /// Ids that no text decides: control tokens and bytes.
  package var fixedCount: Int { tokens.count + (kind == .clip ? 512 : 256) }
}
