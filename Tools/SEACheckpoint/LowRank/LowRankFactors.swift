// SPDX-License-Identifier: Apache-2.0
// The factors of a fine-tuning, paired by the module they belong to.

internal import SEATensor

/// The two factors of one module.
struct LowRankPair {
  /// Path of the module inside the base model, as `model.layers.0.self_attn.q_proj`.
  let module: String
  /// `[rank, inputs]`.
  let a: SourceTensor
  /// `[outputs, rank]`.
  let b: SourceTensor
  /// Factors of an embedding table are those of its transpose.
  let isEmbedding: Bool
}

/// Sorts the tensors of a fine-tuning into pairs of factors and weights saved whole.
struct LowRankFactors {
  private(set) var pairs: [LowRankPair] = []
  /// Weights saved whole, with their names inside the base model.
  private(set) var whole: [(tensor: SourceTensor, name: String)] = []
  /// Copies of base weights, which the base has itself.
  private(set) var copies: [SourceTensor] = []

  private enum Side { case a, b }

  /// Sorts and pairs.
  ///
  /// - Throws: `CheckpointError`: a factor without its partner, ranks that differ from each other or
  ///   from the configuration, a part that no rule knows.
  init(_ set: WeightSet, config: LowRankConfig) throws(CheckpointError) {
    var sides: [String: (a: SourceTensor?, b: SourceTensor?, isEmbedding: Bool)] = [:]
    var order: [String] = []
    var unknown: [String] = []
    for tensor in set.tensors {
      let name = tensor.name.dropping("base_model.model.") ?? Substring(tensor.name)
      if name.contains("lora_magnitude_vector") {
        throw .unsupported(path: tensor.path, what: "DoRA (\(tensor.name))")
      }
      guard name.contains(".lora_") else {
        if name.split(separator: ".").contains("original_module") {
          copies.append(tensor)
        } else {
          whole.append((tensor, LowRankFolder.plain(name)))
        }
        continue
      }
      guard let factor = Self.factor(name) else {
        unknown.append(tensor.name)
        continue
      }
      var entry = sides[factor.module] ?? (nil, nil, factor.isEmbedding)
      if sides[factor.module] == nil { order.append(factor.module) }
      let isTaken = factor.side == .a ? entry.a != nil : entry.b != nil
      guard !isTaken, entry.isEmbedding == factor.isEmbedding else {
        throw .badTensor(
          path: tensor.path,
          tensor: tensor.name,
          problem: "a second factor of \(factor.module); only one fine-tuning can be merged",
        )
      }
      if factor.side == .a { entry.a = tensor } else { entry.b = tensor }
      sides[factor.module] = entry
    }
    let path = set.paths.first ?? config.path
    guard unknown.isEmpty else { throw .unknownTensors(path: path, names: unknown) }
    var missing: [String] = []
    for module in order {
      guard let entry = sides[module] else { continue }
      if let a = entry.a, let b = entry.b {
        pairs.append(LowRankPair(module: module, a: a, b: b, isEmbedding: entry.isEmbedding))
      } else {
        missing.append("\(module).lora_\(entry.a == nil ? "A" : "B")")
      }
    }
    guard missing.isEmpty else { throw .missingTensors(path: path, names: missing) }
    try checkRanks(config)
    try checkSaved(config, path: path)
  }

  /// What `module.lora_A.weight`, `module.lora_B.default.weight` or `module.lora_embedding_A` name.
  private static func factor(
    _ name: Substring
  ) -> (module: String, side: Side, isEmbedding: Bool)? {
    let marks: [(mark: String, side: Side, isEmbedding: Bool)] = [
      ("lora_A", .a, false), ("lora_B", .b, false), ("lora_embedding_A", .a, true),
      ("lora_embedding_B", .b, true),
    ]
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    for mark in marks {
      guard let index = parts.firstIndex(where: { $0 == mark.mark }), index > 0 else { continue }
      // Behind the mark: the fine-tuning's name in older files, then "weight" for linear layers.
      var rest = parts[(index + 1)...]
      if mark.isEmbedding {
        guard rest.count <= 1 else { return nil }
      } else {
        guard rest.popLast() == "weight", rest.count <= 1 else { return nil }
      }
      let module = LowRankFolder.plain(Substring(parts[..<index].joined(separator: ".")))
      return (module, mark.side, mark.isEmbedding)
    }
    return nil
  }

  /// Refuses factors whose inner axes are not the rank that the configuration states.
  private func checkRanks(_ config: LowRankConfig) throws(CheckpointError) {
    for pair in pairs {
      for tensor in [pair.a, pair.b] {
        guard tensor.type.isFloatingPoint, tensor.shape.count == 2 else {
          throw .badTensor(
            path: tensor.path,
            tensor: tensor.name,
            problem: "\(tensor.type.rawValue) of shape \(tensor.shape), expected a matrix of floats",
          )
        }
      }
      let rank = config.rank(of: pair.module)
      guard pair.a.shape[0] == rank, pair.b.shape[1] == rank else {
        throw .contradiction(
          path: config.path,
          field: "the rank of \(pair.module)",
          says: "\(rank)",
          found: "\(pair.a.name) has shape \(pair.a.shape) and \(pair.b.name) \(pair.b.shape)"
        )
      }
    }
  }

  /// Refuses files that lack a module which the configuration lists as saved whole.
  private func checkSaved(_ config: LowRankConfig, path: String) throws(CheckpointError) {
    let missing = config.savedModules.filter { module in
      !whole.contains { entry in
        let name = entry.name.split(separator: ".").dropLast().joined(separator: ".")
        return LowRankConfig.ends(name, with: module) || name.contains(module + ".")
      }
    }
    guard missing.isEmpty else {
      throw .missingTensors(path: path, names: missing.map { "\($0).weight (modules_to_save)" })
    }
  }
}
