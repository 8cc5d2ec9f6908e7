// SPDX-License-Identifier: Apache-2.0
// Merges a low-rank fine-tuning into the tensors it was trained on.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

extension SourceOpener {
  /// Takes what the fine-tuning trained whole, and sorts its factors.
  ///
  /// - Throws: `CheckpointError`.
  mutating func replace(_ lowRank: LowRankFolder) throws(CheckpointError) -> LowRankFactors {
    openedPaths += lowRank.paths
    for tensor in lowRank.whole?.tensors ?? [] {
      try collector.addReplacement(
        tensor,
        as: lowRank.wholeName(tensor.name),
        language: language
      )
    }
    let factors = try LowRankFactors(lowRank.weights, config: lowRank.config)
    for (tensor, name) in factors.whole {
      try collector.addReplacement(tensor, as: name, language: language)
    }
    for tensor in factors.copies {
      collector.account(tensor, .ignored("a copy of the base's own weight"))
    }
    return factors
  }

  /// Lets every tensor that has factors be read with their product added.
  ///
  /// - Throws: `CheckpointError` naming factors without a tensor, tensors without factors, and shapes
  ///   that do not fit.
  mutating func merge(
    _ factors: LowRankFactors,
    _ lowRank: LowRankFolder,
  ) throws(CheckpointError) {
    let path = lowRank.weights.paths.first ?? lowRank.config.path
    var targets: [String: [String]] = [:]
    var homeless: [String] = []
    for pair in factors.pairs {
      let mapping = NameMap.mapping(of: "\(pair.module).weight")
      let names = mapping.names
      guard !names.isEmpty, names.allSatisfy({ collector.parts[$0] != nil }) else {
        homeless += [pair.a.name, pair.b.name]
        continue
      }
      try merge(pair, into: names, lowRank.config)
      collector.account(pair.a, .merged(names))
      collector.account(pair.b, .merged(names))
      for name in names { targets[name, default: []].append(pair.module) }
    }
    guard homeless.isEmpty else { throw .unknownTensors(path: path, names: homeless) }
    if let twice = targets.first(where: { $0.value.count > 1 }) {
      throw .malformed(
        path: path,
        problem: "factors of \(twice.value.joined(separator: " and ")) mean the same tensor",
      )
    }
    let missing = LowRankCoverage(config: lowRank.config, merged: Set(targets.keys))
      .missing(in: collector.inventory.entries)
    guard missing.isEmpty else { throw .missingTensors(path: path, names: missing) }
    let trained = factors.whole.count + (lowRank.whole?.tensors.count ?? 0)
    collector.note(
      "low-rank fine-tuning: \(factors.pairs.count) modules merged, \(trained) tensors replaced"
    )
  }

  /// Adds one module's product to the tensors that its weight is, or is stacked of.
  private mutating func merge(
    _ pair: LowRankPair,
    into names: [String],
    _ config: LowRankConfig,
  ) throws(CheckpointError) {
    let isTransposed = pair.isEmbedding || config.isTransposed
    let left = isTransposed ? pair.a.transposed : pair.b
    let right = isTransposed ? pair.b.transposed : pair.a
    let parts = names.compactMap { collector.parts[$0] }
    let rows = parts.reduce(0) { $0 + $1.rows.count }
    guard left.rows == rows, parts.allSatisfy({ $0.tensor.columns == right.columns }) else {
      let columns = parts.first?.tensor.columns ?? 0
      throw .badTensor(
        path: pair.b.path,
        tensor: pair.b.name,
        problem: "\(pair.b.shape) times \(pair.a.shape) of \(pair.a.name) makes "
          + "\(left.rows)×\(right.columns), the weight of \(pair.module) is \(rows)×\(columns)",
      )
    }
    var first = 0
    for (name, part) in zip(names, parts) {
      let delta = LowRankDelta(
        left: left,
        right: right,
        firstRow: first,
        scale: config.scale(of: pair.module)
      )
      collector.merge(delta, into: name)
      first += part.rows.count
    }
  }
}

/// Which modules must have factors by what the configuration says.
///
/// A target stands for every block of a part or for none: a language model's `q_proj` without an
/// encoder's is usual, half of the blocks is a broken file.
struct LowRankCoverage {
  let config: LowRankConfig
  /// Canonical names of the tensors with factors.
  let merged: Set<String>

  private struct Group: Hashable {
    let target: String
    let part: ModelPart
  }

  /// Names of factors that are missing.
  func missing(in entries: [Inventory.Entry]) -> [String] {
    guard let targets = config.targets, let exempt = config.exempt else { return [] }
    var lacking: [Group: [String]] = [:]
    var covered: Set<Group> = []
    for entry in entries {
      guard let (module, part) = module(entry), isChosen(entry),
        !exempt.contains(where: { LowRankConfig.ends(module, with: $0) }),
        let target = targets.first(where: { LowRankConfig.ends(module, with: $0) })
      else { continue }
      let group = Group(target: target, part: part)
      if entry.outcome.names.allSatisfy({ merged.contains($0) }) {
        covered.insert(group)
      } else {
        lacking[group, default: []].append(module)
      }
    }
    let incomplete = covered.flatMap { lacking[$0] ?? [] }.sorted()
    let absent = targets.filter { target in
      !covered.contains { $0.target == target } && lacking.keys.contains { $0.target == target }
    }
    return incomplete.flatMap { ["\($0).lora_A", "\($0).lora_B"] }
      + absent.map { "\($0) (target_modules)" }
  }

  /// The path of the module whose weight a tensor is, and its part; nil for other tensors.
  private func module(_ entry: Inventory.Entry) -> (path: String, part: ModelPart)? {
    switch entry.outcome {
    case .tensor, .rows: break
    case .merged, .ignored, .unknown: return nil
    }
    guard let part = entry.outcome.part, entry.name.hasSuffix(".weight") else { return nil }
    return (String(entry.name.dropLast(".weight".count)), part)
  }

  /// True for modules outside blocks and in the blocks that were trained.
  private func isChosen(_ entry: Inventory.Entry) -> Bool {
    guard let blocks = config.blocks, let name = entry.outcome.names.first else { return true }
    let parts = name.split(separator: ".")
    guard let place = parts.firstIndex(of: "blk"), place + 1 < parts.count,
      let number = Int(parts[place + 1])
    else { return true }
    return blocks.contains(number)
  }
}
