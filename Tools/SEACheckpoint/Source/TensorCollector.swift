// SPDX-License-Identifier: Apache-2.0
// Gathers tensors from several files under canonical names, losing none in silence.

internal import SEAModel
internal import SEATensor

/// The parts a model consists of.
enum ModelPart: String, CaseIterable, Sendable {
  case vision
  case adapter
  case language = "llm"

  /// The part that a canonical name belongs to.
  init?(canonical name: String) {
    guard let dot = name.firstIndex(of: ".") else { return nil }
    self.init(rawValue: String(name[..<dot]))
  }
}

/// Collects foreign tensors as canonical parts.
struct TensorCollector {
  private(set) var parts: [String: SourcePart] = [:]
  private(set) var inventory = Inventory()
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
      var outcome = NameMap.mapping(of: tensor.name)
      switch outcome {
      case .tensor(let name):
        if let part = ModelPart(canonical: name), wanted.contains(part) {
          try take(tensor, rows: 0..<tensor.rows, as: name, language: language)
        } else {
          outcome = reason.map { .ignored($0) } ?? .unknown
        }
      case .rows(let names):
        if wanted.contains(.language), let language {
          try split(tensor, into: names, language: language)
        } else {
          outcome = reason.map { .ignored($0) } ?? .unknown
        }
      case .ignored, .unknown: break
      }
      if outcome == .unknown {
        unknown.append(tensor.name)
        unknownPath = tensor.path
      }
      inventory.entries.append(
        Inventory.Entry(name: tensor.name, path: tensor.path, outcome: outcome)
      )
    }
  }

  /// Refuses checkpoints with tensors that no map knows: they may be what was trained.
  ///
  /// - Throws: `CheckpointError.unknownTensors`.
  func refuseUnknown() throws(CheckpointError) {
    guard unknown.isEmpty else { throw .unknownTensors(path: unknownPath, names: unknown) }
  }

  /// True when a tensor of `part` has been taken.
  func contains(_ part: ModelPart) -> Bool {
    parts.keys.contains { ModelPart(canonical: $0) == part }
  }

  /// Drops a tensor that the model does not need after all.
  mutating func drop(_ name: String, reason: String) {
    guard let part = parts.removeValue(forKey: name) else { return }
    let index = inventory.entries.firstIndex {
      $0.name == part.tensor.name && $0.path == part.tensor.path
    }
    guard let index else { return }
    inventory.entries[index] = Inventory.Entry(
      name: part.tensor.name,
      path: part.tensor.path,
      outcome: .ignored(reason)
    )
  }

  /// Adds a line to the account.
  mutating func note(_ text: String) {
    inventory.notes.append(text)
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

  /// Cuts a matrix of stacked rows into the matrices it was made of.
  private mutating func split(
    _ tensor: SourceTensor,
    into names: [String],
    language: LanguageModelConfig,
  ) throws(CheckpointError) {
    let sizes = language.description
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
    var start = 0
    for (name, count) in zip(names, rows) {
      try take(tensor, rows: start..<start + count, as: name, language: language)
      start += count
    }
  }
}
