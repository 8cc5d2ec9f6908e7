// SPDX-License-Identifier: Apache-2.0
// Gathers tensors from several files under canonical names, losing none in silence.

internal import SEAModel
internal import SEATensor

/// The parts a model consists of.
package enum ModelPart: String, CaseIterable, Sendable {
  case vision
  /// The text tower; with it the way from the encoder to the joint space is taken too.
  case text = "vtext"
  case adapter
  case language = "llm"

  /// The parts of a model that answers questions about pictures.
  package static let answering: Set<ModelPart> = [.vision, .adapter, .language]

  /// The part that a canonical name belongs to.
  package init?(canonical name: String) {
    guard let dot = name.firstIndex(of: ".") else { return nil }
    self.init(rawValue: String(name[..<dot]))
  }
}

/// Collects foreign tensors as canonical parts.
struct TensorCollector {
  private(set) var parts: [String: SourcePart] = [:]
  private(set) var inventory = Inventory()
  /// Canonical names whose tensors stand in for any other, with the files they are in.
  private var replacements: [String: String] = [:]
  private var unknown: [String] = []
  private var unknownPath = ""

  /// Adds the tensors of `set` that belong to `wanted`.
  ///
  /// - Parameters:
  ///   - set: tensors of a checkpoint.
  ///   - wanted: parts to take; tensors of others are ignored for `reason`, or unknown without one.
  ///   - language: sizes for splitting fused rows.
  ///   - reason: why other parts in this file are not needed.
  /// - Throws: `CheckpointError` for two tensors of one name and for rows that cannot be split.
  mutating func add(
    _ set: WeightSet,
    wanted: Set<ModelPart>,
    language: LanguageModelConfig?,
    ignoringOthers reason: String? = nil,
  ) throws(CheckpointError) {
    inventory.notes += set.warnings
    for tensor in set.tensors {
      try add(tensor, as: tensor.name, wanted: wanted, language: language, reason: reason)
    }
  }

  /// Adds a tensor that stands in for the one of the same meaning wherever that comes from.
  ///
  /// - Parameters:
  ///   - tensor: the tensor.
  ///   - name: its name as checkpoints of its layout write it.
  ///   - language: sizes for splitting fused rows.
  /// - Throws: `CheckpointError`, as for any other tensor.
  mutating func addReplacement(
    _ tensor: SourceTensor,
    as name: String,
    language: LanguageModelConfig?,
  ) throws(CheckpointError) {
    let before = Set(parts.keys)
    try add(tensor, as: name, wanted: ModelPart.answering, language: language, reason: nil)
    for name in parts.keys where !before.contains(name) { replacements[name] = tensor.path }
  }

  private mutating func add(
    _ tensor: SourceTensor,
    as name: String,
    wanted: Set<ModelPart>,
    language: LanguageModelConfig?,
    reason: String?,
  ) throws(CheckpointError) {
    var outcome = NameMap.mapping(of: name, wanted: wanted)
    if case .ignored = outcome {
    } else if let part = outcome.part, wanted.contains(part) {
      if let file = outcome.names.compactMap({ replacements[$0] }).first {
        outcome = .ignored("replaced by \(file)")
      } else {
        try take(tensor, outcome, language: language)
      }
    } else {
      outcome = reason.map { .ignored($0) } ?? .unknown
    }
    if outcome == .unknown { noteUnknown(tensor) }
    inventory.entries.append(
      Inventory.Entry(name: tensor.name, path: tensor.path, outcome: outcome)
    )
  }

  private mutating func noteUnknown(_ tensor: SourceTensor) {
    unknown.append(tensor.name)
    unknownPath = tensor.path
  }

  /// Refuses checkpoints with tensors that no map knows: they may be what was trained.
  ///
  /// - Throws: `CheckpointError.unsupported` where the names tell whose they are, else
  ///   `unknownTensors`.
  func refuseUnknown() throws(CheckpointError) {
    guard !unknown.isEmpty else { return }
    for name in unknown {
      guard let what = NameMap.unsupported(name) else { continue }
      throw .unsupported(path: unknownPath, what: "\(what) (tensor \(name))")
    }
    throw .unknownTensors(path: unknownPath, names: unknown)
  }

  /// True when a tensor of `part` has been taken.
  func contains(_ part: ModelPart) -> Bool {
    parts.keys.contains { ModelPart(canonical: $0) == part }
  }

  /// True when a tensor of `part` has been taken that is not a replacement.
  func containsOwn(_ part: ModelPart) -> Bool {
    parts.keys.contains { ModelPart(canonical: $0) == part && replacements[$0] == nil }
  }

  /// True when the tensor of a canonical name is a replacement.
  func isReplaced(_ name: String) -> Bool { replacements[name] != nil }

  /// Drops a tensor that the model does not need after all.
  mutating func drop(_ name: String, reason: String) {
    guard let part = parts.removeValue(forKey: name) else { return }
    setOutcome(.ignored(reason), of: part.tensor)
  }

  /// Drops a tensor that the model has no place for, to be refused with all others.
  mutating func dropUnknown(_ name: String) {
    guard let part = parts.removeValue(forKey: name) else { return }
    setOutcome(.unknown, of: part.tensor)
    noteUnknown(part.tensor)
  }

  private mutating func setOutcome(_ outcome: NameMapping, of tensor: SourceTensor) {
    let index = inventory.entries.firstIndex {
      $0.name == tensor.name && $0.path == tensor.path
    }
    guard let index else { return }
    inventory.entries[index] = Inventory.Entry(
      name: tensor.name,
      path: tensor.path,
      outcome: outcome
    )
  }

  /// Adds a line to the account.
  mutating func note(_ text: String) {
    inventory.notes.append(text)
  }

  /// Adds a line about a tensor that is not itself a part.
  mutating func account(_ tensor: SourceTensor, _ outcome: NameMapping) {
    inventory.entries.append(
      Inventory.Entry(name: tensor.name, path: tensor.path, outcome: outcome)
    )
  }

  /// Lets a part be read with the product of two factors added.
  mutating func merge(_ delta: LowRankDelta, into name: String) {
    parts[name]?.delta = delta
  }
}

// MARK: - Taking

extension TensorCollector {
  /// Takes a tensor whole, or cuts a matrix of stacked rows into the matrices it was made of.
  private mutating func take(
    _ tensor: SourceTensor,
    _ mapping: NameMapping,
    language: LanguageModelConfig?,
  ) throws(CheckpointError) {
    switch mapping {
    case .tensor(let name):
      // Some libraries keep a batch axis of one element.
      let tensor = name == "vision.position" ? tensor.withoutUnitAxes : tensor
      try take(tensor, rows: 0..<tensor.rows, as: name, language: language)
    case .rows(let names):
      let isLanguage = mapping.part == .language
      let (matrix, rows) =
        isLanguage
        ? try stack(tensor, names, language: language) : try equalStack(tensor, names)
      var start = 0
      for (name, count) in zip(names, rows) {
        try take(matrix, rows: start..<start + count, as: name, language: language)
        start += count
      }
    default: break
    }
  }

  /// The rows of each matrix in a stack whose sizes the language model's configuration states.
  private func stack(
    _ tensor: SourceTensor,
    _ names: [String],
    language: LanguageModelConfig?,
  ) throws(CheckpointError) -> (SourceTensor, [Int]) {
    guard let sizes = language?.description else {
      throw .badTensor(
        path: tensor.path,
        tensor: tensor.name,
        problem: "stacked rows without a configuration that tells where to cut",
      )
    }
    let rows = names.map { name in
      if name.hasSuffix("attn.q.weight") { return sizes.queryWidth }
      return name.contains(".attn.") ? sizes.kvWidth : sizes.ffn
    }
    guard rows.reduce(0, +) == tensor.rows else {
      throw .badTensor(
        path: tensor.path,
        tensor: tensor.name,
        problem: "\(tensor.rows) rows, but the configuration's sizes \(rows) make "
          + "\(rows.reduce(0, +))",
      )
    }
    return (tensor, rows)
  }

  /// The rows of each matrix in a stack of equal ones; a vector is cut into as many rows.
  private func equalStack(
    _ tensor: SourceTensor,
    _ names: [String],
  ) throws(CheckpointError) -> (SourceTensor, [Int]) {
    let matrix = tensor.shape.count == 1 ? tensor.cut(into: names.count) : tensor
    guard let matrix, matrix.rows.isMultiple(of: names.count) else {
      throw .badTensor(
        path: tensor.path,
        tensor: tensor.name,
        problem: "shape \(tensor.shape) cannot be cut into \(names.count) equal parts",
      )
    }
    return (matrix, [Int](repeating: matrix.rows / names.count, count: names.count))
  }

  private mutating func take(
    _ tensor: SourceTensor,
    rows: Range<Int>,
    as name: String,
    language: LanguageModelConfig?,
  ) throws(CheckpointError) {
    guard tensor.type.isFloatingPoint else {
      throw .badTensor(
        path: tensor.path,
        tensor: tensor.name,
        problem: "type \(tensor.type.rawValue), expected F32, F16, BF16 or F64",
      )
    }
    let isNorm = name.hasPrefix("llm.") && name.contains("norm")
    let addend: Float = isNorm && language?.family == .gemma ? 1 : 0
    if let other = parts.updateValue(
      SourcePart(tensor: tensor, rows: rows, addend: addend),
      forKey: name
    ) {
      throw .badTensor(
        path: tensor.path,
        tensor: tensor.name,
        problem: "means the same as \(other.tensor.name) of \(other.tensor.path)",
      )
    }
  }
}
