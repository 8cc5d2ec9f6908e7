// SPDX-License-Identifier: Apache-2.0
// What a model is: its parts and everything that preprocessing, prompting and stopping need to know.

package import SEAFormat
package import SEAImage
package import SEAText

/// Defaults for generation.
package struct GenerationDefaults: Sendable, Equatable {
  /// Ids that end an answer.
  package var stopIDs: [Int]
  /// Longest context to plan for unless told otherwise.
  package var context: Int

  /// Defaults that a checkpoint's own files state.
  package init(stopIDs: [Int], context: Int) {
    self.stopIDs = stopIDs
    self.context = context
  }
}

/// A model's description; any subset of parts may be present.
package struct ModelDescription: Sendable, Equatable {
  /// The checkpoint's name, for people.
  package var name: String
  package var encoder: EncoderDescription?
  /// The encoder's companion for words; only labels need it.
  package var textTower: TextTowerDescription?
  package var adapter: AdapterDescription?
  package var language: LanguageModelDescription?
  /// How pictures become the encoder's input; present with an encoder.
  package var recipe: ImageRecipe?
  /// How conversations become text; present with a language model.
  package var template: Template?
  /// Multiplies visual tokens before the first block (reference.md B.4: √hidden or 1).
  package var visualScale: Double
  package var generation: GenerationDefaults?

  /// Memberwise; see the properties.
  package init(
    name: String,
    encoder: EncoderDescription? = nil,
    textTower: TextTowerDescription? = nil,
    adapter: AdapterDescription? = nil,
    language: LanguageModelDescription? = nil,
    recipe: ImageRecipe? = nil,
    template: Template? = nil,
    visualScale: Double = 1,
    generation: GenerationDefaults? = nil
  ) {
    self.name = name
    self.encoder = encoder
    self.textTower = textTower
    self.adapter = adapter
    self.language = language
    self.recipe = recipe
    self.template = template
    self.visualScale = visualScale
    self.generation = generation
  }

  /// Visual tokens of a picture; 0 without an encoder.
  ///
  /// - Parameter picture: its size; nil: one that makes the most tokens.
  /// - Returns: the positions that it takes in a prompt.
  package func visualTokens(of picture: ImageSize? = nil) -> Int {
    guard let encoder else { return 0 }
    return adapter?.tokens(features: encoder.features, of: picture) ?? encoder.features
  }

  /// Checks each part and that neighbours agree in width.
  ///
  /// - Throws: `ModelError.invalid`.
  package func validate() throws(ModelError) {
    try encoder?.validate()
    try textTower?.validate()
    try language?.validate()
    if let width = encoder?.jointWidth, let textTower, width != textTower.jointWidth {
      throw .invalid(
        field: "vtext.projection",
        found: "\(textTower.jointWidth) outputs",
        expected: "the joint space's width \(width)"
      )
    }
    if let encoder, let adapter, encoder.featureWidth != adapter.inputWidth {
      throw .invalid(
        field: "adapter.widths",
        found: "\(adapter.inputWidth) inputs",
        expected: "the encoder's width \(encoder.featureWidth)"
      )
    }
    if let encoder, let adapter, adapter.needsGrid, encoder.features != encoder.patches {
      throw .invalid(
        field: "adapter.grid",
        found: "\(encoder.features) features",
        expected: "the encoder's whole grid of \(encoder.patches)"
      )
    }
    if let language, let adapter, language.hidden != adapter.outputWidth {
      throw .invalid(
        field: "adapter.widths",
        found: "\(adapter.outputWidth) outputs",
        expected: "the language model's hidden size \(language.hidden)"
      )
    }
    guard visualScale.isFinite, visualScale > 0 else {
      throw .invalid(
        field: "visual_scale",
        found: "\(visualScale)",
        expected: "a finite number above 0"
      )
    }
    if let encoder, let recipe {
      let side = encoder.inputSide
      guard recipe.outputSize == ImageSize(height: side, width: side) else {
        let found = recipe.outputSize.map { "\($0.width)×\($0.height) pixels" } ?? "no fixed size"
        throw .invalid(
          field: "recipe",
          found: found,
          expected: "the encoder's \(side)×\(side) pixels"
        )
      }
    }
    if let language, let generation {
      for id in generation.stopIDs where id < 0 || id >= language.vocab {
        throw .invalid(
          field: "generation.stop_ids",
          found: "\(id)",
          expected: "ids below \(language.vocab)"
        )
      }
    }
  }
}

extension ModelDescription {
  /// Reads a description from a model file and validates it.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue) throws(ModelError) {
    let fields = FieldReader(json, path: "")
    self.init(name: try fields.string("name"))
    visualScale = try fields.positive("visual_scale")
    if let part = fields.optional("vision") { encoder = try EncoderDescription(json: part) }
    if let part = fields.optional("vtext") { textTower = try TextTowerDescription(json: part) }
    if let part = fields.optional("adapter") { adapter = try AdapterDescription(json: part) }
    if let part = fields.optional("llm") { language = try LanguageModelDescription(json: part) }
    if let part = fields.optional("recipe") { recipe = try ImageRecipe(json: part, path: "recipe") }
    if let part = fields.optional("template") {
      do {
        template = try Template(json: part)
      } catch {
        throw .invalid(field: "template", found: "\(error)", expected: "a conversation template")
      }
    }
    if let part = fields.optional("generation") {
      let fields = FieldReader(part, path: "generation")
      generation = GenerationDefaults(
        stopIDs: try fields.ints("stop_ids", in: 0...(1 << 24), count: 0...64),
        context: try fields.int("context", in: 1...(1 << 24))
      )
    }
    try validate()
  }

  /// The description as JSON.
  package var json: JSONValue {
    var fields: [(String, JSONValue)] = [
      ("name", .string(name)), ("visual_scale", .number(JSONNumber(visualScale))),
    ]
    if let encoder { fields.append(("vision", encoder.json)) }
    if let textTower { fields.append(("vtext", textTower.json)) }
    if let adapter { fields.append(("adapter", adapter.json)) }
    if let language { fields.append(("llm", language.json)) }
    if let recipe { fields.append(("recipe", recipe.json)) }
    if let template { fields.append(("template", template.json)) }
    if let generation {
      fields.append(
        (
          "generation",
          [
            "stop_ids": .array(generation.stopIDs.map { .number(JSONNumber($0)) }),
            "context": .number(JSONNumber(generation.context)),
          ]
        )
      )
    }
    return .object(JSONObject(fields))
  }
}
