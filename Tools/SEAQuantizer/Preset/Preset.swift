// SPDX-License-Identifier: Apache-2.0
// A published model's shapes as a data file: what `Models/presets/*.json` hold.

package import SEAFormat
import SEAImage
package import SEAModel
package import SEATensor
import SEAText

/// The shapes of a published model, or of several put together.
package struct Preset: Sendable, Equatable {
  /// The name, which is the file's.
  package let name: String
  /// Where the published weights are.
  package let hub: [String]
  /// One line for people.
  package let summary: String
  /// The licence of the published weights.
  package let licence: String
  /// The whole description, parts included.
  package let model: ModelDescription

  /// What a file says about its form.
  static let schema = "sea.preset/1"
  /// The largest file that is read.
  private static let maxBytes = 1 << 20

  /// Reads `NAME.json` and the presets that it names as its parts.
  ///
  /// - Parameters:
  ///   - name: the preset.
  ///   - folder: where presets are.
  /// - Throws: `PresetError` naming the file and the field.
  package init(named name: String, in folder: String) throws(PresetError) {
    try self.init(named: name, in: folder, mayHaveParts: true)
  }

  private init(named name: String, in folder: String, mayHaveParts: Bool) throws(PresetError) {
    // A name is a name, not a path out of the folder.
    guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.hasPrefix(".") else {
      throw .unknown(name: name, folder: folder)
    }
    let path = "\(folder)/\(name).json"
    let fields = FieldReader(try Self.read(path, name: name, folder: folder), path: "")
    var model = ModelDescription(name: name)
    do throws(ModelError) {
      guard try fields.string("schema") == Self.schema else {
        throw .invalid(field: "schema", found: "another", expected: "'\(Self.schema)'")
      }
      hub = try Self.strings("hub", fields)
      summary = try fields.string("summary")
      licence = try fields.string("licence")
    } catch {
      throw .invalid(path: path, error)
    }
    if fields.optional("parts") != nil {
      guard mayHaveParts else {
        throw .invalid(
          path: path,
          .invalid(field: "parts", found: "present", expected: "none in a part of another preset")
        )
      }
      let parts: [String]
      do throws(ModelError) {
        parts = try Self.strings("parts", fields)
      } catch {
        throw .invalid(path: path, error)
      }
      for part in parts {
        model.add(try Preset(named: part, in: folder, mayHaveParts: false).model)
      }
    }
    do throws(ModelError) {
      try model.add(fields)
      try model.validate()
    } catch {
      throw .invalid(path: path, error)
    }
    self.name = name
    self.model = model
  }

  private static func read(
    _ path: String,
    name: String,
    folder: String
  ) throws(PresetError) -> JSONValue {
    let file: MappedFile
    do throws(FileError) {
      file = try MappedFile(path: path)
    } catch {
      if case .missing = error { throw .unknown(name: name, folder: folder) }
      throw .file(error)
    }
    guard file.count <= maxBytes else {
      throw .invalid(
        path: path,
        .invalid(field: "size", found: "\(file.count) bytes", expected: "at most \(maxBytes)")
      )
    }
    do throws(JSONError) {
      return try JSONScanner.parse(file.bytes.array())
    } catch {
      throw .json(path: path, error)
    }
  }

  private static func strings(
    _ key: String,
    _ fields: FieldReader
  ) throws(ModelError) -> [String] {
    let items = try fields.value(key).array?.map(\.string) ?? []
    let texts = items.compactMap(\.self)
    guard !texts.isEmpty, texts.count == items.count else {
      throw .invalid(field: fields.name(key), found: "another", expected: "an array of strings")
    }
    return texts
  }
}

extension ModelDescription {
  /// Takes over the parts of `other`.
  fileprivate mutating func add(_ other: ModelDescription) {
    encoder = other.encoder ?? encoder
    language = other.language ?? language
    adapter = other.adapter ?? adapter
    recipe = other.recipe ?? recipe
    template = other.template ?? template
    generation = other.generation ?? generation
  }

  /// Takes over what a preset's own fields say.
  fileprivate mutating func add(_ fields: FieldReader) throws(ModelError) {
    if let part = fields.optional("vision") { encoder = try EncoderDescription(json: part) }
    if let part = fields.optional("adapter") { adapter = try AdapterDescription(json: part) }
    if let part = fields.optional("llm") { language = try LanguageModelDescription(json: part) }
    if let part = fields.optional("recipe") { recipe = try Self.recipe(part) }
    if fields.optional("template") != nil {
      let name = try fields.string("template")
      do {
        template = try Template.named(name)
      } catch {
        throw .invalid(field: "template", found: "'\(name)'", expected: "a known template")
      }
    }
    if fields.optional("visual_scale") != nil {
      visualScale = try fields.positive("visual_scale")
    }
    if let part = fields.optional("generation") {
      let fields = FieldReader(part, path: "generation")
      generation = GenerationDefaults(
        stopIDs: try fields.ints("stop_ids", in: 0...(1 << 24), count: 0...64),
        context: try fields.int("context", in: 1...(1 << 24))
      )
    }
  }

  private static func recipe(_ json: JSONValue) throws(ModelError) -> ImageRecipe {
    let fields = FieldReader(json, path: "recipe")
    let name = try fields.string("name")
    let side = try fields.int("side", in: 1...ImageRecipe.maxSide)
    guard let recipe = ImageRecipe.named(name, side: side) else {
      throw .invalid(
        field: "recipe.name",
        found: "'\(name)'",
        expected: "one of \(ImageRecipe.presetNames.joined(separator: ", "))"
      )
    }
    return recipe
  }
}

/// Why a preset cannot be made.
package enum PresetError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no such file.
  case unknown(name: String, folder: String)
  /// The operating system refused.
  case file(FileError)
  /// The file is not JSON.
  case json(path: String, JSONError)
  /// A field is missing or wrong.
  case invalid(path: String, ModelError)

  package var description: String {
    switch self {
    case .unknown(let name, let folder):
      "no preset '\(name.printable())' in \(folder.printable(limit: 4096))"
    case .file(let error): "\(error)"
    case .json(let path, let error): "\(path.printable(limit: 4096)): \(error)"
    case .invalid(let path, let error): "\(path.printable(limit: 4096)): \(error)"
    }
  }
}
