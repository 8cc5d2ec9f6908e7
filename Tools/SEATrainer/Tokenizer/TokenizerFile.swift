// SPDX-License-Identifier: Apache-2.0
// Learned pieces as the files in which everyone keeps tokenizers.

package import SEACheckpoint
package import SEAFormat
package import SEAText

/// The files of a tokenizer by their names.
package struct TokenizerFile: Sendable {
  /// JSON files.
  package private(set) var json: [(name: String, value: JSONValue)] = []
  /// Text files.
  package private(set) var texts: [(name: String, text: String)] = []

  private let recipe: TokenizerRecipe

  /// A model's part of `tokenizer.json`.
  enum Model {
    /// Texts by id, and pairs that merge.
    case bytePair(vocab: [String], merges: [(String, String)])
    /// Texts and scores by id.
    case unigram([(text: String, score: Double)])
  }

  /// The files of a model; control tokens are found in its vocabulary.
  init(_ recipe: TokenizerRecipe, _ model: Model) {
    self.recipe = recipe
    let vocab: [String] =
      switch model {
      case .bytePair(let vocab, _): vocab
      case .unigram(let pieces): pieces.map(\.text)
      }
    var places: [String: Int] = [:]
    for token in recipe.tokens { places[token] = vocab.firstIndex(of: token) ?? 0 }
    json.append(("tokenizer.json", tokenizer(model, places)))
    json.append(("tokenizer_config.json", configuration()))
    json.append(("special_tokens_map.json", .object(JSONObject(roles()))))
    if recipe.kind == .clip, case .bytePair(let vocab, let merges) = model {
      json.append(("vocab.json", Self.dictionary(vocab)))
      let lines = ["#version: 0.2"] + merges.map { "\($0.0) \($0.1)" }
      texts.append(("merges.txt", lines.joined(separator: "\n") + "\n"))
    }
  }

  // MARK: - tokenizer.json

  private func tokenizer(_ model: Model, _ places: [String: Int]) -> JSONValue {
    let added = recipe.tokens.sorted { (places[$0] ?? 0) < (places[$1] ?? 0) }.map { token in
      let strips = recipe.kind != .clip && recipe.family.strips(token)
      return [
        "id": .number(JSONNumber(places[token] ?? 0)), "content": .string(token),
        "single_word": false, "lstrip": false, "rstrip": .bool(strips), "normalized": false,
        "special": true,
      ] as JSONValue
    }
    let (normalizer, preTokenizer) = Self.components(recipe)
    return [
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": normalizer, "pre_tokenizer": preTokenizer,
      "post_processor": postProcessor(places), "decoder": decoder(), "model": self.model(model),
    ]
  }

  /// The components `normalizer` and `pre_tokenizer`.
  static func components(_ recipe: TokenizerRecipe) -> (normalizer: JSONValue, pre: JSONValue) {
    let blank: JSONValue = ["type": "Replace", "pattern": ["String": " "], "content": "▁"]
    switch (recipe.kind, recipe.family.addsBlank) {
    case (.clip, _):
      let spaces: JSONValue = ["type": "Replace", "pattern": ["Regex": "\\s+"], "content": " "]
      let words = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
      return (
        [
          "type": "Sequence",
          "normalizers": [["type": "NFC"], spaces, ["type": "Lowercase"]],
        ],
        [
          "type": "Sequence",
          "pretokenizers": [
            [
              "type": "Split", "pattern": ["Regex": .string(words)], "behavior": "Removed",
              "invert": true,
            ],
            [
              "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
              "use_regex": true,
            ],
          ],
        ]
      )
    case (let kind, let adds):
      let prepend: JSONValue = ["type": "Prepend", "prepend": "▁"]
      // Pieces never cross into the next word, so cutting changes no result; it bounds the search.
      let cut: JSONValue = kind == .unigram ? Self.cut("▁", "MergedWithNext") : .null
      return adds
        ? (["type": "Sequence", "normalizers": [prepend, blank]], cut)
        : (blank, kind == .unigram ? cut : Self.cut(" ", "MergedWithPrevious"))
    }
  }

  private static func cut(_ text: String, _ behavior: String) -> JSONValue {
    [
      "type": "Split", "pattern": ["String": .string(text)], "behavior": .string(behavior),
      "invert": false,
    ]
  }

  private func postProcessor(_ places: [String: Int]) -> JSONValue {
    func id(_ token: String) -> JSONValue { .number(JSONNumber(places[token] ?? 0)) }
    if recipe.kind == .clip {
      let (start, end) = (TokenizerRecipe.clipTokens[0], TokenizerRecipe.clipTokens[1])
      return [
        "type": "RobertaProcessing", "sep": [.string(end), id(end)],
        "cls": [.string(start), id(start)], "trim_offsets": false, "add_prefix_space": false,
      ]
    }
    guard recipe.family.addsBeginning else { return .null }
    let name = recipe.family.beginning
    let token: JSONValue = ["SpecialToken": ["id": .string(name), "type_id": 0]]
    func text(_ letter: String) -> JSONValue {
      ["Sequence": ["id": .string(letter), "type_id": 0]]
    }
    return [
      "type": "TemplateProcessing", "single": [token, text("A")],
      "pair": [token, text("A"), token, text("B")],
      "special_tokens": .object(
        JSONObject([
          (name, ["id": .string(name), "ids": [id(name)], "tokens": [.string(name)]])
        ])
      ),
    ]
  }

  private func decoder() -> JSONValue {
    if recipe.kind == .clip {
      return [
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
      ]
    }
    var steps: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": "▁"], "content": " "], ["type": "ByteFallback"],
      ["type": "Fuse"],
    ]
    if recipe.family.addsBlank {
      steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0])
    }
    return ["type": "Sequence", "decoders": .array(steps)]
  }

  private func model(_ model: Model) -> JSONValue {
    switch model {
    case .bytePair(let vocab, let merges):
      let isClip = recipe.kind == .clip
      return [
        "type": "BPE", "dropout": .null,
        "unk_token": .string(isClip ? TokenizerRecipe.clipTokens[1] : recipe.family.unknown),
        "continuing_subword_prefix": isClip ? "" : .null,
        "end_of_word_suffix": isClip ? "</w>" : .null, "fuse_unk": .bool(!isClip),
        "byte_fallback": .bool(!isClip), "ignore_merges": false, "vocab": Self.dictionary(vocab),
        "merges": .array(merges.map { .string("\($0.0) \($0.1)") }),
      ]
    case .unigram(let pieces):
      let unknown = pieces.firstIndex { $0.text == recipe.family.unknown } ?? 0
      return [
        "type": "Unigram", "unk_id": .number(JSONNumber(unknown)),
        "vocab": .array(pieces.map { [.string($0.text), .number(JSONNumber($0.score))] }),
        "byte_fallback": true,
      ]
    }
  }

  private static func dictionary(_ vocab: [String]) -> JSONValue {
    .object(JSONObject(vocab.enumerated().map { ($0.element, .number(JSONNumber($0.offset))) }))
  }

  // MARK: - tokenizer_config.json

  private func roles() -> [(key: String, value: JSONValue)] {
    if recipe.kind == .clip {
      let (start, end) = (TokenizerRecipe.clipTokens[0], TokenizerRecipe.clipTokens[1])
      return [
        ("bos_token", .string(start)), ("eos_token", .string(end)), ("unk_token", .string(end)),
        ("pad_token", .string(end)),
      ]
    }
    let family = recipe.family
    return [
      ("bos_token", .string(family.beginning)), ("eos_token", .string(family.end)),
      ("unk_token", .string(family.unknown)), ("pad_token", .string(family.padding)),
    ]
  }

  private func configuration() -> JSONValue {
    var object = JSONObject(roles())
    object["model_max_length"] = .number(JSONNumber(recipe.maxLength))
    guard recipe.kind != .clip else {
      object["do_lower_case"] = true
      object["tokenizer_class"] = "CLIPTokenizer"
      return .object(object)
    }
    object["add_bos_token"] = .bool(recipe.family.addsBeginning)
    object["add_eos_token"] = false
    object["clean_up_tokenization_spaces"] = false
    // The classes of the families are made of merges; what holds for the rest is in tokenizer.json.
    let isUnigram = recipe.kind == .unigram
    object["tokenizer_class"] =
      .string(isUnigram ? "PreTrainedTokenizerFast" : recipe.family.tokenizerClass)
    if !isUnigram, recipe.family != .gemma { object["legacy"] = true }
    return .object(object)
  }

  /// Refuses a folder that files could not be written to.
  ///
  /// - Throws: `CheckpointError.usage`.
  package static func refuseContent(of path: String) throws(CheckpointError) {
    try ExportFolder.refuseContent(of: path)
  }

  /// Writes the files into a new folder, all or nothing.
  ///
  /// - Throws: `CheckpointError`.
  package func write(to path: String) throws(CheckpointError) {
    let folder = try ExportFolder(path: path)
    for (name, value) in json { try folder.write(value, to: name) }
    for (name, text) in texts { try folder.write(Array(text.utf8), to: name) }
    try folder.commit()
  }

  /// The tokenizer as this program reads it.
  ///
  /// - Throws: `CheckpointError` or `TextError` when it cannot be read.
  package func tokenizer() throws -> Tokenizer {
    func file(_ name: String) -> TokenizerFiles.File? {
      json.first { $0.name == name }.map { TokenizerFiles.File(path: name, json: $0.value) }
    }
    guard let source = file("tokenizer.json") else { throw CheckpointError.usage("no vocabulary") }
    let files = TokenizerFiles(
      source: .json(source),
      configuration: file("tokenizer_config.json"),
      specialTokens: file("special_tokens_map.json")
    )
    return try Tokenizer(tables: try TokenizerCompiler.compile(files))
  }
}
