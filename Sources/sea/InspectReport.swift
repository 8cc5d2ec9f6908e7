// SPDX-License-Identifier: Apache-2.0
// A model file's self-description, for people and for machines.

import SEACommandLine
import SEAFormat
import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import SEAText

/// What `sea inspect` prints.
struct InspectReport {
  private let file: ModelFile
  private let description: ModelDescription
  private let tokenizer: Tokenizer?
  private let tensors: [Tensor]

  /// A tensor as it is stored.
  private struct Tensor {
    let name: String
    /// Logical shape.
    let shape: [Int]
    let storage: String
    let bytes: Int

    var part: String {
      String(name.prefix { $0 != "." })
    }
  }

  /// A report on an open model.
  init(_ model: Model) {
    file = model.file
    description = model.description
    tokenizer = model.tokenizer
    var specs: [String: TensorSpec] = [:]
    for spec in model.plan.all { specs[spec.name] = spec }
    tensors = file.tensors.map { info in
      let spec = specs[info.name]
      return Tensor(
        name: info.name,
        shape: spec.map { $0.isVector && $0.rows == 1 ? [$0.columns] : [$0.rows, $0.columns] }
          ?? info.shape,
        storage: spec?.storage.name ?? info.type.safetensorsName.lowercased(),
        bytes: info.byteCount
      )
    }
  }

  // MARK: - Text

  /// The report as lines of text, a label before each.
  func lines(listsTensors: Bool) -> [String] {
    var rows: [(label: String, text: String)] = [
      ("file", file.path.printable(limit: 4096)),
      ("size", "\(Quantity.bytes(file.mapping.count)) in \(tensors.count) tensors"),
      ("made by", "\(file.madeBy.printable()), format version \(ModelFile.formatVersion)"),
      ("name", description.name.printable()),
      ("parts", partNames.isEmpty ? "none" : partNames.joined(separator: ", ")),
    ]
    if let encoder = description.encoder { rows.append(("vision", Self.text(encoder))) }
    if let tower = description.textTower { rows.append(("vtext", Self.text(tower))) }
    if let adapter = description.adapter {
      let widths = adapter.widths.map(String.init).joined(separator: " → ")
      rows.append(("adapter", "\(adapter.name), \(widths)" + Self.grid(adapter)))
    }
    if let language = description.language { rows.append(("llm", Self.text(language))) }
    if let tokenizer { rows.append(("tokenizer", Self.text(tokenizer))) }
    if let recipe = description.recipe { rows.append(("recipe", Self.text(recipe))) }
    if let template = description.template { rows.append(("template", template.name.printable())) }
    if description.adapter != nil {
      rows.append(("visual scale", Quantity.decimal(description.visualScale, places: 6)))
    }
    if let generation = description.generation {
      let ids = generation.stopIDs.map(String.init).joined(separator: ", ")
      rows.append(("generation", "context \(generation.context), stop ids \(ids)"))
    }
    rows += parts.map { ("bytes", Self.text($0)) }
    if let provenance = file.manifest.provenance.object {
      rows += provenance.entries.map {
        ("provenance", "\($0.key.printable()): \(Self.brief($0.value))")
      }
    }
    if listsTensors {
      rows += tensors.map { tensor in
        let shape = tensor.shape.map(String.init).joined(separator: " × ")
        return (
          "tensor",
          "\(tensor.name.printable())  \(shape)  \(tensor.storage)  \(Quantity.bytes(tensor.bytes))"
        )
      }
    }
    return rows.map { $0.label + String(repeating: " ", count: 13 - $0.label.count) + $0.text }
  }

  /// What an adapter does with the grid of patches, in words.
  private static func grid(_ adapter: AdapterDescription) -> String {
    (adapter.grid.map { "; grid of \($0) × \($0)" } ?? "")
      + (adapter.hasNewline ? "; a learned row ends each line" : "")
      + (adapter.cutsPadding ? "; padding is cut" : "")
  }

  private static func text(_ encoder: EncoderDescription) -> String {
    let selection = encoder.selection
    let sides = encoder.scales.isEmpty ? [encoder.imageSide] : encoder.scales
    return
      "\(encoder.family.printable()), \(sides.map(String.init).joined(separator: ", ")) px in "
      + "patches of \(encoder.patchSide) "
      + "→ \(encoder.features) × \(encoder.featureWidth), \(encoder.blocks) blocks, \(encoder.heads) heads, "
      + "ffn \(encoder.ffn), \(encoder.activation.rawValue); features after block \(selection.layer)"
      + (selection.dropsFirst ? ", first row dropped" : "")
      + (selection.appliesFinalNorm ? ", normalised" : "")
      + (encoder.jointWidth.map { "; joint space of \($0)" } ?? "")
  }

  private static func text(_ tower: TextTowerDescription) -> String {
    "\(tower.family.printable()), \(tower.blocks) blocks × \(tower.hidden), \(tower.heads) heads, "
      + "ffn \(tower.ffn), \(tower.activation.rawValue), vocabulary \(tower.vocab), "
      + "\(tower.context) tokens; joint space of \(tower.jointWidth)"
  }

  private static func text(_ language: LanguageModelDescription) -> String {
    "\(language.family.printable()), \(language.blocks) blocks × \(language.hidden), "
      + "\(language.heads) heads of \(language.headDim), \(language.kvHeads) for keys, "
      + "ffn \(language.ffn), \(language.activation.rawValue), vocabulary \(language.vocab)"
      + (language.isHeadTied ? ", tied head" : "")
      + (language.slidingWindow > 0 ? ", window \(language.slidingWindow)" : "")
  }

  private static func text(_ tokenizer: Tokenizer) -> String {
    let kind =
      switch tokenizer.settings.model {
      case .bytePair(let options): options.isByteLevel ? "byte-level BPE" : "BPE"
      case .unigram: "Unigram"
      }
    return "\(kind), \(tokenizer.count) entries"
  }

  private static func text(_ recipe: ImageRecipe) -> String {
    let size = recipe.outputSize.map { ", \($0.width) × \($0.height) px" } ?? ""
    return "\(recipe.name.printable())\(size)"
  }

  private static func text(_ part: Part) -> String {
    let storages = part.storages
      .map { "\($0.name) \(Quantity.bytes($0.bytes))" }
      .joined(separator: ", ")
    return "\(part.name): \(Quantity.bytes(part.bytes)) (\(storages))"
  }

  /// A value on one line; lists and objects as JSON, cut short.
  private static func brief(_ value: JSONValue) -> String {
    (value.string ?? value.serialized()).printable(limit: 200)
  }

  // MARK: - Parts

  /// Bytes of one part by storage.
  private struct Part {
    let name: String
    var bytes = 0
    var storages: [(name: String, bytes: Int)] = []
  }

  private var partNames: [String] {
    parts.map(\.name)
  }

  /// The parts in the order of the data's flow.
  private var parts: [Part] {
    ["tokenizer", "vision", "vtext", "adapter", "llm"].compactMap { name in
      var part = Part(name: name)
      for tensor in tensors where tensor.part == name {
        part.bytes += tensor.bytes
        if let index = part.storages.firstIndex(where: { $0.name == tensor.storage }) {
          part.storages[index].bytes += tensor.bytes
        } else {
          part.storages.append((tensor.storage, tensor.bytes))
        }
      }
      return part.storages.isEmpty ? nil : part
    }
  }

  // MARK: - JSON

  /// The report as the members of a JSON object.
  func fields(isVerified: Bool) -> [(key: String, value: JSONValue)] {
    [
      ("path", .string(file.path)),
      ("bytes", .number(JSONNumber(file.mapping.count))),
      ("made_by", .string(file.madeBy)),
      ("format_version", .number(JSONNumber(ModelFile.formatVersion))),
      ("parts", .array(partNames.map { .string($0) })),
      ("description", file.descriptionJSON),
      ("quantization", file.manifest.quantization),
      ("provenance", file.manifest.provenance),
      ("verified", .bool(isVerified)),
      (
        "tensors",
        .array(
          tensors.map { tensor in
            [
              "name": .string(tensor.name),
              "shape": .array(tensor.shape.map { .number(JSONNumber($0)) }),
              "storage": .string(tensor.storage),
              "bytes": .number(JSONNumber(tensor.bytes)),
            ]
          }
        )
      ),
    ]
  }
}
