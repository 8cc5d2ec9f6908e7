// SPDX-License-Identifier: Apache-2.0
// Holds collected tensors against the plan of the model that the configuration describes.

internal import SEAModel

/// Compares tensors with the plan and says which configuration key a difference contradicts.
struct PlanCheck {
  let parts: [String: SourcePart]
  /// The configuration of each part, for messages.
  let configs: [ModelPart: ConfigReader]

  /// Refuses missing and surplus tensors and shapes that differ from the plan.
  ///
  /// - Throws: `CheckpointError`.
  func run(_ model: ModelDescription, path: String) throws(CheckpointError) {
    if let language = model.language {
      try countBlocks("llm.blk.", language.blocks, .language)
    }
    if let encoder = model.encoder {
      try countBlocks("vision.blk.", encoder.blocks, .vision)
    }
    if let tower = model.textTower { try countBlocks("vtext.blk.", tower.blocks, .text) }
    let plan: TensorPlan
    do {
      plan = try TensorPlan(model, policy: PrecisionPolicy(all: .float32))
    } catch {
      throw .model(path: path, error)
    }
    let missing = plan.all.filter { parts[$0.name] == nil }.map(\.name)
    guard missing.isEmpty else { throw .missingTensors(path: path, names: missing) }
    for spec in plan.all { try compare(spec) }
    let planned = Set(plan.all.map(\.name))
    let surplus = parts.filter { !planned.contains($0.key) }.map(\.value.tensor.name).sorted()
    guard surplus.isEmpty else { throw .unknownTensors(path: path, names: surplus) }
    do { try model.validate() } catch { throw .model(path: path, error) }
  }

  /// Compares the number of blocks before anything else, so that one wrong number is told as such.
  private func countBlocks(
    _ prefix: String,
    _ blocks: Int,
    _ part: ModelPart,
  ) throws(CheckpointError) {
    var found: Set<Substring> = []
    for name in parts.keys {
      guard let rest = name.dropping(prefix) else { continue }
      found.insert(rest[..<(rest.firstIndex(of: ".") ?? rest.endIndex)])
    }
    guard found.count == blocks else {
      throw contradiction(part, "num_hidden_layers", "\(blocks)", "the weights have \(found.count)")
    }
  }

  private func compare(_ spec: TensorSpec) throws(CheckpointError) {
    guard let part = parts[spec.name], let owner = ModelPart(canonical: spec.name) else { return }
    let tensor = part.tensor
    let isVector = spec.isVector && spec.rows == 1
    // A vector may be a row of a stack, but not a whole matrix.
    let rank = part.rows == 0..<tensor.rows ? tensor.shape.filter { $0 != 1 }.count : 1
    guard part.rows.count != spec.rows || tensor.columns != spec.columns || (isVector && rank > 1)
    else { return }
    let rowsDiffer = part.rows.count != spec.rows && !isVector
    let key = Self.key(spec.name, rowsDiffer ? .rows : .columns)
    let says = rowsDiffer ? spec.rows : spec.columns
    throw contradiction(
      owner,
      key.name,
      key.isWidth ? "\(says)" : "set to need \(says) \(rowsDiffer ? "rows" : "columns")",
      "tensor \(tensor.name) has shape \(tensor.shape)"
    )
  }

  private func contradiction(
    _ part: ModelPart,
    _ key: String,
    _ says: String,
    _ found: String,
  ) -> CheckpointError {
    guard let config = configs[part] else {
      return .contradiction(path: part.rawValue, field: key, says: says, found: found)
    }
    return .contradiction(path: config.path, field: config.field(key), says: says, found: found)
  }

  private enum Axis { case rows, columns }

  /// The configuration key that decides an axis of a tensor, and whether its value is the width.
  private static func key(_ name: String, _ axis: Axis) -> (name: String, isWidth: Bool) {
    func ends(_ suffixes: String...) -> Bool { suffixes.contains { name.hasSuffix($0) } }
    if name.hasPrefix("adapter.") { return ("mm_hidden_size", axis == .columns) }
    if name == "llm.embed.weight" || name == "llm.head.weight", axis == .rows {
      return ("vocab_size", true)
    }
    if name == "vtext.embed.weight", axis == .rows { return ("vocab_size", true) }
    if name == "vtext.position", axis == .rows { return ("max_position_embeddings", true) }
    if name.hasSuffix(".proj.weight"), axis == .rows { return ("projection_dim", true) }
    if name == "vision.position", axis == .rows { return ("image_size", false) }
    if name == "vision.patch.weight", axis == .columns { return ("patch_size", false) }
    if ends("mlp.gate.weight", "mlp.up.weight", "fc1.weight", "fc1.bias"),
      axis == .rows || ends("bias")
    {
      return ("intermediate_size", true)
    }
    if ends("mlp.down.weight", "fc2.weight"), axis == .columns {
      return ("intermediate_size", true)
    }
    if name.hasPrefix("llm."), ends("attn.q.weight"), axis == .rows {
      return ("num_attention_heads", false)
    }
    if name.hasPrefix("llm."), ends("attn.k.weight", "attn.v.weight"), axis == .rows {
      return ("num_key_value_heads", false)
    }
    if name.hasPrefix("llm."), ends("attn.o.weight"), axis == .columns {
      return ("num_attention_heads", false)
    }
    return ("hidden_size", true)
  }
}
